"""What the demo reads from its environment, once."""

from typing import ClassVar

from pydantic import Field, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict


class DemoSettings(BaseSettings):
    """Settings of the demo process; the supervisor gives them all."""

    model_config: ClassVar[SettingsConfigDict] = SettingsConfigDict(env_prefix="GALW_", frozen=True, extra="ignore")

    database_url: SecretStr = Field(description="Address of the PostgreSQL database, for the accounts of the staff.")
    public_url: str = Field(description="Address under which people reach Galw.")
    http_port: int = Field(ge=1, le=65535, description="Port of the partner's endpoint.")
    demo_url: SecretStr = Field(description="Address of the demo with its token.")
    demo_operators: int = Field(6, ge=0, le=6, description="Simulated operators at work after the start; 0 for none.")
    carrier_seed: int = Field(1, ge=0, description="Seed of whatever is drawn by lot.")
    log_level: str = Field("info", pattern="^(debug|info|warning|error)$", description="Least level that is logged.")
