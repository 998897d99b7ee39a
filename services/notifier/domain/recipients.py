"""The people messages go to: their addresses, under digests, and whether they said no."""

import hashlib
import hmac
import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Literal
from uuid import UUID

from services.runtime.errors import FieldProblem, RejectedError
from services.runtime.phone import parse_phone, phone_digest

MessageChannel = Literal["sms", "email"]

_EMAIL = re.compile(r"[^@\s\"(),:;<>\[\\\]\x00-\x1f\x7f]{1,64}@[^@\s.]+(\.[^@\s.]+)+", re.ASCII)
_MAX_EMAIL = 254


def parse_address(channel: MessageChannel, raw: str) -> str:
    """Return *raw* in the one form that is stored: E.164, or an e-mail address; raise `RejectedError`."""
    if channel == "sms":
        return parse_phone(raw)
    if len(raw) > _MAX_EMAIL or not _EMAIL.fullmatch(raw):
        # The address stays out of the message: messages reach logs.
        problem = f"not an e-mail address ({len(raw)} characters); expected one such as name@example.com"
        raise RejectedError("The e-mail address is not usable.", fields=(FieldProblem("to", problem),))
    return raw


def address_digest(key: bytes, channel: MessageChannel, address: str) -> str:
    """Return the keyed digest of a parsed *address* (hex, 32 characters); of a number the one all services use."""
    if channel == "sms":
        return phone_digest(key, parse_phone(address))
    return hmac.new(key, b"mailto:" + address.lower().encode(), hashlib.sha256).hexdigest()[:32]


@dataclass(frozen=True, slots=True)
class ConsentLine:
    """The last word of one subject about one scope.

    *subject* is a person (`person_subject`) or the digest of an address. *channel* "all" and an empty *purpose* stand
    for every one.
    """

    subject: str
    channel: str
    purpose: str
    withdrawn: bool
    at: datetime

    def covers(self, channel: str, purpose: str) -> bool:
        """Tell whether this line speaks about messages on *channel* for *purpose*."""
        return self.channel in ("all", channel) and self.purpose in ("", purpose)


def person_subject(contact_id: UUID) -> str:
    """Return the subject of a person's own lines."""
    return str(contact_id)


def said_no(lines: Iterable[ConsentLine], channel: str, purpose: str) -> bool:
    """Tell whether the last line of one subject that covers the message withdraws; of two at once, the no counts.

    The time of the decision counts, not its arrival: a consent from years ago that is imported today opens nothing.
    """
    covering = [line for line in lines if line.covers(channel, purpose)]
    return bool(covering) and max(covering, key=lambda line: (line.at, line.withdrawn)).withdrawn
