"""Settings from the environment: one frozen class per service, read once by `__main__`, described for the docs."""

from pathlib import Path
from types import NoneType
from typing import Any, ClassVar, Literal, get_args, get_origin

from pydantic import Field, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict


class Settings(BaseSettings):
    """What every service needs; a service adds its own fields in a subclass. Names start with `GALW_`."""

    model_config: ClassVar[SettingsConfigDict] = SettingsConfigDict(env_prefix="GALW_", frozen=True, extra="ignore")

    database_url: SecretStr = Field(description="Address of the PostgreSQL database, with its password.")
    database_pool_size: int = Field(10, ge=2, le=100, description="Connections of one service to PostgreSQL, at most.")
    kafka_bootstrap: str = Field(description="Kafka brokers, `host:port`, separated by commas.")
    kafka_replicas: int = Field(1, ge=1, le=7, description="Copies that Kafka keeps of each topic Galw creates.")
    http_host: str = Field("127.0.0.1", description="Address to listen on.")
    http_port: int = Field(8080, ge=0, le=65535, description="Port to listen on; 0 takes a free one.")
    trusted_proxies: int = Field(
        0,
        ge=0,
        le=10,
        description="Reverse proxies in front; their X-Forwarded-For and -Host are believed.",
    )
    public_url: str | None = Field(None, description="Address under which people reach Galw, for links.")
    carrier_url: str | None = Field(None, description="Address of the simulated carrier.")
    phone_key: SecretStr = Field(
        SecretStr(""), description="Key of the digests under which services speak about phone numbers."
    )
    secret_key: SecretStr = Field(description="Key from which all others are derived: 32 random characters or more.")
    identity_url: str | None = Field(None, description="Address of the service that signs people in; default: ours.")
    data_dir: str | None = Field(None, description="Folder for files, where there is one.")
    demo_url: SecretStr | None = Field(None, description="Address of the standalone mode's demo, where there is one.")
    control_url: str | None = Field(None, description="Address of the standalone supervisor, where there is one.")
    consumer_failures_limit: int = Field(
        1000, ge=1, description="Dead letters and parked keys of one topic before the service stops reading it."
    )
    log_level: str = Field("info", pattern="^(debug|info|warning|error)$", description="Least level that is logged.")
    stop_timeout_s: float = Field(10.0, gt=0, description="Seconds that a graceful stop may take.")


def settings_table(settings: type[BaseSettings]) -> str:
    """Return a Markdown table of the variables that *settings* adds to its base: name, type, default, meaning."""
    prefix = settings.model_config.get("env_prefix", "")
    inherited = {name for base in settings.__bases__ for name in getattr(base, "model_fields", {})}
    rows: dict[str, str] = {}
    for name, field in settings.model_fields.items():
        if name in inherited:
            continue
        variable = f"{prefix}{name}".upper()
        default = "required" if field.is_required() else _shown(field.get_default(call_default_factory=True))
        rows[variable] = f"| `{variable}` | {_kind(field.annotation)} | {default} | {field.description or ''} |"
    head = ["| variable | type | default | meaning |", "|---|---|---|---|"]
    return "\n".join([*head, *(rows[name] for name in sorted(rows))]) + "\n" if rows else ""


def _shown(value: object) -> str:
    empty = value is None or value == "" or (isinstance(value, SecretStr) and not value.get_secret_value())
    return "none" if empty else f"`{value}`"


def _kind(annotation: Any) -> str:
    """Return the type in words, without the None that an optional setting has anyway."""
    if get_origin(annotation) is Literal:
        return " or ".join(f"`{value}`" for value in get_args(annotation))
    if alternatives := [one for one in get_args(annotation) if one is not NoneType]:
        return " or ".join(_kind(one) for one in alternatives)
    return {
        str: "text",
        int: "whole number",
        float: "number",
        bool: "yes or no",
        SecretStr: "secret",
        Path: "path",
    }.get(annotation, str(annotation))
