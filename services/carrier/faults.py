"""Faults on demand: what may go wrong between the switch and those who listen to it, decided by a seeded generator.

`FaultySignals` sits between the switch and its apps. With no fault in force it hands every event on at once.
"""

import random
from collections.abc import Callable
from typing import Annotated, Any, Literal, Protocol

from pydantic import BaseModel, ConfigDict, Field

from services.carrier.apps import Event

Share = Annotated[float, Field(ge=0.0, le=1.0)]
_DELAY_LIMIT_S = 30.0
_REORDER_WAIT_S = 0.25
_REPEAT_WITHIN_S = 0.5


class Timer(Protocol):
    """A callback that will run; `asyncio.TimerHandle` is one."""

    def cancel(self) -> None:
        """Keep the callback from running; no error when it has run already."""
        ...


class Scheduler(Protocol):
    """What the switch needs of time; an asyncio event loop is one, with or without a virtual clock."""

    def time(self) -> float:
        """Return monotonic seconds."""
        ...

    def call_later(self, delay: float, callback: Callable[..., object], *args: Any) -> Timer:
        """Run *callback* after *delay* seconds, never inside this call."""
        ...


class _Strict(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Late(_Strict):
    """A share of the events arrives late, by a time drawn evenly between two bounds in seconds; others overtake."""

    share: Share
    by_s: tuple[
        Annotated[float, Field(ge=0.0, le=_DELAY_LIMIT_S)],
        Annotated[float, Field(ge=0.0, le=_DELAY_LIMIT_S)],
    ] = (0.1, 1.0)


class Outage(_Strict):
    """The carrier is away for a while.

    *refuse*: connections are cut, requests refused and events lost. *hang*: nothing is answered; requests that arrived
    are carried out when it is over, whether their sender still waits or not, and events are held until then.
    *trunk_503*: every dial (through *trunk*, if one is named) is answered 503, cause 34.
    """

    # A minute bounds what a hanging carrier must hold.
    for_s: Annotated[float, Field(gt=0.0, le=60.0)]
    kind: Literal["refuse", "hang", "trunk_503"]
    trunk: str | None = None


class Faults(_Strict):
    """The faults in force, each event's chance of each; *answers_lost* is of requests done but not answered."""

    late: Late | None = None
    lost: Share = 0.0
    repeated: Share = 0.0
    reordered: Share = 0.0
    answers_lost: Share = 0.0
    outage: Outage | None = None


class FaultySignals:
    """Passes events on, as faultily as it has been told to."""

    def __init__(self, scheduler: Scheduler, generator: random.Random, deliver: Callable[[str, Event], None]) -> None:
        """Be faultless until `inject`; *generator* decides, so one seed is one run."""
        self.faults = Faults()
        self._scheduler = scheduler
        self._generator = generator
        self._deliver = deliver
        self._clean = True
        self._outage_end: Timer | None = None
        # Bounded by the length of an outage and the rate of events.
        self._held: list[tuple[str, Event]] = []
        # One event an app at most: the next one releases it.
        self._overtaken: dict[str, tuple[Event, Timer]] = {}
        self._over: list[Callable[[], None]] = []

    @property
    def outage(self) -> str | None:
        """The kind of outage in force, if any."""
        return self.faults.outage.kind if self.faults.outage else None

    def inject(self, faults: Faults) -> None:
        """Put exactly these faults in force; an outage ends by itself, the others stay until the next call."""
        self._end_outage()
        self.faults = faults
        self._clean = faults == Faults()
        if faults.outage is not None:
            self._outage_end = self._scheduler.call_later(faults.outage.for_s, self._end_outage)

    def refuses_trunk(self, trunk: str) -> bool:
        """Tell whether a dial through *trunk* is answered 503 now."""
        outage = self.faults.outage
        return outage is not None and outage.kind == "trunk_503" and outage.trunk in (None, trunk)

    def loses_answer(self) -> bool:
        """Draw whether the answer to a request that was carried out gets lost."""
        return bool(self.faults.answers_lost) and self._generator.random() < self.faults.answers_lost

    def when_over(self, resume: Callable[[], None]) -> None:
        """Call *resume* when the present outage ends; at once when there is none."""
        if self.outage is None:
            resume()
        else:
            self._over.append(resume)

    def send(self, app: str, event: Event) -> None:
        """Take an event from the switch; it is delivered now, later, twice or never."""
        if self._clean:
            self._deliver(app, event)
        elif self.outage == "hang":
            self._held.append((app, event))
        elif self.outage != "refuse" and not self._happens(self.faults.lost):
            self._spoil(app, event)

    def _spoil(self, app: str, event: Event) -> None:
        draw = self._generator
        if self._happens(self.faults.repeated):
            self._scheduler.call_later(draw.random() * _REPEAT_WITHIN_S, self._deliver, app, event)
        late = self.faults.late
        if late is not None and self._happens(late.share):
            self._scheduler.call_later(draw.uniform(*late.by_s), self._deliver, app, event)
        elif app not in self._overtaken and self._happens(self.faults.reordered):
            self._overtaken[app] = (event, self._scheduler.call_later(_REORDER_WAIT_S, self._release, app))
        else:
            self._deliver(app, event)
            self._release(app)

    def _happens(self, share: float) -> bool:
        return bool(share) and self._generator.random() < share

    def _release(self, app: str) -> None:
        if (waiting := self._overtaken.pop(app, None)) is not None:
            event, timer = waiting
            timer.cancel()
            self._deliver(app, event)

    def _end_outage(self) -> None:
        if self.faults.outage is None:
            return
        assert self._outage_end is not None, "an outage has its end scheduled"
        self._outage_end.cancel()
        self.faults = self.faults.model_copy(update={"outage": None})
        self._clean = self.faults == Faults()
        held, self._held = self._held, []
        for app, event in held:
            self._deliver(app, event)
        over, self._over = self._over, []
        for resume in over:
            resume()
