"""Why is nobody being called? What stands between a campaign's leads and a ringing phone, counted per filter.

Three kinds of figures meet here. A lead that was put off waits until an instant that is stored with it: those are
counted exactly, by what holds them. Leads whose time has come may still be held back by the hour of the day or a rule
that nobody has asked yet: a sample of them is judged. And something may hold back all of them at once, such as a pool
without operators.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum

from services.dialer.domain.campaigns import SEVERAL_LINES, Campaign, CampaignState
from services.dialer.domain.pacing import Mode

STEP = timedelta(minutes=30)
STEPS = 48
"""The chart looks a day ahead."""

CONSENT_VIEW_LIMIT = timedelta(seconds=5)


class Filter(StrEnum):
    """What can stand in the way; the first ones hold back a whole campaign."""

    STATE = "state"
    STOP = "stop"
    OWNER = "owner"
    CONSENT_VIEW = "consent_view"
    CARRIER = "carrier"
    BUDGET = "budget"
    TRUNK = "trunk"
    LINES = "lines"
    OPERATORS = "operators"
    WINDOW = "window"
    CAP = "cap"
    CONSENT = "consent"
    SUPPRESSION = "suppression"
    LIST = "list"
    COUNTRY = "country"
    RETRY_DELAY = "retry_delay"
    CALLBACK = "callback"
    MESSAGE = "message"
    LIVE_CALL = "live_call"
    SKIPPED = "skipped"
    RESTORED = "restored"
    RULE = "rule"


@dataclass(frozen=True, slots=True)
class Obstacle:
    """One filter and how many leads it holds back now.

    *until* is when the first of them come free, None when nobody can say; *frees* is how many come free in the half
    hour that begins then. *estimated* figures come from a sample.
    """

    filter: Filter
    leads: int
    text: str
    rule: str | None = None
    until: datetime | None = None
    frees: int = 0
    estimated: bool = False


@dataclass(frozen=True, slots=True)
class HeldCount:
    """Waiting leads of one kind: those held by *held_by* whose time comes in one step, 0 being now."""

    held_by: str | None
    step: int
    leads: int
    first_at: datetime
    message: bool = False


@dataclass(frozen=True, slots=True)
class DoneCount:
    """Leads that are busy or finished; *ruled_out_by* says which rule ended them without a call."""

    state: str
    result: str | None
    ruled_out_by: str | None
    leads: int


@dataclass(frozen=True, slots=True)
class TrunkUse:
    """How much of a trunk is used; money in millionths."""

    channels_used: int
    channels: int
    spent_micros: int
    cost_micros: int
    spend_cap_micros: int | None


@dataclass(frozen=True, slots=True)
class Standing:
    """What a campaign's calls depend on besides its leads."""

    owned: bool
    stopped: str | None
    consents_at: datetime | None
    trunk: TrunkUse | None
    lines: int
    operators: Mapping[str, int] = field(default_factory=dict[str, int])
    ready: int = 0
    """Operators who can take a call of this campaign now."""
    soon: int = 0
    """Operators who are in a call or wrapping one up."""
    pacing: str | None = None
    held_back_by: str | None = None
    """What the owner of the pool says, where it could be asked."""


@dataclass(frozen=True, slots=True)
class Sampled:
    """One lead of the sample: from which step on its time has come, what holds it now, and when it may be called."""

    step: int
    held_by: str | None
    until: datetime | None
    allowed: tuple[bool, ...]


@dataclass(frozen=True, slots=True)
class Point:
    """One instant of the chart: leads whose time has come by then, and how many of them may be called at it."""

    at: datetime
    due: int
    callable: int


@dataclass(frozen=True, slots=True)
class Why:
    """The answer for one campaign at one instant; *callable* leads are held back by nothing that is about them."""

    campaign: Campaign
    at: datetime
    answer: str
    waiting: int
    busy: int
    finished: int
    due: int
    callable: int
    estimated: bool
    obstacles: tuple[Obstacle, ...]
    done: tuple[DoneCount, ...]
    chart: tuple[Point, ...]
    pacing: str | None

    @property
    def next_change(self) -> Obstacle | None:
        """The obstacle whose leads come free first."""
        timed = [one for one in self.obstacles if one.until is not None]
        return min(timed, key=lambda one: one.until or self.at, default=None)


NameRule = Mapping[str, tuple[Filter, str]]
"""What each value of a lead's `held_by` is about, with words for people."""

OWN_NAMES: NameRule = {
    "retry_delay": (Filter.RETRY_DELAY, "the time between two attempts is not over"),
    "callback": (Filter.CALLBACK, "a callback was agreed for later"),
    "message": (Filter.MESSAGE, "the next step is a message, not a call"),
    "restored": (Filter.RESTORED, "called after this database was saved: somebody must decide (galw restored)"),
    "skipped": (Filter.SKIPPED, "given back by an operator or before dialing, a moment ago"),
    "cap": (Filter.CAP, "called as often as the campaign's cap allows"),
    "live call": (Filter.LIVE_CALL, "this person or number is in another call right now"),
    "country": (Filter.COUNTRY, "the trunk does not call this country"),
    "suppressed": (Filter.SUPPRESSION, "asked not to be called again"),
    "gate.suppressed": (Filter.SUPPRESSION, "asked not to be called again"),
    "gate.internal": (Filter.SUPPRESSION, "on our own do-not-call list"),
    "gate.hours": (Filter.WINDOW, "outside the campaign's own hours, where the person is"),
    "gate.zone": (Filter.RULE, "nobody knows the person's time of day"),
}


def steps_from(now: datetime) -> tuple[datetime, ...]:
    """Return the instants of the chart: now, then every half hour of the clock for a day."""
    base = base_of(now)
    return (now, *(base + STEP * k for k in range(1, STEPS + 1)))


def base_of(now: datetime) -> datetime:
    """Return the half hour of the clock that *now* lies in."""
    return now - timedelta(minutes=now.minute % 30, seconds=now.second, microseconds=now.microsecond)


def explain(
    campaign: Campaign,
    now: datetime,
    held: Sequence[HeldCount],
    done: Sequence[DoneCount],
    samples: Sequence[Sampled],
    standing: Standing,
    names: NameRule,
) -> Why:
    """Return why nobody, or not everybody, is being called."""
    waiting = sum(one.leads for one in held)
    due = sum(one.leads for one in held if one.step == 0 and not one.message)
    of_due = [one for one in samples if one.step == 0]
    exact = len(samples) >= sum(one.leads for one in held if one.step <= STEPS and not one.message)
    weight = due / len(of_due) if of_due else 0.0
    free = round(weight * sum(one.held_by is None for one in of_due)) if of_due else due
    whole = _whole_campaign(campaign, now, standing, free)
    some = _merged([*_put_off(held, names), *_unasked(of_due, weight, names, exact=exact)])
    obstacles = (*whole, *some)
    return Why(
        campaign=campaign,
        at=now,
        answer=_answer(campaign, whole, some, free, waiting, standing),
        waiting=waiting,
        busy=sum(one.leads for one in done if one.state == "busy"),
        finished=sum(one.leads for one in done if one.state == "finished"),
        due=due,
        callable=free,
        estimated=not exact,
        obstacles=obstacles,
        done=tuple(one for one in done if one.state == "finished"),
        chart=chart(now, held, samples),
        pacing=standing.pacing,
    )


def chart(now: datetime, held: Sequence[HeldCount], samples: Sequence[Sampled]) -> tuple[Point, ...]:
    """Return how many leads' time has come at each step, and how many of those the gate allows there.

    Nothing that happens meanwhile is guessed: no call is made, nobody is added. Due now and due later are two strata,
    each with a sample of its own, so that a few overdue leads are not lost among a million of tomorrow's.
    """
    counts = [0] * (STEPS + 1)
    for one in held:
        if one.step <= STEPS and not one.message:
            counts[one.step] += one.leads
    now_due, later = counts[0], sum(counts[1:])
    of_now = [one for one in samples if one.step == 0]
    of_later = [one for one in samples if one.step > 0]
    points: list[Point] = []
    total = 0
    for step, at in enumerate(steps_from(now)):
        total += counts[step]
        allowed = _share(of_now, step, now_due) + _share(of_later, step, later)
        points.append(Point(at, total, min(total, round(allowed))))
    return tuple(points)


def _share(samples: Sequence[Sampled], step: int, leads: int) -> float:
    if not samples:
        return 0.0
    return leads * sum(one.step <= step and one.allowed[step] for one in samples) / len(samples)


def _put_off(held: Sequence[HeldCount], names: NameRule) -> list[Obstacle]:
    """Return the leads that were put off, by what holds them; exact."""
    groups: dict[str, list[HeldCount]] = {}
    for one in held:
        if one.step > 0 or one.message:
            groups.setdefault("message" if one.message else one.held_by or "", []).append(one)
    found: list[Obstacle] = []
    for name, counts in groups.items():
        kind, text = names.get(name, (Filter.RULE, "waits for its time"))
        if kind is Filter.MESSAGE:
            found.append(Obstacle(kind, sum(one.leads for one in counts), text, name))
            continue
        first = min(counts, key=lambda one: (one.first_at, one.step))
        frees = sum(one.leads for one in counts if one.step == first.step)
        total = sum(one.leads for one in counts)
        found.append(Obstacle(kind, total, text, name or None, first.first_at, frees))
    return found


def _unasked(of_due: Sequence[Sampled], weight: float, names: NameRule, *, exact: bool) -> list[Obstacle]:
    """Return what would hold back the leads whose time has come, were they asked now."""
    groups: dict[str, list[Sampled]] = {}
    for one in of_due:
        if one.held_by is not None:
            groups.setdefault(one.held_by, []).append(one)
    found: list[Obstacle] = []
    for name, some in groups.items():
        kind, text = names.get(name, (Filter.RULE, "a rule holds it back"))
        instants = [one.until for one in some if one.until is not None]
        first = min(instants, default=None)
        frees = sum(first is not None and at < first + STEP for at in instants)
        found.append(
            Obstacle(kind, round(weight * len(some)), text, name, first, round(weight * frees), estimated=not exact)
        )
    return found


def _merged(obstacles: Sequence[Obstacle]) -> list[Obstacle]:
    """Return one obstacle per rule, the one that holds most leads first."""
    groups: dict[str | None, list[Obstacle]] = {}
    for one in obstacles:
        groups.setdefault(one.rule, []).append(one)
    merged: list[Obstacle] = []
    for some in groups.values():
        first = min((one.until for one in some if one.until is not None), default=None)
        soon = [one for one in some if first is not None and one.until is not None and one.until < first + STEP]
        merged.append(
            replace(
                some[0],
                leads=sum(one.leads for one in some),
                until=first,
                frees=sum(one.frees for one in soon),
                estimated=any(one.estimated for one in some),
            )
        )
    return sorted(merged, key=lambda one: -one.leads)


def _whole_campaign(campaign: Campaign, now: datetime, standing: Standing, free: int) -> list[Obstacle]:
    """Return what holds back every lead at once, the most telling first."""
    reasons: list[tuple[Filter, str]] = []
    if campaign.state is not CampaignState.RUNNING:
        reasons.append((Filter.STATE, f"the campaign is {campaign.state.value}"))
    if standing.stopped is not None:
        reasons.append((Filter.STOP, f"an emergency stop is in force: {standing.stopped}"))
    if not standing.owned:
        reasons.append((Filter.OWNER, "no dialer owns the campaign's pool at the moment"))
    if standing.consents_at is None:
        reasons.append((Filter.CONSENT_VIEW, "the dialer has not heard of consents yet"))
    elif (age := now - standing.consents_at) > CONSENT_VIEW_LIMIT:
        reasons.append((Filter.CONSENT_VIEW, f"the view of consents is {_span(age)} old, and five seconds are allowed"))
    if standing.held_back_by == "the carrier is away":
        reasons.append((Filter.CARRIER, "the carrier is away"))
    reasons += _trunk_limits(standing.trunk, campaign.plan.trunk)
    if standing.lines >= campaign.plan.max_lines:
        reasons.append((Filter.LINES, f"all {campaign.plan.max_lines} lines of the campaign are in use"))
    if not _has_operators(campaign, standing):
        reasons.append((Filter.OPERATORS, _operators(standing, campaign.plan.skill)))
    return [Obstacle(kind, free, text) for kind, text in reasons]


def _has_operators(campaign: Campaign, standing: Standing) -> bool:
    """Tell whether anybody can take a call: now, or with several lines per operator soon."""
    if campaign.plan.mode is Mode.AGENTLESS or standing.ready > 0:
        return True
    return campaign.plan.mode in SEVERAL_LINES and standing.soon > 0


def _trunk_limits(trunk: TrunkUse | None, name: str) -> list[tuple[Filter, str]]:
    if trunk is None:
        return [(Filter.TRUNK, f"there is no trunk named {name!r}")]
    found: list[tuple[Filter, str]] = []
    if trunk.spend_cap_micros is not None and trunk.spent_micros + trunk.cost_micros > trunk.spend_cap_micros:
        cap = f"{trunk.spend_cap_micros / 1_000_000:,.2f}"
        found.append((Filter.BUDGET, f"today's budget of trunk {name} ({cap}) is spent"))
    if trunk.channels_used >= trunk.channels:
        found.append((Filter.TRUNK, f"all {trunk.channels} channels of trunk {name} are in use"))
    return found


def _operators(standing: Standing, skill: str | None) -> str:
    present = {state: count for state, count in standing.operators.items() if state != "offline" and count}
    who = "no operator" if skill is None else f"no operator with the skill {skill}"
    if not present:
        return f"{who} is signed in"
    words = ", ".join(f"{count} {state.replace('_', ' ')}" for state, count in sorted(present.items()))
    return f"{who} is free ({words})"


def _answer(
    campaign: Campaign, whole: Sequence[Obstacle], some: Sequence[Obstacle], free: int, waiting: int, standing: Standing
) -> str:
    """Return the answer in a sentence or two."""
    if campaign.state is not CampaignState.RUNNING:
        return f"The campaign is {campaign.state.value}, so nobody is called."
    if waiting == 0:
        return "No lead is waiting: everybody is done, being called, or not enrolled yet."
    if whole and (free > 0 or whole[0].filter is not Filter.OPERATORS):
        rest = f" {free:,} leads could be called otherwise." if free else ""
        return f"{_capital(whole[0].text)}.{rest}"
    if free > 0:
        verb = "is" if standing.lines == 1 else "are"
        lines = f"{standing.lines:,} {verb} being called" if standing.lines else "nobody is being called yet"
        return f"{free:,} leads may be called; {lines}."
    largest = max(some, key=lambda one: one.leads, default=None)
    if largest is None:
        return "No lead can be called now."
    return f"No lead can be called now; {largest.leads:,} wait because of this: {largest.text}."


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]


def _span(age: timedelta) -> str:
    seconds = round(age.total_seconds())
    return f"{seconds} s" if seconds < 120 else f"{seconds // 60} min" if seconds < 7200 else f"{seconds // 3600} h"
