"""Phone numbers: parsed once at the edge into E.164, never held raw by the rest of the code."""

import hashlib
import hmac
from typing import NewType

import phonenumbers

from services.runtime.errors import FieldProblem, RejectedError

E164 = NewType("E164", str)
"""A number in E.164 form, `+` and up to fifteen digits, that `parse_phone` has accepted."""


def parse_phone(raw: str, region: str | None = None) -> E164:
    """Return *raw* in E.164; *region* (ISO 3166 alpha-2) completes a national number.

    Possible numbers pass, not only assigned ones: numbers reserved for fiction are none. Raises `RejectedError`.
    """
    try:
        number = phonenumbers.parse(raw, region)
    except phonenumbers.NumberParseException as error:
        raise _rejected(raw, region) from error
    if not phonenumbers.is_possible_number(number):
        raise _rejected(raw, region)
    return E164(phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164))


def _rejected(raw: str, region: str | None) -> RejectedError:
    # The number itself stays out of the message: messages reach logs, numbers must not.
    hint = "a number with its country code, such as +441632960000" if region is None else f"a number of {region}"
    problem = f"not a usable phone number ({len(raw)} characters); expected {hint}"
    return RejectedError("The phone number is not usable.", fields=(FieldProblem("phone", problem),))


def phone_digest(key: bytes, number: E164) -> str:
    """Return the keyed digest under which services speak about a number without naming it (hex, 32 characters)."""
    return hmac.new(key, number.encode(), hashlib.sha256).hexdigest()[:32]
