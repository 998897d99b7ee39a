"""Opaque cursors: the sort key of the last row of a page, readable by nobody but the route that made it."""

import base64
import binascii
from typing import Generic, TypeVar

from pydantic import TypeAdapter, ValidationError

from services.runtime.http.problems import rejected

T = TypeVar("T")


class Cursor(Generic[T]):
    """The cursor of one list; *kind* is the type of its sort key, for example `tuple[datetime, UUID]`."""

    def __init__(self, kind: type[T]) -> None:
        """Prepare to read and write keys of *kind*."""
        self._key = TypeAdapter(kind)

    def encode(self, key: T) -> str:
        """Return *key* as the `next_cursor` of a page."""
        return base64.urlsafe_b64encode(self._key.dump_json(key)).decode().rstrip("=")

    def decode(self, cursor: str | None) -> T | None:
        """Return the key of *cursor*, None without one; raise `RejectedError` when we did not make it."""
        if cursor is None:
            return None
        try:
            raw = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True)
            return self._key.validate_json(raw, strict=True)
        except (binascii.Error, ValueError, ValidationError) as error:
            raise rejected("cursor", "not one of this list's; take `next_cursor` of the page before") from error
