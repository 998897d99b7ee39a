"""What must hold for any facts: the oracle agrees, nothing loosens, a replay repeats itself."""

import random
from copy import deepcopy
from datetime import datetime, timedelta
from typing import Any

import orjson
import pytest
from hypothesis import settings

from services.cli.facts import answer_line
from services.dialer import packloader
from services.dialer.domain.gate import Decision, Packs, candidate_zones, decide, parse_facts, write_facts
from services.dialer.domain.gate.replay import MissingVersionError, replay
from services.dialer.domain.gate.zones import DAY, EPOCH_DAY, from_us, to_us, zone
from tests.oracle.cases import random_facts
from tests.oracle.compare import compare
from tests.oracle.oracle import Oracle, instant, load

PACKS = packloader.load_packs()
OWN = """\
schema: rulepack/1
id: own
version: "1"
title: Our own
status: approved
jurisdictions: ["*"]
rules:
  - {id: lunch, text: No lunch, cite: House, verified_on: 2026-11-23, confidence: policy, hours: {daily: [["09:00", "12:00"], ["13:00", "19:00"]]}}
  - {id: ring, text: Patience, cite: House, verified_on: 2026-11-23, confidence: policy, min_ring_s: 90}
  - {id: cap, text: Twice, cite: House, verified_on: 2026-11-23, confidence: policy, cap: {maximum: 2, within: P3D, per: person}}
"""  # noqa: E501 - rows read best as rows
TIGHTER = Packs(PACKS.places, (*PACKS.in_force, packloader.parse_text(OWN, "own.yaml")))


def ask(facts: dict[str, Any], packs: Packs = PACKS) -> Decision:
    parsed, at = parse_facts(facts, packs.places)
    return decide(parsed, packs, at)


def is_no_looser(one: Decision, other: Decision) -> bool:
    """Whether *other* allows nothing that *one* did not, and nothing earlier."""
    if one.decision == "allow" or other.decision == "deny":
        return set(other.allowed_modes) <= set(one.allowed_modes)
    if other.decision == "allow" or one.until is None or other.until is None:
        return False
    return other.until >= one.until and set(other.allowed_modes) <= set(one.allowed_modes)


def cases(seed: int, count: int) -> list[dict[str, Any]]:
    rng = random.Random(seed)
    return [random_facts(rng) for _ in range(count)]


@pytest.mark.timeout(240)
def test_the_oracle_agrees_on_random_cases() -> None:
    count = 40 * settings().max_examples
    tally = compare(seed=20261123, cases=count)
    assert tally.differences == []
    assert min(tally.answers.values()) > 0.15 * count, "each answer must come up often, or the comparison means little"


def test_the_oracle_sees_a_rule_that_the_gate_forgot() -> None:
    texts = load()
    for pack in texts:
        pack["rules"] = [rule for rule in pack["rules"] if rule["id"] != "hours"]
    differing = sum(
        (ask(facts).decision == "allow") != Oracle(texts, facts).allows(facts["mode"], instant(facts["at"]))
        for facts in cases(5, 300)
        if "mode" in facts
    )
    assert differing > 20


def test_a_further_pack_never_loosens() -> None:
    for facts in cases(1, 400):
        assert is_no_looser(ask(facts), ask(facts, TIGHTER)), facts


def test_a_further_attempt_never_loosens() -> None:
    rng = random.Random(2)
    for facts in cases(2, 400):
        more = deepcopy(facts)
        at = instant(facts["at"]) - timedelta(minutes=rng.randint(0, 10_000))
        outcome = rng.choice(("no_answer", "abandoned", "machine", "conversation"))
        more.setdefault("attempts", []).append({"at": at.isoformat(), "outcome": outcome})
        assert is_no_looser(ask(facts), ask(more)), facts


def test_suppression_allows_nothing_ever() -> None:
    for facts in cases(3, 200):
        answer = ask({**facts, "suppressed": True})
        assert (answer.decision, answer.allowed_modes) == ("deny", ())


def test_a_withdrawal_moved_earlier_never_loosens() -> None:
    for facts in cases(4, 800):
        consents = facts.get("consents", [])
        grants = sorted(instant(c["given_at"]) for c in consents)
        for index, consent in enumerate(consents):
            if consent["withdrawn_at"] is None:
                continue
            withdrawn = instant(consent["withdrawn_at"])
            # Not past a grant: whatever was granted before the withdrawal stays granted before it.
            earliest = max([g for g in grants if g <= withdrawn], default=withdrawn)
            more = deepcopy(facts)
            more["consents"][index]["withdrawn_at"] = (earliest + (withdrawn - earliest) / 2).isoformat()
            assert is_no_looser(ask(facts), ask(more)), facts


@pytest.mark.parametrize("name", ["suppressed", "consents", "scrubs", "line_type", "relationship", "campaign"])
def test_a_fact_left_out_never_loosens(name: str) -> None:
    for facts in cases(6, 300):
        if is_telling(name, facts):
            fewer = {key: value for key, value in facts.items() if key != name}
            assert is_no_looser(ask(facts), ask(fewer)), facts


def is_telling(name: str, facts: dict[str, Any]) -> bool:
    """Whether the fact, where it is given, can only ease: no objection would be lost with it."""
    scrubs = facts.get("scrubs", {})
    objects = {
        "consents": any(consent["withdrawn_at"] for consent in facts.get("consents", ())),
        "scrubs": any(scrubs.get(kind, {}).get("listed") for kind in ("internal", "rnd", "es_robinson")),
        "campaign": "hours" in facts.get("campaign", {}),
    }
    return not objects.get(name, False)


def test_facts_written_and_read_again_are_the_same() -> None:
    for facts in cases(7, 300):
        parsed, at = parse_facts(facts, PACKS.places)
        assert parse_facts(orjson.loads(orjson.dumps(write_facts(parsed, at))), PACKS.places) == (parsed, at)


def test_a_replay_decides_as_it_was_decided_whatever_is_in_force_now() -> None:
    library = [*PACKS.in_force, packloader.parse_text(OWN, "own.yaml")]
    for facts in cases(8, 200):
        parsed, at = parse_facts(facts, PACKS.places)
        decision = decide(parsed, PACKS, at)
        assert replay(write_facts(parsed, at), decision.packs, library, [PACKS.places]) == decision


def test_a_replay_without_the_version_says_which_is_missing() -> None:
    facts = cases(9, 1)[0]
    with pytest.raises(MissingVersionError, match="us 1999 is needed"):
        replay(facts, {"us": "1999", "numbers": PACKS.places.version}, PACKS.in_force, [PACKS.places])


WRONG: tuple[tuple[dict[str, Any], str], ...] = (
    ({"supressed": False}, "supressed"),
    ({"number": "305 555 0123"}, "number"),
    ({"at": "2026-11-23T20:30:00"}, "at"),
    ({"at": "yesterday"}, "at"),
    ({"at": None}, "at"),
    ({"mode": "Predictive"}, "mode"),
    ({"suppressed": "no"}, "suppressed"),
    ({"suppressed": 0}, "suppressed"),
    ({"consents": [{"kind": "optin", "given": "2026-01-01T00:00:00Z"}]}, "consents[0].given"),
    ({"consents": {}}, "consents"),
    ({"attempts": [{"outcome": "busy"}]}, "attempts[0].at"),
    ({"attempts": [{"at": "2026-11-23T20:30:00Z"}, {"at": "2026-11-23T20:30:00"}]}, "attempts[1].at"),
    ({"scrubs": {"us_dnc": {"listed": False}}}, "scrubs.us_dnc"),
    ({"scrubs": {"tps": {"version_on": "2026-13-01"}}}, "scrubs.tps.version_on"),
    ({"address": {"country": "XX"}}, "address.country"),
    ({"address": {"country": "US", "region": "ZZ"}}, "address.region"),
    ({"campaign": {"answered": -1}}, "campaign.answered"),
    ({"campaign": {"answered": True}}, "campaign.answered"),
    ({"campaign": {"windows": {"week": {}}}}, "campaign.windows.week"),
    ({"campaign": {"hours": {"mon": [["20:00", "09:00"]]}}}, "campaign.hours.mon[0]"),
    ({"organisation_packs": ["nothing"]}, "organisation_packs[0]"),
    ({"organisation_packs": [{"id": "own"}]}, "organisation_packs[0]"),
    ({"refused_at": "2026-11-23"}, "refused_at"),
)


@pytest.mark.parametrize(("more", "field"), WRONG, ids=[w[1] for w in WRONG])
def test_a_wrong_fact_is_named_and_the_stream_goes_on(more: dict[str, Any], field: str) -> None:
    line = orjson.dumps({"number": "+12125550123", "at": "2026-11-23T20:30:00-05:00", **more})
    answer = answer_line(line, PACKS)
    assert isinstance(answer, dict)
    assert answer["error"]["field"] == field
    assert answer["error"]["expected"]


@pytest.mark.parametrize("line", [b"", b"{", b"[]", b"null", b"1", b"\xff", b'"x"'])
def test_a_line_that_is_no_object_is_answered(line: bytes) -> None:
    answer = answer_line(line, PACKS)
    assert isinstance(answer, dict)
    assert answer["error"]["field"] == "facts"


def test_only_number_and_instant_are_required() -> None:
    answer = answer_line(b'{"number": "+12125550123", "at": "2026-11-23T12:30:00-05:00"}', PACKS)
    assert isinstance(answer, Decision)
    assert answer.decision == "deny"


def test_a_pack_given_with_the_facts_applies_to_them_alone() -> None:
    facts: dict[str, Any] = {
        "number": "+12125550123",
        "at": "2026-11-24T12:30:00-05:00",
        "purpose": "informational",
        "mode": "manual",
        "suppressed": False,
    }
    rule = {"id": "lunch", "text": "No lunch", "cite": "House", "verified_on": "2026-11-23", "confidence": "policy"}
    rule |= {"hours": {"daily": [["09:00", "12:00"], ["13:00", "19:00"]]}}
    pack = {"schema": "rulepack/1", "id": "own", "version": "1", "title": "Own", "status": "approved"}
    pack |= {"jurisdictions": ["*"], "rules": [rule]}
    answer = answer_line(orjson.dumps({**facts, "organisation_packs": [pack]}), PACKS)
    assert isinstance(answer, Decision)
    assert answer.until == datetime.fromisoformat("2026-11-24T13:00:00-05:00")
    alone = answer_line(orjson.dumps(facts), PACKS)
    assert isinstance(alone, Decision)
    assert alone.decision == "allow"


@pytest.mark.parametrize(
    "name",
    ["Europe/Paris", "America/New_York", "Australia/Lord_Howe", "Africa/Casablanca", "Asia/Kathmandu", "Pacific/Apia"],
)
def test_a_zone_agrees_with_the_standard_library_on_every_hour_of_years(name: str) -> None:
    from zoneinfo import ZoneInfo

    info, place = ZoneInfo(name), zone(name)
    at = datetime.fromisoformat("2026-01-01T00:30:00+00:00")
    for _ in range(0, 2 * 365 * 24, 5):
        at += timedelta(hours=5)
        assert place.day_at(to_us(at)) == at.astimezone(info).toordinal()
    day = EPOCH_DAY + 20_500
    midnight = from_us(place.midnight(day))
    assert midnight.astimezone(info).toordinal() == day
    assert (midnight - timedelta(microseconds=1)).astimezone(info).toordinal() == day - 1


def test_a_missing_hour_shortens_a_span_and_a_repeated_one_splits_it() -> None:
    paris = zone("Europe/Paris")
    spring, autumn = datetime(2026, 3, 29).toordinal(), datetime(2026, 10, 25).toordinal()
    assert sum(end - start for start, end in paris.spans(spring, 0, 1440)) == 23 * DAY // 24
    assert sum(end - start for start, end in paris.spans(autumn, 0, 1440)) == 25 * DAY // 24
    assert list(paris.spans(spring, 130, 170)) == []
    assert len(list(paris.spans(autumn, 130, 170))) == 2


def test_candidate_zones_are_those_of_number_and_address() -> None:
    assert candidate_zones("+13055550123", None, PACKS) == ("America/New_York",)
    assert candidate_zones("+14485550123", None, PACKS) == ("America/Chicago", "America/New_York")
    assert candidate_zones("+18005550123", None, PACKS) == ()
