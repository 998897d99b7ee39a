"""What commands print: what people wrote as plain text, tables whose ids can be copied, progress for eyes only.

Names and messages come from outside. Printed as they are, they could colour a terminal, retitle it, turn its lines
around, or stop a command with what looks like markup.
"""

import re
from typing import Any

import click
from rich.console import Console
from rich.progress import Progress, ProgressColumn
from rich.table import Column, Table
from rich.text import Text

_IDS = frozenset({"id", "event"})
_COMMANDING = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")
"""What a terminal obeys instead of showing it, but for the tab and the end of a line."""


def plain(text: str) -> str:
    """Return *text* with a sign in place of whatever a terminal would obey."""
    return _COMMANDING.sub("\N{REPLACEMENT CHARACTER}", text)


def say(message: str | bytes, *, err: bool = False) -> None:
    """Print a line: words for people plainly, the bytes of a JSON document with an escape for each such sign."""
    click.echo(plain(message) if isinstance(message, str) else _escaped(message), err=err)


def _escaped(document: bytes) -> str:
    # JSON itself escapes the signs below the space only; those beyond it obey a terminal as well, or turn its lines.
    return _COMMANDING.sub(lambda sign: f"\\u{ord(sign[0]):04x}", document.decode())


class Screen(Console):
    """A console for words from outside: no markup, no emoji names, nothing that a terminal would obey."""

    def __init__(self, *, stderr: bool = False) -> None:
        """Write to standard output, or to standard error."""
        super().__init__(stderr=stderr, markup=False, emoji=False, highlight=False)

    def render_str(self, text: str, **options: Any) -> Text:
        """Return what is shown for *text*."""
        return super().render_str(plain(text), **options)


def table_of(*names: str) -> Table:
    """Return a table with these columns that cuts nothing: ids stay whole, the rest is folded into the width."""
    return Table(*(Column(name, overflow="fold", no_wrap=name in _IDS) for name in names))


def progress_of(*columns: ProgressColumn, quiet: bool = False) -> Progress:
    """Return a progress bar on standard error that goes when it is done; nothing where nobody sees it."""
    console = Screen(stderr=True)
    # Where the output is no terminal, a bar that goes would leave an empty line.
    return Progress(*columns, console=console, transient=True, disable=quiet or not console.is_terminal)


def moment(instant: str | None) -> str:
    """Return an instant of the API to the second, a dash for none."""
    return "–" if instant is None else instant[:19].replace("T", " ")
