"""A pack file as read: scalars as they were written, each with its line, so that an error can point at it.

YAML 1.1 reads `NO` as false and `21:00` as 1260. Here the text is kept beside the type it was taken for, so such a
value is refused by name instead of becoming something else.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Literal

Kind = Literal["text", "bool", "int", "float", "null", "date"]


@dataclass(frozen=True, slots=True)
class Scalar:
    """One value: its text and what the file format takes it for."""

    text: str
    kind: Kind
    line: int


@dataclass(frozen=True, slots=True)
class Items:
    """A list."""

    items: tuple["Node", ...]
    line: int


@dataclass(frozen=True, slots=True)
class Fields:
    """A mapping, its keys in the order of the file; *repeated* are the keys that stand there twice."""

    fields: dict[str, "Node"]
    line: int
    lines: dict[str, int]
    repeated: tuple[str, ...] = ()


Node = Scalar | Items | Fields


@dataclass(frozen=True, slots=True)
class Problem:
    """What is wrong with a pack: where, in which rule, and why it is refused."""

    file: str
    line: int
    rule: str | None
    reason: str

    def __str__(self) -> str:
        """Return `file:line: rule: reason`."""
        return f"{self.file}:{self.line}: {f'{self.rule}: ' if self.rule else ''}{self.reason}"


class PackError(ValueError):
    """Packs that were refused, with every problem found; what was in force before stays in force."""

    def __init__(self, problems: list[Problem]) -> None:
        """Keep the problems."""
        super().__init__("\n".join(str(problem) for problem in problems))
        self.problems = problems


@dataclass(slots=True)
class Report:
    """Collects the problems of one file, under the rule being read."""

    file: str
    problems: list[Problem] = field(default_factory=list[Problem])
    rule: str | None = None

    def refuse(self, line: int, reason: str) -> None:
        """Note a problem and go on, so that all are told at once."""
        self.problems.append(Problem(self.file, line, self.rule, reason))


class Reader:
    """Takes the fields of one mapping, and refuses what is left over."""

    def __init__(self, node: Node | None, report: Report, line: int, what: str) -> None:
        """Read *node*, which should be a mapping; *what* names it in errors."""
        self.report = report
        self.line = line
        self._what = what
        self._taken: set[str] = set()
        if node is not None and not isinstance(node, Fields):
            report.refuse(node.line, f"{what} must be a mapping of fields to values")
            node = None
        self._fields = Fields({}, line, {}) if node is None else node
        if node is not None:
            self.line = node.line
        for key in self._fields.repeated:
            report.refuse(self._fields.lines[key], f"the field {key!r} stands twice in {what}")

    def __contains__(self, key: str) -> bool:
        """Tell whether *key* is given, without taking it."""
        return key in self._fields.fields

    def __iter__(self) -> Iterator[str]:
        """Yield the keys in the order of the file."""
        yield from self._fields.fields

    def line_of(self, key: str) -> int:
        """Return the line of *key*, or of the mapping."""
        return self._fields.lines.get(key, self.line)

    def take(self, key: str) -> Node | None:
        """Return the value of *key*, null as None."""
        self._taken.add(key)
        node = self._fields.fields.get(key)
        return None if isinstance(node, Scalar) and node.kind == "null" else node

    def take_reader(self, key: str) -> "Reader":
        """Return a reader of the mapping under *key*, empty when there is none."""
        return Reader(self.take(key), self.report, self.line_of(key), f"{key!r}")

    def take_items(self, key: str) -> tuple[Node, ...] | None:
        """Return the list under *key*, None when there is none."""
        node = self.take(key)
        if node is None or isinstance(node, Items):
            return None if node is None else node.items
        self.report.refuse(node.line, f"{key!r} must be a list")
        return None

    def take_text(self, key: str, *, required: bool = False) -> str | None:
        """Return the text under *key*; a value that the format took for something else is refused."""
        node = self.take(key)
        if node is None:
            if required:
                self.report.refuse(self.line, f"{key!r} is missing in {self._what}")
            return None
        return read_text(node, f"{key!r}", self.report)

    def take_number(self, key: str, *, required: bool = False) -> float | None:
        """Return the number under *key*."""
        node = self.take(key)
        if node is None:
            if required:
                self.report.refuse(self.line, f"{key!r} is missing in {self._what}")
            return None
        if isinstance(node, Scalar) and node.kind in ("int", "float") and ":" not in node.text:
            return float(node.text.replace("_", ""))
        self.report.refuse(node.line, f"{key!r} must be a number")
        return None

    def take_whole(self, key: str, *, least: int, required: bool = False) -> int | None:
        """Return the whole number under *key*, at least *least*."""
        number = self.take_number(key, required=required)
        if number is None or (number >= least and number.is_integer()):
            return None if number is None else int(number)
        self.report.refuse(self.line_of(key), f"{key!r} must be a whole number from {least}")
        return None

    def take_flag(self, key: str, default: bool) -> bool:
        """Return true or false under *key*."""
        node = self.take(key)
        if node is None:
            return default
        if isinstance(node, Scalar) and node.kind == "bool":
            return node.text.lower() in ("true", "yes", "on", "y")
        self.report.refuse(node.line, f"{key!r} must be true or false")
        return default

    def finish(self, expected: str = "") -> None:
        """Refuse the fields that nobody took."""
        for key in self._fields.fields:
            if key not in self._taken:
                hint = f"; expected {expected}" if expected else f"; known are {', '.join(sorted(self._taken))}"
                self.report.refuse(self._fields.lines[key], f"unknown field {key!r} in {self._what}{hint}")


def read_text(node: Node, what: str, report: Report) -> str | None:
    """Return *node* as text, or say what it was read as instead."""
    if isinstance(node, Scalar):
        if node.kind in ("text", "date"):
            return node.text
        if node.kind == "bool":
            report.refuse(node.line, f"{what} is {node.text}, which YAML reads as true or false: quote it")
        elif ":" in node.text:
            report.refuse(node.line, f"{what} is {node.text}, which YAML reads as a number of base 60: quote it")
        else:
            report.refuse(node.line, f"{what} is {node.text}, which YAML reads as a number or nothing: quote it")
        return None
    report.refuse(node.line, f"{what} must be text")
    return None


def from_json(value: object) -> Node:
    """Return the node of a JSON value; JSON has no lines, so all are 1."""
    match value:
        case bool():
            return Scalar(str(value).lower(), "bool", 1)
        case int():
            return Scalar(str(value), "int", 1)
        case float():
            return Scalar(repr(value), "float", 1)
        case None:
            return Scalar("null", "null", 1)
        case list():
            return Items(tuple(from_json(item) for item in value), 1)
        case dict():
            return Fields({str(k): from_json(v) for k, v in value.items()}, 1, {str(k): 1 for k in value})
        case _:
            return Scalar(str(value), "text", 1)
