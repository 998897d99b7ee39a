"""What the notifier reads from its environment, once."""

from datetime import timedelta
from typing import Literal

from pydantic import Field, field_validator

from services.notifier.domain.addresses import AddressPolicy
from services.runtime.settings import Settings


class NotifierSettings(Settings):
    """The notifier's settings."""

    organisation: str = Field("Galw", min_length=1, max_length=100, description="Name that messages to people give.")
    stop_scope: Literal["channel", "all"] = Field(
        "all", description="How far a STOP reaches: every channel, or only the one it came on."
    )
    webhook_allowed_networks: str = Field(
        "",
        description="Networks (CIDR, separated by commas) that webhooks may reach although they are not on the public "
        "internet, also over plain http; such as 127.0.0.0/8,10.1.2.0/24.",
    )
    webhook_timeout_s: float = Field(15.0, ge=1, le=30, description="Seconds that a partner's answer may take.")
    webhooks_in_hand: int = Field(400, ge=1, le=5000, description="Webhooks sent at once by one instance, at most.")
    webhooks_per_endpoint: int = Field(20, ge=1, le=500, description="Of these to one endpoint, at most.")
    webhooks_kept_days: int = Field(30, ge=4, le=365, description="Days that webhooks and their log are kept.")
    messages_kept_days: int = Field(
        30, ge=1, le=3650, description="Days until addresses and texts of messages to people are emptied."
    )

    @field_validator("webhook_allowed_networks")
    @classmethod
    def _networks(cls, value: str) -> str:
        AddressPolicy(_split(value))
        return value

    @property
    def address_policy(self) -> AddressPolicy:
        """Where webhooks may go."""
        return AddressPolicy(_split(self.webhook_allowed_networks))

    @property
    def webhooks_kept(self) -> timedelta:
        """How long webhooks and their log are kept."""
        return timedelta(days=self.webhooks_kept_days)

    @property
    def messages_kept(self) -> timedelta:
        """How long messages name their address."""
        return timedelta(days=self.messages_kept_days)


def _split(value: str) -> list[str]:
    return [one.strip() for one in value.split(",") if one.strip()]
