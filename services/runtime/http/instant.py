"""Instants as requests give them: with an offset, in years that every part can reckon with."""

from datetime import datetime
from typing import Annotated

from pydantic import AfterValidator, AwareDatetime


def _within(value: datetime) -> datetime:
    # Close to the first and the last year, other offsets and spans of time leave the calendar.
    if not 1970 <= value.year <= 2999:
        raise ValueError("expected an instant from 1970 to 2999, such as 2026-11-24T15:00:00Z")
    return value


Instant = Annotated[AwareDatetime, AfterValidator(_within)]
"""An instant in a request."""
