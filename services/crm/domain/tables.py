"""Tables for people's spreadsheets: CSV that no spreadsheet takes for a formula."""

from collections.abc import Iterable, Sequence
from datetime import date, datetime
from typing import cast
from uuid import UUID

_DANGEROUS = ("=", "+", "-", "@", "\t", "\r", "\n")


def csv_line(cells: Iterable[object]) -> str:
    """Return one record of RFC 4180, its end included."""
    return ",".join(_quoted(cell_text(cell)) for cell in cells) + "\r\n"


def cell_text(cell: object) -> str:
    """Return what a spreadsheet shows; a text that it would compute is led by an apostrophe."""
    if isinstance(cell, bool):
        return "yes" if cell else "no"
    if cell is None:
        return ""
    if isinstance(cell, (int, float, UUID)):
        return str(cell)
    if isinstance(cell, (datetime, date)):
        return cell.isoformat()
    text = "; ".join(str(part) for part in cast("Sequence[object]", cell)) if isinstance(cell, list) else str(cell)
    return f"'{text}" if text.lstrip(" ").startswith(_DANGEROUS) else text


def _quoted(text: str) -> str:
    return '"' + text.replace('"', '""') + '"' if any(sign in text for sign in ',"\r\n') else text
