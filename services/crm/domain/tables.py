"""Tables for people's spreadsheets: CSV that no spreadsheet takes for a formula, and that can be read back."""

import unicodedata
from collections.abc import Iterable, Sequence
from datetime import date, datetime
from typing import cast
from uuid import UUID

_BEGINS_FORMULA = frozenset("=+-@\u2212")
"""What a spreadsheet computes, in the plain width; some read a typographic minus as one, too."""

_ENDS_CELL = frozenset("\t\r\n")
"""Where a careless reader ends the cell, so that the next sign begins one."""

# Drawn as nothing although they count as letters or marks: fillers, joiners, variation selectors.
_BLANKS = frozenset("\u034f\u115f\u1160\u17b4\u17b5\u3164\uffa0\u2800" + "".join(map(chr, range(0xFE00, 0xFE10))))


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
    return f"'{text}" if _is_computed(text.lstrip("'")) else text


def cell_meaning(shown: str) -> str:
    """Return the text that `cell_text` showed as *shown*: without the apostrophe that kept it from being computed."""
    return shown[1:] if shown.startswith("'") and _is_computed(shown.lstrip("'")) else shown


def _is_computed(text: str) -> bool:
    """Tell whether a spreadsheet may compute *text*, whatever invisible signs stand before and however wide it is."""
    for sign in text:
        if sign in _ENDS_CELL:
            return True
        if sign not in _BLANKS and unicodedata.category(sign)[0] not in "CZ":
            return unicodedata.normalize("NFKC", sign) in _BEGINS_FORMULA
    return False


def _quoted(text: str) -> str:
    return '"' + text.replace('"', '""') + '"' if any(sign in text for sign in ',"\r\n') else text
