"""What commands print: tables whose ids can be copied, and progress for eyes only."""

from rich.console import Console
from rich.progress import Progress, ProgressColumn
from rich.table import Column, Table

_IDS = frozenset({"id", "event"})


def table_of(*names: str) -> Table:
    """Return a table with these columns that cuts nothing: ids stay whole, the rest is folded into the width."""
    return Table(*(Column(name, overflow="fold", no_wrap=name in _IDS) for name in names))


def progress_of(*columns: ProgressColumn, quiet: bool = False) -> Progress:
    """Return a progress bar on standard error that goes when it is done; nothing where nobody sees it."""
    console = Console(stderr=True)
    # Where the output is no terminal, a bar that goes would leave an empty line.
    return Progress(*columns, console=console, transient=True, disable=quiet or not console.is_terminal)


def moment(instant: str | None) -> str:
    """Return an instant of the API to the second, a dash for none."""
    return "–" if instant is None else instant[:19].replace("T", " ")
