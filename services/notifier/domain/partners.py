"""Partners, their endpoints, and which endpoint is told of which event."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from services.notifier.domain.public_events import PUBLIC_TYPES, PublicEvent
from services.runtime.errors import FieldProblem, RejectedError

MAX_SUBSCRIPTIONS = 50
"""Patterns of one endpoint: more than there are event types helps nobody."""

DISABLE_AFTER = timedelta(days=5)
"""An endpoint that fails for so long without one success is disabled."""

DISABLE_FAILURES = 10
"""It is not disabled on fewer failures in a row: two lone events five days apart prove nothing."""


@dataclass(frozen=True, slots=True)
class Partner:
    """Somebody outside who is told of what happens; *campaign_ids* None means: in every campaign."""

    id: UUID
    name: str
    campaign_ids: frozenset[UUID] | None
    created_at: datetime
    version: int = 1


@dataclass(frozen=True, slots=True)
class Endpoint:
    """An address of a partner that takes webhooks; *failing_since* is the first failure after the last success."""

    id: UUID
    partner_id: UUID
    url: str
    description: str
    subscriptions: tuple[str, ...]
    created_at: datetime
    enabled: bool = True
    disabled_reason: str | None = None
    disabled_at: datetime | None = None
    failing_since: datetime | None = None
    failures: int = 0
    version: int = 1


@dataclass(frozen=True, slots=True)
class Target:
    """What planning must know about an endpoint."""

    endpoint_id: UUID
    subscriptions: tuple[str, ...]
    campaign_ids: frozenset[UUID] | None
    enabled: bool


def check_subscriptions(patterns: Sequence[str]) -> tuple[str, ...]:
    """Return *patterns* sorted and without repeats; raise `RejectedError` naming each that matches no event type.

    A pattern is an event type, a prefix that ends in `.*`, or `*`.
    """
    chosen = tuple(sorted(set(patterns)))
    problems = [
        FieldProblem("subscriptions", f"{pattern[:80]!r} matches no event type; expected {_known()}")
        for pattern in chosen
        if not _matching(pattern)
    ]
    if len(chosen) > MAX_SUBSCRIPTIONS:
        problems = [FieldProblem("subscriptions", f"{len(chosen)} patterns; at most {MAX_SUBSCRIPTIONS} are allowed")]
    if problems:
        raise RejectedError("The subscriptions are not usable.", fields=tuple(problems[:5]))
    return chosen


def _known() -> str:
    return "*, a prefix such as dialer.*, or one of " + ", ".join(sorted(PUBLIC_TYPES))


def _matching(pattern: str) -> list[str]:
    if pattern == "*":
        return list(PUBLIC_TYPES)
    if pattern.endswith(".*"):
        return [name for name in PUBLIC_TYPES if name.startswith(pattern[:-1])]
    return [pattern] if pattern in PUBLIC_TYPES else []


class Routing:
    """Answers which endpoints are told of an event; made once per batch from the endpoints as they stand."""

    def __init__(self, targets: Iterable[Target]) -> None:
        """Expand every pattern once, so that each event costs one look-up."""
        self._by_type: defaultdict[str, dict[UUID, Target]] = defaultdict(dict)
        for target in targets:
            for pattern in target.subscriptions:
                for name in _matching(pattern):
                    self._by_type[name][target.endpoint_id] = target

    def targets(self, event: PublicEvent) -> list[Target]:
        """Return who is told of *event*, each once.

        A partner who is limited to campaigns hears nothing that belongs to no campaign.
        """
        return [
            target
            for target in self._by_type.get(event.type, {}).values()
            if target.campaign_ids is None or event.campaign_id in target.campaign_ids
        ]


def must_disable(failing_since: datetime, failures: int, now: datetime) -> bool:
    """Tell whether an endpoint that has failed *failures* times in a row since *failing_since* is given up."""
    return now - failing_since >= DISABLE_AFTER and failures >= DISABLE_FAILURES
