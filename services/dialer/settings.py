"""What the dialer reads from its environment, once."""

from typing import Literal

from pydantic import Field

from services.runtime.settings import Settings


class DialerSettings(Settings):
    """The dialer's settings."""

    asterisk_url: str | None = Field(None, description="Address of Asterisk's HTTP server; replaces the carrier.")
    asterisk_technology: Literal["SIM", "PJSIP"] = Field("SIM", description="Channel technology of the telephony.")
    internal_url: str | None = Field(None, description="Address at which other instances reach this one.")
    default_pool: str = Field("main", description="Pool that operators join when they come for the first time.")
    false_machine_share: float = Field(
        0.0,
        ge=0.0,
        le=1.0,
        description="Your estimate of how many of the calls taken for a machine's were people's; pacing counts them as"
        " abandoned. Ofcom asks for it wherever machines are told from people.",
    )
    packs_dir: str | None = Field(None, description="Folder with the organisation's own rule packs.")
