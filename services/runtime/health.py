"""Health: each part says in a sentence whether it can do its work; an outage makes a service not ready, never dead."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, Self


@dataclass(frozen=True, slots=True)
class Health:
    """The state of one part; *detail* says why it is not ready."""

    name: str
    ready: bool
    detail: str = ""

    @classmethod
    def of(cls, name: str, problem: str | None) -> Self:
        """Return ready when there is no *problem*, else not ready because of it."""
        return cls(name, problem is None, problem or "")


class Check(Protocol):
    """A part that knows its own state, without I/O worth waiting for."""

    async def health(self) -> Health:
        """Return the present state; never raises."""
        ...


async def not_ready(checks: Sequence[Check]) -> list[Health]:
    """Return what is not ready, in the order of *checks*; an empty list means ready."""
    return [health for check in checks if not (health := await check.health()).ready]
