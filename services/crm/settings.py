"""What the CRM reads from its environment, once."""

from pydantic import Field, SecretStr

from services.runtime.settings import Settings


class CrmSettings(Settings):
    """The CRM's settings."""

    secret_key: SecretStr = Field(description="Secret of the deployment, at least 32 bytes; it guards signing keys.")
