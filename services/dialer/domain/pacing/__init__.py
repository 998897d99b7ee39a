"""How many lines now: pacing for a pool of operators and the campaigns that share them.

Pure and synchronous: no input or output, no clock, no randomness. Make one `Pacer` per pool, give it a `Floor` on every
signal (with the events since the last one) and place what the `Decision` says:

>>> from services.dialer.domain.pacing import Campaign, Floor, Mode, Operator, OperatorState, Pacer
>>> pacer = Pacer()
>>> floor = Floor(
...     now=812.5,
...     operators=(Operator("o1", OperatorState.READY, since=790.0, campaigns=("a",)),),
...     campaigns=(Campaign("a", mode=Mode.PROGRESSIVE, leads_left=9000, max_lines=400),),
... )
>>> dict(pacer.decide(floor).dial)
{'a': 1}

`Pacer(state)` continues from an earlier `pacer.to_state()` (a JSON-able dict) and decides as the first one would have.
"""

from services.dialer.domain.pacing.engine import Pacer
from services.dialer.domain.pacing.floor import (
    Campaign,
    Cap,
    Decision,
    Event,
    EventKind,
    Floor,
    Mode,
    Operator,
    OperatorState,
    Policy,
    Window,
    WindowKind,
)

__all__ = [
    "Campaign",
    "Cap",
    "Decision",
    "Event",
    "EventKind",
    "Floor",
    "Mode",
    "Operator",
    "OperatorState",
    "Pacer",
    "Policy",
    "Window",
    "WindowKind",
]
