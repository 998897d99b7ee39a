"""Random facts: all packs, zones, changes of the clock, histories, and facts left out."""

import random
from datetime import UTC, date, datetime, timedelta
from typing import Any

# Every state with a pack of its own, area codes in several zones, overlays, territories; landlines and mobiles
# elsewhere, islands in other zones, freephone, numbers of no country at all.
NUMBERS = (
    "+13055550123",
    "+18505550123",
    "+14485550123",
    "+14055550123",
    "+12065550123",
    "+14105550123",
    "+12145550123",
    "+19155550123",
    "+12035550123",
    "+15025550123",
    "+12705550123",
    "+13645550123",
    "+12055550123",
    "+15045550123",
    "+16015550123",
    "+14015550123",
    "+18015550123",
    "+17035550123",
    "+12075550123",
    "+12125550123",
    "+12195550123",
    "+14585550123",
    "+19075550123",
    "+17875550123",
    "+16715550123",
    "+14165550123",
    "+12505550123",
    "+17785550123",
    "+16045550123",
    "+18675550123",
    "+17095550123",
    "+13065550123",
    "+18005550123",
    "+15005550123",
    "+19995550123",
    "+18765550123",
    "+442071230123",
    "+447700900123",
    "+448001234567",
    "+441481234567",
    "+493012345678",
    "+4915112345678",
    "+33123456789",
    "+33639981234",
    "+262262123456",
    "+262692123456",
    "+590590123456",
    "+596596123456",
    "+34912345678",
    "+34928123456",
    "+34612345678",
    "+390612345678",
    "+393331234567",
    "+61291234567",
    "+61891234567",
    "+61412345678",
    "+911123456789",
    "+919812345678",
    "+551123456789",
    "+559212345678",
    "+5511987654321",
    "+35315550123",
    "+353871234567",
    "+81312345678",
    "+80012345678",
    "+79261234567",
    "+35799123456",
)
ADDRESSES: tuple[dict[str, Any], ...] = (
    {"country": "US", "region": "FL", "postal_code": "33101", "verified_on": "2026-10-01"},
    {"country": "US", "region": "FL"},
    {"country": "US", "region": "US-NY", "postal_code": "10001"},
    {"country": "US", "region": "LA"},
    {"country": "US", "region": "TX", "postal_code": "79901"},
    {"country": "US", "region": "IN"},
    {"country": "US", "region": "AK"},
    {"country": "US", "region": "HI"},
    {"country": "US", "postal_code": "84101"},
    {"country": "US"},
    {"country": "CA", "region": "ON", "postal_code": "M5V 2T6"},
    {"country": "CA", "region": "BC"},
    {"country": "GB"},
    {"country": "DE", "region": "BE"},
    {"country": "FR"},
    {"country": "RE"},
    {"country": "ES", "region": "CN"},
    {"country": "IT"},
    {"country": "AU", "region": "NSW"},
    {"country": "AU"},
    {"country": "BR", "region": "AM"},
    {"country": "IN"},
    {"country": "IE"},
)
LISTS = (
    "us_national_dnc",
    "us_state_dnc",
    "internal",
    "rnd",
    "tps",
    "ctps",
    "bloctel",
    "rpo",
    "es_robinson",
    "ca_dncl",
    "au_dncr",
    "in_ndnc",
    "br_nao_me_perturbe",
)
# Around changes of the clock, of the law, of the year, and holidays.
ANCHORS = (
    datetime(2026, 3, 8, 8, tzinfo=UTC),
    datetime(2026, 11, 1, 7, tzinfo=UTC),
    datetime(2026, 3, 29, 1, tzinfo=UTC),
    datetime(2026, 10, 25, 1, tzinfo=UTC),
    datetime(2026, 4, 4, 16, tzinfo=UTC),
    datetime(2026, 8, 11, 0, tzinfo=UTC),
    datetime(2027, 1, 31, 6, tzinfo=UTC),
    datetime(2025, 9, 1, 5, tzinfo=UTC),
    datetime(2026, 11, 26, 15, tzinfo=UTC),
    datetime(2026, 12, 24, 15, tzinfo=UTC),
    datetime(2026, 12, 31, 22, tzinfo=UTC),
    datetime(2026, 7, 14, 10, tzinfo=UTC),
)
START = datetime(2025, 1, 1, tzinfo=UTC)


def random_facts(rng: random.Random) -> dict[str, Any]:
    """Return facts of one call. Most are such that little stands against them, so that each rule gets its turn."""
    at = rng.choice(ANCHORS) + timedelta(minutes=rng.randint(-3000, 3000)) if rng.random() < 0.5 else None
    at = at or START + timedelta(seconds=rng.randint(0, 3 * 365 * 86_400))
    if rng.random() < 0.4:
        at = at.replace(minute=rng.choice((0, 30, 59)), second=rng.choice((0, 0, 59)))
    facts: dict[str, Any] = {
        "number": rng.choice(NUMBERS),
        "at": (at.astimezone(UTC) + timedelta(0)).isoformat(),
        "line_type": rng.choice(("mobile", "landline", "landline", "unknown")),
        "purpose": rng.choice(("marketing",) * 6 + ("informational", "debt_collection", "emergency", "survey")),
        "mode": rng.choice(("manual", "preview", "progressive", "predictive", "prerecorded")),
        "channel": rng.choice(("voice",) * 6 + ("sms", "email")),
        "suppressed": rng.random() < 0.03,
        "subject": rng.choice(("boilers", "windows", None)),
        "campaign": _campaign(rng),
        "scrubs": {name: _scrub(rng, at) for name in LISTS if rng.random() < 0.93},
        "consents": [_consent(rng, at) for _ in range(rng.choice((0, 1, 1, 2, 3)))],
        "attempts": [_attempt(rng, at) for _ in range(rng.choice((0, 0, 1, 3, 4, 5, 8)))],
    }
    if rng.random() < 0.4:
        facts["address"] = rng.choice(ADDRESSES)
    if rng.random() < 0.4:
        since = (at - timedelta(days=rng.randint(0, 700))).date()
        kind = rng.choice(("none", "customer", "former_customer", "enquiry"))
        facts["relationship"] = {"kind": kind, "since": since.isoformat() if rng.random() < 0.95 else None}
    if rng.random() < 0.12:
        facts["refused_at"] = (at - timedelta(hours=rng.randint(0, 24 * 400))).isoformat()
    if rng.random() < 0.15:
        facts["holidays_proclaimed"] = [_proclaimed(rng, at) for _ in range(rng.randint(1, 3))]
    for name in ("line_type", "consents", "subject", "attempts", "scrubs", "campaign", "mode", "purpose", "channel"):
        if rng.random() < 0.02:
            del facts[name]
    return facts


def _campaign(rng: random.Random) -> dict[str, Any]:
    answered = rng.choice((0, 49, 50, 100, 100, 200, 1000))
    campaign: dict[str, Any] = {
        "started_at": "2025-01-01T00:00:00+00:00",
        "answered": answered,
        "abandoned": min(answered, rng.choice((0, 0, 1, 3, 4, 6, 30, 31))),
    }
    if rng.random() < 0.2:
        campaign["windows"] = {rng.choice(("day", "month", "block")): {"answered": 100, "abandoned": rng.randint(0, 8)}}
    if rng.random() < 0.2:
        week = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
        campaign["hours"] = {day: [["09:30", "12:00"], ["13:00", "19:00"]] for day in week if rng.random() < 0.8}
    return campaign


def _scrub(rng: random.Random, at: datetime) -> dict[str, Any]:
    age = rng.choice((0, 1, 3, 10, 14, 15, 16, 27, 28, 29, 30, 31, 32)) if rng.random() < 0.5 else rng.randint(0, 12)
    version = None if rng.random() < 0.01 else (at.date() - timedelta(days=age)).isoformat()
    return {"version_on": version, "listed": rng.random() < 0.04}


def _consent(rng: random.Random, at: datetime) -> dict[str, Any]:
    given = at - timedelta(minutes=rng.randint(-3 * 1440, 400 * 1440))
    withdrawn = None
    if rng.random() < 0.25:
        withdrawn = (given + timedelta(minutes=rng.randint(0, 400 * 1440))).isoformat()
    return {
        "kind": rng.choice(("express", "written", "optin", "optin")),
        "purpose": rng.choice((*("marketing",) * 12, *("informational", "survey", "debt_collection") * 4, None)),
        "channel": rng.choice((*("voice",) * 12, *("sms", "email") * 4, None)),
        "given_at": given.isoformat(),
        "withdrawn_at": withdrawn,
        "outside_hours": rng.random() < 0.2,
    }


def _attempt(rng: random.Random, at: datetime) -> dict[str, Any]:
    age = rng.choice((timedelta(hours=24), timedelta(days=7), timedelta(hours=72), timedelta(days=30)))
    if rng.random() < 0.85:
        age = timedelta(minutes=rng.randint(0, rng.choice((1440, 4 * 1440, 8 * 1440, 32 * 1440))))
    attempt: dict[str, Any] = {
        "at": (at - age).isoformat(),
        "number": rng.choice(NUMBERS),
        "subject": rng.choice(("boilers", "boilers", "windows", None)),
        "campaign": rng.choice(("this", "this", "another")),
        "channel": rng.choice(("voice", "voice", "voice", "sms", None)),
        "mode": rng.choice(("manual", "predictive", None)),
        "outcome": rng.choice(
            ("no_answer", "no_answer", "busy", "answered", "conversation", "abandoned", "machine", "invalid", None)
        ),
    }
    return {key: value for key, value in attempt.items() if value is not None}


def _proclaimed(rng: random.Random, at: datetime) -> dict[str, Any]:
    day: date = (at + timedelta(days=rng.randint(-1, 3))).date()
    return {"jurisdiction": rng.choice(("US-LA", "US", "US-AL", "FR", "DE", "AU", "IT")), "on": day.isoformat()}
