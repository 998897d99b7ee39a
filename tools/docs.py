"""Write what is generated under `docs/`: the settings, the events' JSON Schemas, the AsyncAPI document.

`python -m tools.docs` writes; it refuses a schema that breaks the one that stands there, for then a new version of the
event is due. `python -m tools.docs --check` only says what is out of date.
"""

import sys
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path

import orjson
import yaml
from pydantic_settings import BaseSettings

from services.events.asyncapi import asyncapi_document
from services.events.catalogue import EVENTS
from services.events.compatibility import breaks
from services.events.schemas import Json, schema_of
from services.runtime.settings import settings_table
from tools.settings import settings_classes

DOCS = Path(__file__).parent.parent / "docs"
SCHEMAS = "events/schemas"

_SETTINGS = """# Settings

What Galw reads from its environment. `make docs` makes this page from the settings classes; a variable that several
programs read stands under each. Traces go to `OTEL_EXPORTER_OTLP_ENDPOINT`, when that is set, as OpenTelemetry says.
"""


def generated() -> dict[str, str]:
    """Return every generated file by its path under `docs/`."""
    schemas = {f"{SCHEMAS}/{event.type_name()}.json": _json(schema_of(event)) for event in EVENTS}
    return {
        "settings.md": _SETTINGS + "".join(_section(cls) for cls in settings_classes()),
        "events/asyncapi.yaml": _yaml(asyncapi_document(version("galw"))),
        **schemas,
    }


def stale(files: Mapping[str, str], docs: Path = DOCS) -> list[str]:
    """Return which of *files* are missing or other than what stands in *docs*, and schemas of no event."""
    changed = [path for path, text in files.items() if not (docs / path).is_file() or (docs / path).read_text() != text]
    return sorted(
        {*changed, *(f"{SCHEMAS}/{path.name}" for path in _kept(docs) if f"{SCHEMAS}/{path.name}" not in files)}
    )


def broken(docs: Path = DOCS) -> list[str]:
    """Return a sentence for everything that the code's schemas break of those that stand in *docs*."""
    known = {event.type_name(): event for event in EVENTS}
    found: list[str] = []
    for path in _kept(docs):
        event = known.get(path.stem)
        if event is None:
            found.append(f"{path.stem} was removed: consumers and partners still hear it")
        else:
            found += [f"{path.stem}: {one}" for one in breaks(orjson.loads(path.read_bytes()), schema_of(event))]
    return found


def _section(settings: type[BaseSettings]) -> str:
    module = settings.__module__.removesuffix(".settings")
    heading = "Every service" if module == "services.runtime" else f"`python -m {module}`"
    table = settings_table(settings) or "Nothing beyond what every service reads.\n"
    return f"\n## {heading}\n\n{' '.join((settings.__doc__ or '').split())}\n\n{table}"


def _kept(docs: Path) -> list[Path]:
    return sorted((docs / SCHEMAS).glob("*.json"))


def _json(document: Json) -> str:
    return orjson.dumps(document, option=orjson.OPT_INDENT_2).decode() + "\n"


def _yaml(document: Json) -> str:
    return yaml.safe_dump(document, sort_keys=False, width=120, allow_unicode=True)


def main() -> None:
    """Write or check, and say what was found."""
    if problems := broken():
        sys.exit("\n".join(["Records of these types exist; make a new version of the event instead:", *problems]))
    files = generated()
    changed = stale(files)
    if "--check" in sys.argv:
        if changed:
            sys.exit("\n".join(["Out of date, run `make docs`:", *(f"docs/{path}" for path in changed)]))
        return
    for path, text in files.items():
        target = DOCS / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text)
    for path in changed:
        sys.stdout.write(f"docs/{path}\n")


if __name__ == "__main__":
    main()
