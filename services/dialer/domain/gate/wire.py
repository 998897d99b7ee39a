"""Facts as JSON: one object in, `Facts` and the instant asked about out; and back, for storing with the attempt.

An unknown field is an error like a wrong one: a misspelt `supressed` must not open a door. So is an instant without an
offset. A missing field, or null, is the default of `Facts`, which is the stricter answer.
"""

import re
from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime
from functools import lru_cache
from typing import Any, TypeVar, cast, get_args

from services.dialer.domain.gate.decision import write_instant
from services.dialer.domain.gate.facts import (
    MODES,
    WEEKDAYS,
    Address,
    CampaignCounts,
    Channel,
    Consent,
    ConsentKind,
    Counts,
    CountWindow,
    DoNotCallList,
    Facts,
    Hours,
    LineType,
    Mode,
    Outcome,
    PastAttempt,
    Proclaimed,
    Purpose,
    Relationship,
    RelationshipKind,
    Scrub,
    Span,
)
from services.dialer.domain.gate.places import Places

_E164 = re.compile(r"\+[1-9][0-9]{4,14}")
_CLOCK = re.compile(r"([01][0-9]|2[0-3]):[0-5][0-9]|24:00")
_JURISDICTION = re.compile(r"[A-Z]{2}(-[A-Z0-9]{1,3})?")
_T = TypeVar("_T")
_Object = Mapping[str, Any]


def _known(*fields: str) -> Mapping[str, None]:
    """Return the names of an object's fields, in order and quick to look up."""
    return dict.fromkeys(fields)


_FIELDS = _known(
    "number",
    "line_type",
    "address",
    "purpose",
    "mode",
    "channel",
    "at",
    "subject",
    "suppressed",
    "consents",
    "relationship",
    "scrubs",
    "attempts",
    "refused_at",
    "campaign",
    "holidays_proclaimed",
    "organisation_packs",
)
_ADDRESS = _known("country", "region", "postal_code", "verified_on")
_CONSENT = _known("kind", "purpose", "channel", "given_at", "withdrawn_at", "outside_hours")
_RELATIONSHIP = _known("kind", "since")
_SCRUB = _known("version_on", "listed")
_ATTEMPT = _known("at", "number", "subject", "campaign", "channel", "mode", "outcome")
_CAMPAIGN = _known("started_at", "answered", "abandoned", "windows", "hours")
_COUNTS = _known("answered", "abandoned")
_PROCLAIMED = _known("jurisdiction", "on")


class FactError(ValueError):
    """A fact that is wrong, unknown or missing: which, and what was expected."""

    def __init__(self, field: str, expected: str) -> None:
        """Keep the path of the *field* and what was *expected* there."""
        super().__init__(f"{field}: expected {expected}")
        self.field = field
        self.expected = expected

    def within(self, place: str) -> "FactError":
        """Return the same error as seen from outside: its field lies in *place*."""
        return FactError(f"{place}.{self.field}" if self.field else place, self.expected)

    def to_json(self) -> dict[str, Any]:
        """Return the answer to a line with this error."""
        return {"error": {"field": self.field, "expected": self.expected}}


def parse_facts(value: object, places: Places) -> tuple[Facts, datetime]:
    """Return the facts and the instant in a JSON object; raises `FactError`. *places* knows countries and regions."""
    if not isinstance(value, dict):
        raise FactError("facts", "an object")
    facts = _object(cast("object", value), "", _FIELDS)
    number = facts.get("number")
    if not isinstance(number, str) or not _E164.fullmatch(number):
        raise FactError("number", "a number in E.164 form, such as +13055550123")
    at = _instant(facts.get("at"), "at")
    if at is None:
        raise FactError("at", "an instant with its offset, such as 2026-11-23T20:30:00-05:00")
    mode: Mode | None = _one_of(facts.get("mode"), "mode", MODES)
    hours, campaign = _campaign(facts.get("campaign"))
    return (
        Facts(
            number=number,
            line_type=_one_of(facts.get("line_type"), "line_type", _LINE_TYPES) or "unknown",
            address=_address(facts.get("address"), places),
            purpose=_one_of(facts.get("purpose"), "purpose", _PURPOSES) or "marketing",
            mode=mode or "prerecorded",
            channel=_one_of(facts.get("channel"), "channel", _CHANNELS) or "voice",
            subject=_text(facts.get("subject"), "subject"),
            suppressed=_flag(facts.get("suppressed"), "suppressed", True),
            consents=_each(facts.get("consents"), "consents", _consent),
            relationship=_relationship(facts.get("relationship")),
            scrubs=_scrubs(facts.get("scrubs")),
            attempts=_each(facts.get("attempts"), "attempts", _attempt),
            refused_at=_instant(facts.get("refused_at"), "refused_at"),
            campaign=campaign,
            hours=hours,
            holidays_proclaimed=_each(facts.get("holidays_proclaimed"), "holidays_proclaimed", _proclaimed),
            organisation_packs=_each(facts.get("organisation_packs"), "organisation_packs", _pack_id),
        ),
        at,
    )


_LINE_TYPES = get_args(LineType)
_PURPOSES = get_args(Purpose)
_CHANNELS = get_args(Channel)
_KINDS = get_args(ConsentKind)
_OUTCOMES = get_args(Outcome)
_RELATIONSHIPS = get_args(RelationshipKind)
_LISTS = _known(*get_args(DoNotCallList))
_WINDOWS = _known(*get_args(CountWindow))
_DAYS = _known(*WEEKDAYS)


def _object(value: object, field: str, known: Mapping[str, None]) -> _Object:
    """Return *value*, an object with none but *known* fields; *field* is where it stands, "" for an item of a list."""
    if not isinstance(value, dict):
        raise FactError(field, "an object")
    found = cast("dict[str, object]", value)
    if found.keys() <= known.keys():
        return found
    key = next(key for key in found if key not in known)
    raise FactError(f"{field}.{key}" if field else key, f"one of the fields {', '.join(known)}")


def _each(value: object, field: str, parse: Callable[[object], _T]) -> tuple[_T, ...]:
    """Return the items of a list; *parse* names what is wrong as seen from the item."""
    if value is None:
        return ()
    if not isinstance(value, list):
        raise FactError(field, "a list")
    found: list[_T] = []
    try:
        for item in cast("list[object]", value):
            found.append(parse(item))  # noqa: PERF401 - how many were read tells which one is wrong
    except FactError as error:
        raise error.within(f"{field}[{len(found)}]") from error
    return tuple(found)


def _one_of(value: object, field: str, known: tuple[_T, ...]) -> _T | None:
    if value is None:
        return None
    if value in known:
        return cast("_T", value)
    raise FactError(field, f"one of {', '.join(map(str, known))}")


def _text(value: object, field: str) -> str | None:
    if value is None or isinstance(value, str):
        return value
    raise FactError(field, "text")


def _flag(value: object, field: str, default: bool) -> bool:
    if value is None or isinstance(value, bool):
        return default if value is None else value
    raise FactError(field, "true or false")


def _count(value: object, field: str) -> int | None:
    if value is None or (isinstance(value, int) and not isinstance(value, bool) and value >= 0):
        return value
    raise FactError(field, "a whole number from 0")


def _instant(value: object, field: str) -> datetime | None:
    if value is None:
        return None
    if isinstance(value, str) and len(value) > 10:
        try:
            instant = datetime.fromisoformat(value)
        except ValueError:
            instant = None
        # The years are those for which every zone's local date exists and the horizon stays in the calendar.
        if instant is not None and instant.tzinfo is not None and 1900 < instant.year < 9000:
            return instant.astimezone(UTC)
    raise FactError(field, "an instant with its offset, such as 2026-11-23T20:30:00-05:00")


def _date(value: object, field: str) -> date | None:
    if value is None:
        return None
    if isinstance(value, str) and (day := _day(value)) is not None:
        return day
    raise FactError(field, "a date such as 2026-11-23")


@lru_cache(maxsize=4096)  # Lists and relationships are of days that many lines have in common.
def _day(text: str) -> date | None:
    # The parser takes weeks and days without hyphens too.
    if len(text) == 10 and text[4] == text[7] == "-":
        try:
            day = date.fromisoformat(text)
        except ValueError:
            return None
        if 1900 < day.year < 9000:
            return day
    return None


def _address(value: object, places: Places) -> Address | None:
    if value is None:
        return None
    address = _object(value, "address", _ADDRESS)
    country = _text(address.get("country"), "address.country")
    if country is None or not places.has_country(country):
        raise FactError("address.country", "a country in two capital letters, such as US")
    region = _text(address.get("region"), "address.region")
    if region is not None:
        region = region.removeprefix(f"{country}-")
        if not _JURISDICTION.fullmatch(f"{country}-{region}") or not places.has_region(country, region):
            raise FactError("address.region", f"a part of {country} by ISO 3166-2, such as FL or US-FL")
    postal_code = _text(address.get("postal_code"), "address.postal_code")
    return Address(country, region, postal_code, _date(address.get("verified_on"), "address.verified_on"))


def _consent(value: object) -> Consent:
    consent = _object(value, "", _CONSENT)
    return Consent(
        _one_of(consent.get("kind"), "kind", _KINDS),
        _one_of(consent.get("purpose"), "purpose", _PURPOSES),
        _one_of(consent.get("channel"), "channel", _CHANNELS),
        _instant(consent.get("given_at"), "given_at"),
        _instant(consent.get("withdrawn_at"), "withdrawn_at"),
        _flag(consent.get("outside_hours"), "outside_hours", False),
    )


def _relationship(value: object) -> Relationship:
    if value is None:
        return Relationship()
    relationship = _object(value, "relationship", _RELATIONSHIP)
    kind = _one_of(relationship.get("kind"), "relationship.kind", _RELATIONSHIPS)
    return Relationship(kind or "none", _date(relationship.get("since"), "relationship.since"))


def _scrubs(value: object) -> dict[DoNotCallList, Scrub]:
    scrubs: dict[DoNotCallList, Scrub] = {}
    name = ""
    try:
        for name, item in _object({} if value is None else value, "", _LISTS).items():
            if item is not None:
                scrubs[cast("DoNotCallList", name)] = _scrub(item)
    except FactError as error:
        raise error.within(f"scrubs.{name}" if name else "scrubs") from error
    return scrubs


def _scrub(value: object) -> Scrub:
    # The same few versions come in every line, a dozen lists each.
    if isinstance(value, dict) and len(cast("dict[str, object]", value)) == 2:
        version_on, listed = value.get("version_on"), value.get("listed")
        if isinstance(version_on, str) and isinstance(listed, bool):
            return _common_scrub(version_on, listed)
    scrub = _object(value, "", _SCRUB)
    return Scrub(_date(scrub.get("version_on"), "version_on"), _flag(scrub.get("listed"), "listed", True))


@lru_cache(maxsize=4096)
def _common_scrub(version_on: str, listed: bool) -> Scrub:
    return Scrub(_date(version_on, "version_on"), listed)


def _attempt(value: object) -> PastAttempt:
    attempt = _object(value, "", _ATTEMPT)
    at = _instant(attempt.get("at"), "at")
    if at is None:
        raise FactError("at", "the instant of the attempt, with its offset")
    number = _text(attempt.get("number"), "number")
    if number is not None and not _E164.fullmatch(number):
        raise FactError("number", "a number in E.164 form, such as +13055550123")
    return PastAttempt(
        at,
        number,
        _text(attempt.get("subject"), "subject"),
        _text(attempt.get("campaign"), "campaign") or "this",
        _one_of(attempt.get("channel"), "channel", _CHANNELS),
        _one_of(attempt.get("mode"), "mode", MODES),
        _one_of(attempt.get("outcome"), "outcome", _OUTCOMES),
    )


def _campaign(value: object) -> tuple[Hours | None, CampaignCounts]:
    if value is None:
        return None, CampaignCounts()
    campaign = _object(value, "campaign", _CAMPAIGN)
    given, windows = campaign.get("windows"), dict[CountWindow, Counts]()
    for name, item in _object({} if given is None else given, "campaign.windows", _WINDOWS).items():
        if item is not None:
            counts = _object(item, f"campaign.windows.{name}", _COUNTS)
            windows[cast("CountWindow", name)] = _counts(counts, f"campaign.windows.{name}")
    counts = CampaignCounts(
        _instant(campaign.get("started_at"), "campaign.started_at"), _counts(campaign, "campaign"), windows
    )
    return _hours(campaign.get("hours")), counts


def _counts(value: _Object, field: str) -> Counts:
    return Counts(
        _count(value.get("answered"), f"{field}.answered"), _count(value.get("abandoned"), f"{field}.abandoned")
    )


def _hours(value: object) -> Hours | None:
    if value is None:
        return None
    hours = _object(value, "campaign.hours", _DAYS)
    return tuple(_each(hours.get(day), f"campaign.hours.{day}", _span) for day in WEEKDAYS)


def _span(value: object) -> Span:
    pair = cast("list[object]", value) if isinstance(value, list) else []
    texts = [item for item in pair if isinstance(item, str) and _CLOCK.fullmatch(item)]
    if len(pair) == 2 and len(texts) == 2 and texts[0] < texts[1]:
        start, end = (int(text[:2]) * 60 + int(text[3:]) for text in texts)
        return start, end
    raise FactError("", 'two times of day in order, such as ["09:00", "20:00"]')


def _proclaimed(value: object) -> Proclaimed:
    proclaimed = _object(value, "", _PROCLAIMED)
    jurisdiction = proclaimed.get("jurisdiction")
    if not isinstance(jurisdiction, str) or not _JURISDICTION.fullmatch(jurisdiction):
        raise FactError("jurisdiction", "a country or a part of one, such as US-LA")
    on = _date(proclaimed.get("on"), "on")
    if on is None:
        raise FactError("on", "a date such as 2026-11-23")
    return Proclaimed(jurisdiction, on)


def _pack_id(value: object) -> str:
    if isinstance(value, str):
        return value
    raise FactError("", "the id of a pack of the organisation's own")


def write_facts(facts: Facts, at: datetime) -> dict[str, Any]:
    """Return the JSON object from which `parse_facts` makes the same facts."""
    address, relationship, campaign = facts.address, facts.relationship, facts.campaign
    hours = (
        None if facts.hours is None else {day: _write_spans(s) for day, s in zip(WEEKDAYS, facts.hours, strict=True)}
    )
    return {
        "number": facts.number,
        "line_type": facts.line_type,
        "address": None
        if address is None
        else {
            "country": address.country,
            "region": address.region,
            "postal_code": address.postal_code,
            "verified_on": _write_date(address.verified_on),
        },
        "purpose": facts.purpose,
        "mode": facts.mode,
        "channel": facts.channel,
        "at": write_instant(at),
        "subject": facts.subject,
        "suppressed": facts.suppressed,
        "consents": [
            {
                "kind": c.kind,
                "purpose": c.purpose,
                "channel": c.channel,
                "given_at": _write_instant(c.given_at),
                "withdrawn_at": _write_instant(c.withdrawn_at),
                "outside_hours": c.outside_hours,
            }
            for c in facts.consents
        ],
        "relationship": {"kind": relationship.kind, "since": _write_date(relationship.since)},
        "scrubs": {
            name: {"version_on": _write_date(scrub.version_on), "listed": scrub.listed}
            for name, scrub in facts.scrubs.items()
        },
        "attempts": [
            {
                "at": write_instant(a.at),
                "number": a.number,
                "subject": a.subject,
                "campaign": a.campaign,
                "channel": a.channel,
                "mode": a.mode,
                "outcome": a.outcome,
            }
            for a in facts.attempts
        ],
        "refused_at": _write_instant(facts.refused_at),
        "campaign": {
            "started_at": _write_instant(campaign.started_at),
            **_write_counts(campaign.total),
            "windows": {name: _write_counts(counts) for name, counts in campaign.windows.items()},
            "hours": hours,
        },
        "holidays_proclaimed": [
            {"jurisdiction": p.jurisdiction, "on": p.on.isoformat()} for p in facts.holidays_proclaimed
        ],
        "organisation_packs": list(facts.organisation_packs),
    }


def _write_instant(instant: datetime | None) -> str | None:
    return None if instant is None else write_instant(instant)


def _write_date(day: date | None) -> str | None:
    return None if day is None else day.isoformat()


def _write_counts(counts: Counts) -> dict[str, int | None]:
    return {"answered": counts.answered, "abandoned": counts.abandoned}


def _write_spans(spans: tuple[Span, ...]) -> list[list[str]]:
    return [[f"{minutes // 60:02}:{minutes % 60:02}" for minutes in span] for span in spans]
