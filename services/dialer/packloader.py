"""Reads rule packs and the number table from files into the gate's values; nothing else of the gate reads files."""

import json
from collections.abc import Iterable, Sequence
from functools import lru_cache
from pathlib import Path

import yaml

from services.dialer.domain.gate import Pack, Packs, Places
from services.dialer.domain.gate.nodes import Fields, Items, Kind, Node, PackError, Problem, Scalar
from services.dialer.domain.gate.parse import check_together, parse_pack

SHIPPED = Path(__file__).parent / "packs"
_Loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # libyaml's reads ten times faster, where there is one.
_KINDS: dict[str, Kind] = {
    "tag:yaml.org,2002:bool": "bool",
    "tag:yaml.org,2002:int": "int",
    "tag:yaml.org,2002:float": "float",
    "tag:yaml.org,2002:null": "null",
    "tag:yaml.org,2002:timestamp": "date",
}


def load_packs(folders: Sequence[Path] = ()) -> Packs:
    """Return the shipped packs and those of *folders*, all in force; raises `PackError` with every problem found."""
    return Packs(load_places(), read_folders([SHIPPED, *folders]))


def load_shipped(folders: Sequence[Path] = ()) -> tuple[dict[str, Pack], dict[str, str], bytes]:
    """Return the shipped packs and those of *folders* by id, their texts, and the number table's.

    Raises `PackError`.
    """
    paths = [path for folder in (SHIPPED, *folders) for path in sorted(folder.glob("*.yaml"))]
    packs = read_files(paths)
    texts = {pack.id: path.read_text(encoding="utf-8") for pack, path in zip(packs, paths, strict=True)}
    return {pack.id: pack for pack in packs}, texts, (SHIPPED / "numbers.json").read_bytes()


@lru_cache(maxsize=1)
def load_places() -> Places:
    """Return the number table that ships."""
    return Places(json.loads((SHIPPED / "numbers.json").read_bytes()))


def read_folders(folders: Iterable[Path]) -> tuple[Pack, ...]:
    """Return the packs of all files `*.yaml` in *folders*, checked each and together."""
    return read_files([path for folder in folders for path in sorted(folder.glob("*.yaml"))])


def read_files(paths: Iterable[Path]) -> tuple[Pack, ...]:
    """Return the packs of *paths*, checked each and together; a file refused refuses all."""
    packs: dict[str, Pack] = {}
    files: dict[str, str] = {}
    problems: list[Problem] = []
    for path in paths:
        try:
            pack = read_pack(path)
        except PackError as error:
            problems += error.problems
            continue
        if pack.id in packs:
            problems.append(Problem(str(path), 1, None, f"the pack {pack.id!r} is also in {files[pack.id]}"))
        packs[pack.id], files[pack.id] = pack, str(path)
    if problems:
        raise PackError(problems)
    check_together(packs, files)
    return tuple(packs.values())


def read_pack(path: Path) -> Pack:
    """Return the pack in a YAML file; raises `PackError`."""
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise PackError([Problem(str(path), 1, None, f"cannot be read as UTF-8 text: {error}")]) from error
    return parse_text(text, str(path))


def parse_text(text: str, file: str) -> Pack:
    """Return the pack in YAML *text*; *file* names it in errors."""
    try:
        root = yaml.compose(text, Loader=_Loader)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = 1 if mark is None else mark.line + 1
        raise PackError([Problem(file, line, None, f"is no YAML: {getattr(error, 'problem', error)}")]) from error
    if root is None:
        raise PackError([Problem(file, 1, None, "is empty; a pack is a mapping of fields to values")])
    return parse_pack(_convert(root, file), file)


def _convert(node: yaml.Node, file: str) -> Node:
    line = node.start_mark.line + 1
    if isinstance(node, yaml.MappingNode):
        fields: dict[str, Node] = {}
        lines: dict[str, int] = {}
        repeated: list[str] = []
        for key, value in node.value:
            if not isinstance(key, yaml.ScalarNode):
                raise PackError([Problem(file, line, None, "a field's name must be text")])
            if key.value in fields:
                repeated.append(key.value)
            fields[key.value], lines[key.value] = _convert(value, file), key.start_mark.line + 1
        return Fields(fields, line, lines, tuple(repeated))
    if isinstance(node, yaml.SequenceNode):
        return Items(tuple(_convert(item, file) for item in node.value), line)
    return Scalar(node.value, _KINDS.get(node.tag, "text"), line)
