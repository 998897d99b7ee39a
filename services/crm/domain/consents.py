"""The consent ledger: what a person allowed and forbade, line by line, and what follows from it.

Lines are never changed. What is in force is folded from them in their order: a withdrawal ends every earlier consent it
covers, whatever their kind, and suppresses the channel; a consent given later lifts that again for its channel and
purpose only.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from services.runtime.errors import ConflictError


class Channel(StrEnum):
    """How a person is reached; `all` is every one, of today and to come."""

    VOICE = "voice"
    SMS = "sms"
    EMAIL = "email"
    ALL = "all"


class Change(StrEnum):
    """Which way a line of the ledger goes."""

    GIVEN = "given"
    WITHDRAWN = "withdrawn"


class ConsentKind(StrEnum):
    """How strong a consent is; laws ask for different ones."""

    EXPRESS = "express"
    WRITTEN = "written"
    OPTIN = "optin"


@dataclass(frozen=True, slots=True)
class ConsentLine:
    """One line; *purpose* None is every purpose. *sequence* grows by one per person, *expires_at* ends a withdrawal."""

    sequence: int
    change: Change
    channel: Channel
    purpose: str | None
    at: datetime
    source: str
    kind: ConsentKind = ConsentKind.EXPRESS
    outside_hours: bool = False
    expires_at: datetime | None = None
    by: UUID | None = None


@dataclass(frozen=True, slots=True)
class Consent:
    """A consent and, when it is over, since when."""

    kind: ConsentKind
    channel: Channel
    purpose: str | None
    given_at: datetime
    outside_hours: bool
    withdrawn_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Suppression:
    """A channel the person forbade, for ever or until *expires_at*; *purpose* None forbids every purpose."""

    channel: Channel
    purpose: str | None
    at: datetime
    source: str
    expires_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Standing:
    """What is in force for one person after the whole ledger."""

    consents: tuple[Consent, ...] = ()
    suppressions: tuple[Suppression, ...] = ()

    def forbids(self, channel: Channel, purpose: str, now: datetime) -> bool:
        """Tell whether the person may not be reached by *channel* for *purpose* at *now*."""
        return any(
            one.channel in (channel, Channel.ALL)
            and one.purpose in (None, purpose)
            and (one.expires_at is None or one.expires_at > now)
            for one in self.suppressions
        )

    def allows(self, channel: Channel, purpose: str) -> bool:
        """Tell whether a consent in force covers *channel* and *purpose*; needing one is the rule packs' business."""
        return any(
            one.withdrawn_at is None and one.channel in (channel, Channel.ALL) and one.purpose in (None, purpose)
            for one in self.consents
        )


def fold(lines: Iterable[ConsentLine]) -> Standing:
    """Return what is in force after *lines*, given in the order of their sequence."""
    standing = Standing()
    for line in lines:
        standing = _given(standing, line) if line.change is Change.GIVEN else _withdrawn(standing, line)
    return standing


def check_line(standing: Standing, line: ConsentLine) -> None:
    """Refuse a consent older than a withdrawal that covers it: an old form does not undo a later no."""
    if line.change is Change.WITHDRAWN:
        return
    later = [one for one in standing.suppressions if _touches(line, one) and one.at >= line.at]
    if later:
        raise ConflictError(
            f"The person withdrew on {later[0].at:%Y-%m-%d}, after this consent was given; only a newer consent counts."
        )


def _given(standing: Standing, line: ConsentLine) -> Standing:
    consent = Consent(line.kind, line.channel, line.purpose, line.at, line.outside_hours)
    same = (line.kind, line.channel, line.purpose)
    kept = tuple(one for one in standing.consents if (one.kind, one.channel, one.purpose) != same)
    # A yes to one purpose does not undo a no to all of them: only what the yes covers wholly is lifted.
    suppressions = tuple(one for one in standing.suppressions if not _covers(line, one))
    return Standing((*kept, consent), suppressions)


def _withdrawn(standing: Standing, line: ConsentLine) -> Standing:
    consents = tuple(
        replace(one, withdrawn_at=line.at) if one.withdrawn_at is None and _covers(line, one) else one
        for one in standing.consents
    )
    same = [one for one in standing.suppressions if (one.channel, one.purpose) == (line.channel, line.purpose)]
    others = tuple(one for one in standing.suppressions if one not in same)
    new = Suppression(line.channel, line.purpose, line.at, line.source, line.expires_at)
    return Standing(consents, (*others, *(_stricter(one, new) for one in same)) if same else (*others, new))


def _stricter(known: Suppression, new: Suppression) -> Suppression:
    """Return *new*, yet no older and ending no sooner than *known*: a no that is told late weakens no earlier one."""
    ends = None if known.expires_at is None or new.expires_at is None else max(known.expires_at, new.expires_at)
    return replace(new, at=max(known.at, new.at), expires_at=ends)


def _covers(line: ConsentLine, one: Consent | Suppression) -> bool:
    """Tell whether *line* speaks of everything that *one* speaks of."""
    return line.channel in (one.channel, Channel.ALL) and line.purpose in (one.purpose, None)


def _touches(line: ConsentLine, one: Suppression) -> bool:
    """Tell whether *line* speaks of something that *one* speaks of."""
    channels = line.channel == one.channel or Channel.ALL in (line.channel, one.channel)
    purposes = line.purpose == one.purpose or None in (line.purpose, one.purpose)
    return channels and purposes
