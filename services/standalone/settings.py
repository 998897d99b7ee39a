"""Settings of the standalone mode; what is set here replaces the embedded part of the same purpose."""

from pathlib import Path
from typing import Annotated, ClassVar, Literal

from pydantic import BeforeValidator, Field, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict


class StandaloneSettings(BaseSettings):
    """What the supervisor needs to know; everything else goes to the services as it is."""

    model_config: ClassVar[SettingsConfigDict] = SettingsConfigDict(env_prefix="GALW_", frozen=True, extra="ignore")

    port: int = Field(default=8080, ge=1, le=65535, description="Port of the standalone mode, on 127.0.0.1.")
    processes: Annotated[Literal[1, 3], BeforeValidator(int)] = Field(
        default=1, description="1: the three services in one process; 3: each in its own."
    )
    data_dir: Path = Field(
        default=Path(".data"), description="Folder that keeps what the standalone mode must not forget."
    )
    database_url: SecretStr | None = Field(
        default=None, description="A PostgreSQL of yours instead of the embedded one."
    )
    kafka_bootstrap: str | None = Field(default=None, description="A Kafka of yours instead of the embedded broker.")
    carrier_url: str | None = Field(default=None, description="A carrier of yours instead of the simulated one.")
    carrier_seed: int = Field(
        default=1, ge=0, description="Seed of the simulated carrier: the same seed, the same people."
    )
    carrier_profile: str = Field(
        default="everyday", description="How the people of the simulated carrier behave: a name or a file."
    )
    carrier_speed: float = Field(
        default=1.0, gt=0, description="How many times faster than life the people of the simulated carrier are."
    )
    demo: bool = Field(
        default=True,
        description="Whether an empty data folder gets the demo organisation; never in a database of yours.",
    )
    demo_operators: int = Field(default=6, ge=0, le=6, description="Simulated operators that begin work; 0 for none.")
    broker_memory_limit_mb: int = Field(
        default=256, ge=1, description="Memory from which the embedded broker is due for a planned restart, in MB."
    )
