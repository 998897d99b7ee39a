"""Instants as requests give them: text with an offset, in years that every part can reckon with."""

from datetime import datetime
from typing import Annotated, Any

from pydantic import AfterValidator, AwareDatetime, BeforeValidator

_EXPECTED = "expected an instant with an offset from 1970 to 2999, such as 2026-11-24T15:00:00Z"


def _as_text(value: Any) -> Any:
    # A bare number would be taken for seconds, or milliseconds, since 1970.
    if isinstance(value, datetime) or (isinstance(value, str) and not value.strip().lstrip("+-").isdecimal()):
        return value
    raise ValueError(_EXPECTED)


def _within(value: datetime) -> datetime:
    # Close to the first and the last year, other offsets and spans of time leave the calendar.
    if not 1970 <= value.year <= 2999:
        raise ValueError(_EXPECTED)
    return value


Instant = Annotated[AwareDatetime, BeforeValidator(_as_text), AfterValidator(_within)]
"""An instant in a request."""
