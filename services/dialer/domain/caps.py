"""The caps that pacing keeps for a campaign: its own, and those of the laws that its calls come under.

Windows are told as spans that begin and end at instants: a day of 23 or 25 hours, or a month, is as long as it is.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from math import floor
from zoneinfo import ZoneInfo

from services.dialer.domain.campaigns import Campaign
from services.dialer.domain.gate.facts import CampaignCounts, Counts, CountWindow
from services.dialer.domain.pacing import Cap, Window, WindowKind

BLOCK_S = 30 * 86_400.0
LAW_ZONES: Mapping[CountWindow, str] = {"day": "Europe/London", "month": "America/Toronto"}
"""Whose midnight ends a window: the British regulator counts by day, the Canadian one by month. So does the ledger, in
`lead_standing.sql`."""


@dataclass(frozen=True, slots=True)
class AbandonmentLimit:
    """A law's cap on the share of a campaign's answered calls that meet nobody within *wait_s*."""

    rate: float
    window: CountWindow
    wait_s: float = 2.0


def caps_of(
    campaign: Campaign,
    limits: Collection[AbandonmentLimit],
    zone: str | None,
    now: datetime,
    false_machine_share: float = 0.0,
) -> tuple[Cap, ...]:
    """Return the caps that hold at *now*: the plan's for the day and thirty days, and each of the laws' *limits*.

    *zone* is where the people are, None while nobody was called yet. *false_machine_share* of the calls taken for a
    machine's were people, whom nobody spoke to: they count as answered and abandoned.
    """
    own = AbandonmentLimit(campaign.plan.pacing_cap, "day"), AbandonmentLimit(campaign.plan.pacing_cap, "block")
    caps = [_cap(campaign, limit, zone or "UTC", now, false_machine_share) for limit in own]
    for limit in sorted(limits, key=lambda limit: (limit.window, limit.rate, limit.wait_s)):
        where = LAW_ZONES.get(limit.window, "UTC")
        caps.append(_cap(campaign, limit, where, now, false_machine_share))
    return tuple(dict.fromkeys(caps))


def counted_before(
    caps: Collection[Cap], record: CampaignCounts, at: datetime, now: datetime
) -> dict[Cap, tuple[float, float]]:
    """Return what a campaign's ledger had counted *at* in those windows of its *caps* that still last.

    Answered calls, and how many of them met nobody. The ledger keeps the windows of the laws; others are left out.
    """
    kept: dict[tuple[float, float], Counts] = {}
    for name, zone in LAW_ZONES.items():
        begins, ends = _span(name, at.astimezone(ZoneInfo(zone)))
        if name in record.windows and now.timestamp() < ends:
            kept[begins, ends - begins] = record.windows[name]
    found: dict[Cap, tuple[float, float]] = {}
    for cap in caps:
        anchor = cap.window.anchor or 0.0
        counts = kept.get((anchor, cap.window.seconds))
        if cap.window.kind is WindowKind.BLOCK:
            blocks = {floor((instant.timestamp() - anchor) / BLOCK_S) for instant in (at, now)}
            counts = record.windows.get("block") if len(blocks) == 1 else None
        if counts is not None:
            found[cap] = float(counts.answered or 0), float(counts.abandoned or 0)
    return found


def _cap(campaign: Campaign, limit: AbandonmentLimit, zone: str, now: datetime, false_machine_share: float) -> Cap:
    if limit.window == "block":
        launched_at = campaign.launched_at.timestamp() if campaign.launched_at else 0.0
        window = Window(WindowKind.BLOCK, BLOCK_S, launched_at)
    else:
        begins, ends = _span(limit.window, now.astimezone(ZoneInfo(zone)))
        window = Window(WindowKind.DAY, ends - begins, begins)
    return Cap((str(campaign.id),), limit.rate, limit.wait_s, window, false_machine_share)


def _span(window: CountWindow, local: datetime) -> tuple[float, float]:
    """Return the instants between which the local day or month lies."""
    begins = local.replace(hour=0, minute=0, second=0, microsecond=0, fold=0)
    if window == "day":
        ends = begins + timedelta(days=1)  # by the clock on the wall
    else:
        begins = begins.replace(day=1)
        ends = (begins + timedelta(days=32)).replace(day=1)
    return begins.timestamp(), ends.timestamp()
