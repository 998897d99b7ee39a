"""The gatekeeper on rule packs: states a lead's facts and lets the packs in force decide."""

from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any, get_args
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import phonenumbers

from services.dialer.domain import gate
from services.dialer.domain.campaigns import WEEKDAYS, Campaign, Hours, Plan
from services.dialer.domain.caps import AbandonmentLimit
from services.dialer.domain.gate import facts as gate_facts
from services.dialer.domain.gate.packs import LimitAbandonment, NeedScrub
from services.dialer.domain.leads import Lead, Person
from services.dialer.domain.pacing import Mode
from services.dialer.ports import CapNow, GateHistory
from services.dialer.usecases.gatekeeper import Verdict

_MODES: Mapping[Mode, gate_facts.Mode] = {
    Mode.PREVIEW: "preview",
    Mode.PROGRESSIVE: "progressive",
    Mode.RATIO: "predictive",
    Mode.PREDICTIVE: "predictive",
    Mode.AGENTLESS: "prerecorded",
}
_OUTCOMES: Mapping[str, gate_facts.Outcome] = {
    "answered": "conversation",
    "abandoned": "abandoned",
    "no_answer": "no_answer",
    "busy": "busy",
    "machine": "machine",
    "invalid": "invalid",
}
"""What the packs know; everything else (rejected, network, unknown, still live) is told as not known, the stricter."""

UNCOMPARED_WAIT = timedelta(hours=1)
"""A lead whose number nobody compared with a list that it needs is asked about again so much later, or once somebody
has: it may be called then, so it is not given up."""

_PURPOSES = frozenset(get_args(gate_facts.Purpose))
_CHANNELS = frozenset(get_args(gate_facts.Channel))


class PackGatekeeper:
    """Fits `Gatekeeper`; *packs* answers with the packs in force at the moment of asking."""

    def __init__(self, packs: Callable[[], gate.Packs]) -> None:
        """Ask *packs* anew for each lead, so that a new version is in force at once."""
        self._packs = packs
        self._limits_of: gate.Packs | None = None
        self._limit_by_rule: dict[str, AbandonmentLimit] = {}

    def judge(
        self, campaign: Campaign, lead: Lead, history: GateHistory, now: datetime, *, channel: str = "voice"
    ) -> Verdict:
        """Return whether the lead may be called, or written to, at *now*."""
        return self._verdict(campaign, lead, facts_of(campaign, lead, history, channel), now)

    def judge_again(self, verdict: Verdict, now: datetime) -> Verdict:
        """Return what the same facts say at *now*, the instant of dialing."""
        if not isinstance(verdict.facts, gate.Facts):
            raise TypeError("this verdict was made by another gatekeeper")
        answer = gate.check(verdict.facts, self._packs(), now)
        return replace(verdict, allowed=answer.decision == "allow", until=answer.until, held_by=answer.held_by)

    def zones(self, lead: Lead) -> tuple[str, ...]:
        """Return where the lead's person may be: the time zone they named, else all that number and address allow."""
        packs, person, phone = self._packs(), lead.person, lead.phone
        named = _zone(person)
        if named is not None:
            return (named,)
        return gate.candidate_zones(phone.e164, _address(person), packs, phone.kind)

    def may_ever_call(self, plan: Plan, countries: Collection[str], now: datetime) -> bool:
        """Return whether *plan* has an hour, some day, that is legal in one of *countries* at least."""
        packs = self._packs()
        facts = gate.Facts(
            number="", purpose=plan.purpose, mode=_MODES[plan.mode], suppressed=False, hours=hours_of(plan.hours)
        )
        # An example of each country's numbers stands for its people: the law of the place, and its time of day.
        examples = [
            replace(facts, number=number, line_type=line_type)
            for country in countries
            for line_type, number in _examples(country)
        ]
        return not examples or any(gate.first_hour(one, packs, now) is not None for one in examples)

    def _verdict(self, campaign: Campaign, lead: Lead, facts: gate.Facts, now: datetime) -> Verdict:
        packs = self._packs()
        short = gate.check(facts, packs, now)
        if short.decision != "allow":
            until = now + UNCOMPARED_WAIT if _waits_for_list(short, facts, packs) else short.until
            return Verdict(allowed=False, until=until, held_by=short.held_by, facts=facts)
        decision = gate.decide(facts, packs, now)
        stored = {"decision": decision.to_json(), "facts": gate.write_facts(facts, now)}
        caps = tuple(_cap(counter, facts, campaign) for counter in gate.counters(facts, packs, now))
        return Verdict(
            True,
            min_ring_s=decision.min_ring_s,
            caps=caps,
            limits=self._limits(decision, packs),
            zone=_zone(lead.person) or next(iter(decision.zones), None),
            stored=stored,
            facts=facts,
        )

    def _limits(self, decision: gate.Decision, packs: gate.Packs) -> tuple[AbandonmentLimit, ...]:
        """Return what the rules that took part say about abandoned calls."""
        if self._limits_of is not packs:
            self._limits_of = packs
            self._limit_by_rule = {
                rule.id: _limit(rule.effect)
                for pack in packs.all_packs()
                for rule in pack.rules
                if isinstance(rule.effect, LimitAbandonment)
            }
        found = self._limit_by_rule
        return tuple(found[rule.id] for rule in decision.rules if rule.id in found)


def _waits_for_list(short: gate.Verdict, facts: gate.Facts, packs: gate.Packs) -> bool:
    """Tell whether the call is denied for want of a list's answer, and not by the answer."""
    if short.decision != "deny":
        return False
    rules = (rule for pack in packs.in_force for rule in pack.rules if rule.id == short.held_by)
    effect = next((rule.effect for rule in rules), None)
    return isinstance(effect, NeedScrub) and not any(
        facts.scrubs[name].listed for name in effect.lists if name in facts.scrubs
    )


def _limit(effect: LimitAbandonment) -> AbandonmentLimit:
    wait_s = 2.0 if effect.connect_within_ms is None else effect.connect_within_ms / 1000.0
    return AbandonmentLimit(effect.cap_ppm / 1_000_000, effect.window, wait_s)


def _cap(counter: gate.Counter, facts: gate.Facts, campaign: Campaign) -> CapNow:
    """Return a rule's cap in the terms of the ledger of calls."""
    return CapNow(
        counter.maximum,
        lasting=counter.lasting,
        begins_at=counter.begins_at,
        ends_at=counter.ends_at,
        number=facts.number if counter.key == "number" else None,
        subject=facts.subject if counter.key in ("subject", "debt") else None,
        campaign_id=campaign.id if counter.key == "campaign" else None,
        but_not=frozenset(name for name, told in _OUTCOMES.items() if told in counter.exclude),
    )


def _examples(country: str) -> Iterator[tuple[gate_facts.LineType, str]]:
    kinds: tuple[tuple[gate_facts.LineType, int], ...] = (
        ("mobile", phonenumbers.PhoneNumberType.MOBILE),
        ("landline", phonenumbers.PhoneNumberType.FIXED_LINE),
    )
    for line_type, kind in kinds:
        example = phonenumbers.example_number_for_type(country, kind)
        if example is not None:
            yield line_type, phonenumbers.format_number(example, phonenumbers.PhoneNumberFormat.E164)


def _zone(person: Person) -> str | None:
    """Return the time zone that the person named, if there is one of that name."""
    try:
        return None if person.time_zone is None else ZoneInfo(person.time_zone).key
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return None


def facts_of(campaign: Campaign, lead: Lead, history: GateHistory, channel: str) -> gate.Facts:
    """Return what the gate is told about one lead."""
    plan, person = campaign.plan, lead.person
    return gate.Facts(
        number=lead.phone.e164,
        line_type=lead.phone.kind,
        address=_address(person),
        purpose=plan.purpose,
        mode=_MODES[plan.mode],
        channel="sms" if channel == "sms" else "email" if channel == "email" else "voice",
        subject=plan.subject or None,
        suppressed=history.suppressed,
        consents=tuple(_consent(row) for row in history.consents),
        relationship=_relationship(person),
        scrubs={**history.scrubs, "internal": gate.Scrub(listed=history.suppressed)},
        attempts=tuple(_attempt(row, campaign) for row in history.attempts),
        refused_at=history.refused_at,
        campaign=history.record,
        hours=hours_of(plan.hours),
    )


def hours_of(hours: tuple[Hours, ...]) -> gate.Hours:
    """Return a campaign's hours as the gate has them: spans of minutes per weekday, Monday first."""
    return tuple(
        tuple(
            sorted(
                (one.start.hour * 60 + one.start.minute, one.end.hour * 60 + one.end.minute)
                for one in hours
                if day in one.days
            )
        )
        for day in WEEKDAYS
    )


def _address(person: Person) -> gate.Address | None:
    if person.country is None:
        return None
    # The CRM writes ISO 3166-2 (US-NY), the gate the part after the country, which it keeps apart.
    region = None if person.region is None else person.region.removeprefix(f"{person.country}-")
    return gate.Address(person.country, region, person.postal_code, person.address_verified_on)


def _relationship(person: Person) -> gate.Relationship:
    match person.relationship:
        case "customer" | "former_customer" | "enquiry":
            return gate.Relationship(person.relationship, person.relationship_since)
        case _:
            return gate.Relationship()


def _consent(row: Mapping[str, Any]) -> gate.Consent:
    return gate.Consent(
        kind=row["kind"],
        purpose=row["purpose"] if row["purpose"] in _PURPOSES else None,
        channel=row["channel"] if row["channel"] in _CHANNELS else None,
        given_at=row["given_at"],
        withdrawn_at=row["withdrawn_at"],
        outside_hours=row["outside_hours"],
    )


def _attempt(row: Mapping[str, Any], campaign: Campaign) -> gate.PastAttempt:
    outcome = row["outcome"]
    if outcome == "unknown" and row["connected_at"] is not None:
        outcome = "answered"
    return gate.PastAttempt(
        at=row["at"],
        number=row["phone"] or None,
        subject=row["subject"] or None,
        campaign="this" if row["campaign_id"] == campaign.id else str(row["campaign_id"]),
        channel="voice",
        mode=_MODES.get(row["mode"]),
        outcome=_OUTCOMES.get(outcome),
    )
