"""UUIDv7 identifiers: ordered by time, so that indexes stay compact."""

from collections.abc import Callable
from uuid import UUID

import uuid_utils.compat

NewId = Callable[[], UUID]
"""A source of fresh identifiers; a simulation hands in a seeded one."""


def new_id() -> UUID:
    """Return a fresh UUIDv7."""
    return uuid_utils.compat.uuid7()
