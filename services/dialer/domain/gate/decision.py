"""The gate's answer, and its form for storing with the attempt."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal

from services.dialer.domain.gate.facts import Mode

Says = Literal["allow", "defer", "deny"]


@dataclass(frozen=True, slots=True)
class RuleSays:
    """One rule that took part: what it says for itself, its citation and its words."""

    id: str
    says: Says
    cite: str
    text: str


@dataclass(frozen=True, slots=True)
class Decision:
    """Whether the call may be made now.

    *until* is set exactly when *decision* is `defer`: the first instant at which the same facts would be allowed.
    *allowed_modes* are those in which the call would be allowed at the instant asked about. *drafts* names the packs
    in *packs* that no counsel has approved.
    """

    decision: Says
    until: datetime | None
    allowed_modes: tuple[Mode, ...]
    rules: tuple[RuleSays, ...]
    zones: tuple[str, ...]
    jurisdictions: tuple[str, ...]
    packs: dict[str, str]
    min_ring_s: int
    connect_within_ms: int | None = None
    drafts: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """Return the decision as JSON-able values, for the answer and for storing with the attempt."""
        return {
            "decision": self.decision,
            "until": None if self.until is None else write_instant(self.until),
            "allowed_modes": list(self.allowed_modes),
            "rules": [{"id": r.id, "says": r.says, "cite": r.cite, "text": r.text} for r in self.rules],
            "zones": list(self.zones),
            "jurisdictions": list(self.jurisdictions),
            "packs": self.packs,
            "min_ring_s": self.min_ring_s,
            "connect_within_ms": self.connect_within_ms,
            "drafts": list(self.drafts),
        }

    @classmethod
    def from_json(cls, stored: dict[str, Any]) -> "Decision":
        """Return the decision that `to_json` wrote."""
        until = stored["until"]
        return cls(
            decision=stored["decision"],
            until=None if until is None else datetime.fromisoformat(until),
            allowed_modes=tuple(stored["allowed_modes"]),
            rules=tuple(RuleSays(r["id"], r["says"], r["cite"], r["text"]) for r in stored["rules"]),
            zones=tuple(stored["zones"]),
            jurisdictions=tuple(stored["jurisdictions"]),
            packs=dict(stored["packs"]),
            min_ring_s=stored["min_ring_s"],
            connect_within_ms=stored["connect_within_ms"],
            drafts=tuple(stored["drafts"]),
        )


def write_instant(instant: datetime) -> str:
    """Return *instant* in RFC 3339, in UTC."""
    return instant.astimezone(UTC).isoformat().replace("+00:00", "Z")
