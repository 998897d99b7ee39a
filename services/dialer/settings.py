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
    packs_dir: str | None = Field(None, description="Folder with the organisation's own rule packs.")
