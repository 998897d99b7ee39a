"""The conformance cases of the compliance facts, as a table: what is asked, and what the gate must answer."""

from datetime import datetime
from typing import Any

import pytest

from services.dialer import packloader
from services.dialer.domain.gate import Decision, Packs, check, decide, parse_facts

CLEAN = {
    name: {"version_on": "2026-11-20", "listed": False} for name in ("us_national_dnc", "us_state_dnc", "internal")
}
NEW_YORK = {"number": "+12125550123", "scrubs": CLEAN}
FLORIDA = {"number": "+13055550123", "scrubs": CLEAN}
OPTED_IN = [{"kind": "optin", "purpose": "marketing", "channel": "voice", "given_at": "2026-01-01T00:00:00Z"}]
FRANCE = {"number": "+33123456789", "consents": OPTED_IN}
UNITED_KINGDOM = {
    "number": "+442071230123",
    "campaign": {"answered": 100, "abandoned": 0},
    "scrubs": {name: {"version_on": "2026-11-20", "listed": False} for name in ("tps", "ctps")},
}
DEBT = {"number": "+12125550123", "purpose": "debt_collection", "subject": "loan-1"}


def dialed(*instants: str, **more: str) -> list[dict[str, str]]:
    return [{"at": at, "subject": "boilers", **more} for at in instants]


FOUR_A_DAY = dialed("2026-11-23T17:00:00Z", "2026-11-23T18:00:00Z", "2026-11-23T19:00:00Z")
ON_SEVEN_DAYS = [f"2026-11-{day}T15:00:00Z" for day in (18, 19, 20, 21, 22, 23, 24)]

RANG = dialed(*ON_SEVEN_DAYS, subject="loan-1", outcome="no_answer")

CASES: tuple[tuple[str, dict[str, Any], str, str, str | None], ...] = (
    # What, facts besides, at, decision, until
    ("US: the first instant of the day", NEW_YORK, "2026-11-24T08:00:00-05:00", "allow", None),
    ("US: one second before", NEW_YORK, "2026-11-24T07:59:59-05:00", "defer", "2026-11-24T13:00:00Z"),
    ("US: nine in the evening", NEW_YORK, "2026-11-24T21:00:00-05:00", "defer", "2026-11-25T13:00:00Z"),
    ("US: the last minute is closed", NEW_YORK, "2026-11-24T20:59:00-05:00", "defer", "2026-11-25T13:00:00Z"),
    ("US: the minute before it is open", NEW_YORK, "2026-11-24T20:58:59-05:00", "allow", None),
    (
        "Florida number, New York address: the stricter",
        {**FLORIDA, "address": {"country": "US", "region": "NY", "postal_code": "10001"}},
        "2026-11-24T20:30:00-05:00",
        "defer",
        "2026-11-25T13:00:00Z",
    ),
    (
        "+1 850 lies in two zones",
        {**FLORIDA, "number": "+18505550123"},
        "2026-11-24T08:15:00-05:00",
        "defer",
        "2026-11-24T14:00:00Z",
    ),
    (
        "+1 448 is laid over 850",
        {**FLORIDA, "number": "+14485550123"},
        "2026-11-24T08:15:00-05:00",
        "defer",
        "2026-11-24T14:00:00Z",
    ),
    ("France: lunch", FRANCE, "2026-11-24T13:30:00+01:00", "defer", "2026-11-24T13:00:00Z"),
    ("France: before lunch", FRANCE, "2026-11-24T12:30:00+01:00", "allow", None),
    (
        "Réunion in winter: eight in the evening there",
        {**FRANCE, "number": "+262262123456"},
        "2026-11-24T17:00:00+01:00",
        "defer",
        "2026-11-25T07:00:00Z",
    ),
    # Mayotte shares the code and is an hour behind Réunion; a landline of Réunion is told from it by its area.
    (
        "Réunion in summer: seven in the evening there",
        {**FRANCE, "number": "+262262123456", "line_type": "landline"},
        "2026-07-07T17:00:00+02:00",
        "allow",
        None,
    ),
    (
        "Guam: Saturday there while it is Friday in New York",
        {"number": "+16715550123", "scrubs": CLEAN},
        "2026-11-27T18:00:00-05:00",
        "allow",
        None,
    ),
    (
        "the day an hour is missing",
        {**NEW_YORK, "scrubs": {n: {"version_on": "2026-03-01", "listed": False} for n in CLEAN}},
        "2026-03-08T07:59:59-04:00",
        "defer",
        "2026-03-08T12:00:00Z",
    ),
    (
        "Florida: the fourth call in 24 hours",
        {**FLORIDA, "subject": "boilers", "attempts": FOUR_A_DAY},
        "2026-11-24T11:59:59-05:00",
        "defer",
        "2026-11-24T17:00:00Z",
    ),
    (
        "Florida: 24 hours after the first it no longer counts",
        {**FLORIDA, "subject": "boilers", "attempts": FOUR_A_DAY},
        "2026-11-24T12:00:00-05:00",
        "allow",
        None,
    ),
    (
        "Florida: two numbers of one person share the count",
        {**FLORIDA, "subject": "boilers", "attempts": [{**a, "number": "+13055550199"} for a in FOUR_A_DAY]},
        "2026-11-24T11:00:00-05:00",
        "defer",
        "2026-11-24T17:00:00Z",
    ),
    (
        "Florida: another subject does not count",
        {**FLORIDA, "subject": "windows", "attempts": FOUR_A_DAY},
        "2026-11-24T11:00:00-05:00",
        "allow",
        None,
    ),
    (
        "debt: seven calls, one busy, the eighth goes",
        {**DEBT, "attempts": [*RANG[1:], {**RANG[0], "outcome": "busy"}]},
        "2026-11-24T12:00:00-05:00",
        "allow",
        None,
    ),
    (
        "debt: seven that rang, the eighth waits",
        {**DEBT, "attempts": RANG},
        "2026-11-24T12:00:00-05:00",
        "defer",
        "2026-11-25T15:00:00Z",
    ),
    (
        "3.0 % exactly passes",
        {**NEW_YORK, "mode": "predictive", "campaign": {"answered": 100, "abandoned": 3}},
        "2026-11-24T12:00:00-05:00",
        "allow",
        None,
    ),
    (
        "the next one leaves one line per operator",
        {**NEW_YORK, "mode": "predictive", "campaign": {"answered": 101, "abandoned": 4}},
        "2026-11-24T12:00:00-05:00",
        "deny",
        None,
    ),
    (
        "which is still allowed",
        {**NEW_YORK, "mode": "progressive", "campaign": {"answered": 101, "abandoned": 4}},
        "2026-11-24T12:00:00-05:00",
        "allow",
        None,
    ),
    (
        "UK: predictive 71 hours after an abandoned call",
        {**UNITED_KINGDOM, "mode": "predictive", "attempts": dialed("2026-11-21T13:00:00Z", outcome="abandoned")},
        "2026-11-24T12:00:00+00:00",
        "defer",
        "2026-11-24T13:00:00Z",
    ),
    (
        "UK: preview then",
        {**UNITED_KINGDOM, "mode": "preview", "attempts": dialed("2026-11-21T13:00:00Z", outcome="abandoned")},
        "2026-11-24T12:00:00+00:00",
        "allow",
        None,
    ),
    (
        "a list 31 days old is good",
        {**NEW_YORK, "scrubs": {**CLEAN, "us_national_dnc": {"version_on": "2026-10-24", "listed": False}}},
        "2026-11-24T12:00:00-05:00",
        "allow",
        None,
    ),
    (
        "a list 32 days old is not",
        {**NEW_YORK, "scrubs": {**CLEAN, "us_national_dnc": {"version_on": "2026-10-23", "listed": False}}},
        "2026-11-24T12:00:00-05:00",
        "deny",
        None,
    ),
    (
        "consent withdrawn",
        {**FRANCE, "consents": [{**OPTED_IN[0], "withdrawn_at": "2026-03-01T00:00:00Z"}]},
        "2026-11-24T12:00:00+01:00",
        "deny",
        None,
    ),
    (
        "consent withdrawn, then granted again",
        {
            **FRANCE,
            "consents": [
                {**OPTED_IN[0], "withdrawn_at": "2026-03-01T00:00:00Z"},
                {**OPTED_IN[0], "given_at": "2026-04-01T00:00:00Z"},
            ],
        },
        "2026-11-24T12:00:00+01:00",
        "allow",
        None,
    ),
    (
        "Louisiana: a holiday proclaimed the same day closes at once",
        {
            "number": "+15045550123",
            "line_type": "landline",
            "scrubs": CLEAN,
            "holidays_proclaimed": [{"jurisdiction": "US-LA", "on": "2026-12-02"}],
        },
        "2026-12-02T12:00:00-06:00",
        "defer",
        "2026-12-03T14:00:00Z",
    ),
    ("toll-free without an address", {"number": "+18005550123"}, "2026-11-24T12:00:00-05:00", "deny", None),
    (
        "toll-free with an address",
        {**NEW_YORK, "number": "+18005550123", "address": {"country": "US", "postal_code": "10001"}},
        "2026-11-24T12:00:00-05:00",
        "allow",
        None,
    ),
    ("suppressed", {**NEW_YORK, "suppressed": True}, "2026-11-24T12:00:00-05:00", "deny", None),
    ("Texas before its hours began", {"number": "+12145550123", "line_type": "landline", "scrubs": {
        n: {"version_on": "2025-08-20", "listed": False} for n in CLEAN}}, "2025-08-31T11:30:00-05:00", "allow", None),
    ("Texas on the day they did", {"number": "+12145550123", "line_type": "landline", "scrubs": {
        n: {"version_on": "2025-08-20", "listed": False} for n in CLEAN}}, "2025-09-01T08:30:00-05:00", "defer",
        "2025-09-01T14:00:00Z"),
    ("France the day before consent is needed", {"number": "+33123456789"},
        "2026-08-10T15:00:00+02:00", "allow", None),
    ("France on the day it is", {"number": "+33123456789"}, "2026-08-11T15:00:00+02:00", "deny", None),
)  # fmt: skip


@pytest.fixture(scope="module")
def packs() -> Packs:
    return packloader.load_packs()


def answer(facts: dict[str, Any], at: str, packs: Packs) -> Decision:
    known = {"purpose": "marketing", "mode": "manual", "suppressed": False, **facts, "at": at}
    parsed, instant = parse_facts(known, packs.places)
    decision = decide(parsed, packs, instant)
    short = check(parsed, packs, instant)
    assert (short.decision, short.until) == (decision.decision, decision.until)
    return decision


@pytest.mark.parametrize(("facts", "at", "decision", "until"), [c[1:] for c in CASES], ids=[c[0] for c in CASES])
def test_conformance(facts: dict[str, Any], at: str, decision: str, until: str | None, packs: Packs) -> None:
    answered = answer(facts, at, packs)
    assert answered.decision == decision
    assert answered.until == (None if until is None else datetime.fromisoformat(until))


def test_a_mode_that_is_not_permitted_now_is_not_listed(packs: Packs) -> None:
    facts = {**UNITED_KINGDOM, "attempts": dialed("2026-11-24T11:00:00Z", outcome="abandoned")}
    assert answer(facts, "2026-11-24T12:00:00+00:00", packs).allowed_modes == ("manual", "preview")


def test_a_decision_names_its_rules_citations_and_versions(packs: Packs) -> None:
    decision = answer(FLORIDA, "2026-11-24T20:30:00-05:00", packs)
    says = {rule.id: (rule.says, rule.cite) for rule in decision.rules}
    assert says["us-fl.hours"] == ("defer", "Fla. Stat. 501.616(6)(a)")
    assert says["us.hours"][0] == "allow"
    assert decision.packs["us-fl"] == "2026.2"
    assert decision.jurisdictions == ("US", "US-FL")
    assert decision.zones == ("America/New_York",)
    assert decision.min_ring_s == 15
    assert "us-fl" in decision.drafts


def test_a_stored_decision_reads_back_as_itself(packs: Packs) -> None:
    decision = answer(FLORIDA, "2026-11-24T20:30:00-05:00", packs)
    assert Decision.from_json(decision.to_json()) == decision
