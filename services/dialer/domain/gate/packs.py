"""Rule packs as values: what a rule says, when it applies, and where the law says so."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Literal

from services.dialer.domain.gate.facts import (
    MODES,
    Channel,
    ConsentKind,
    CountWindow,
    DoNotCallList,
    LineType,
    Mode,
    Outcome,
    Purpose,
    RelationshipKind,
)
from services.dialer.domain.gate.windows import Windows

Confidence = Literal["primary", "secondary", "background", "policy"]
Status = Literal["draft", "approved"]
CapKey = Literal["person", "number", "subject", "debt", "campaign"]
ClockStart = Literal["answer", "speech_start", "greeting_end"]
ALL_MODES: frozenset[Mode] = frozenset(MODES)


@dataclass(frozen=True, slots=True)
class Span:
    """A length of time: calendar months, or microseconds, or the rest of the callee's calendar day."""

    months: int = 0
    us: int = 0
    calendar_day: bool = False


@dataclass(frozen=True, slots=True)
class Unless:
    """What lifts a requirement: one of *consents*, or a relationship younger than its length (None: of any age)."""

    consents: frozenset[ConsentKind] = frozenset()
    relationships: Mapping[RelationshipKind, Span | None] = field(default_factory=dict[RelationshipKind, Span | None])


@dataclass(frozen=True, slots=True)
class OpenHours:
    """Calls only inside the windows; with *opened_by_consent* also when a consent says that it holds outside hours.

    The clock is that of every zone where the person may be, unless the rule names a *zone* of its own.
    """

    windows: Windows
    opened_by_consent: bool = False
    zone: str | None = None


@dataclass(frozen=True, slots=True)
class NeedConsent:
    """Calls only with a consent of one of *kinds*, unless something stands in for it."""

    kinds: frozenset[ConsentKind]
    unless: Unless = Unless()


@dataclass(frozen=True, slots=True)
class NeedScrub:
    """Calls only if the number is on none of *lists*, each in a version at most so many days old (None: of any age).

    Without *required*, a list nobody compared the number with is no obstacle.
    """

    lists: Mapping[DoNotCallList, int | None]
    unless: Unless = Unless()
    required: bool = True


@dataclass(frozen=True, slots=True)
class CapAttempts:
    """At most *maximum* attempts within *window*, counted per *key*, attempts that ended in *exclude* left out."""

    maximum: int
    window: Span
    key: CapKey
    channels: frozenset[Channel]
    exclude: frozenset[Outcome] = frozenset()


@dataclass(frozen=True, slots=True)
class CoolDown:
    """After an event no call for a while, except in the modes left; None as *after* is a refusal."""

    after: Outcome | None
    lasting: Span
    key: CapKey = "person"
    modes: frozenset[Mode] = frozenset()


@dataclass(frozen=True, slots=True)
class LimitAbandonment:
    """When abandoned ÷ answered is over the cap, or the sample too small to tell, only the modes left may go on."""

    cap_ppm: int
    window: CountWindow
    modes: frozenset[Mode]
    min_sample: int = 0
    connect_within_ms: int | None = None
    clock_start: ClockStart = "answer"


@dataclass(frozen=True, slots=True)
class MinRing:
    """An unanswered call rings at least so long."""

    seconds: int


@dataclass(frozen=True, slots=True)
class Barred:
    """No call at all, unless something lifts it."""

    unless: Unless = Unless()


@dataclass(frozen=True, slots=True)
class RevokeAll:
    """A consent withdrawn on any topic ends them all; only a later grant counts."""


@dataclass(frozen=True, slots=True)
class OptOutWords:
    """Words of an answer that mean no; united over all packs that apply."""

    words: frozenset[str]


Effect = (
    OpenHours
    | NeedConsent
    | NeedScrub
    | CapAttempts
    | CoolDown
    | LimitAbandonment
    | MinRing
    | Barred
    | RevokeAll
    | OptOutWords
)


@dataclass(frozen=True, slots=True)
class When:
    """Which calls a rule is about; None stands for all."""

    purposes: frozenset[Purpose] | None = None
    channels: frozenset[Channel] | None = None
    modes: frozenset[Mode] | None = None
    lines: frozenset[LineType] | None = None

    def matches(self, purpose: Purpose, channel: Channel, line_type: LineType) -> bool:
        """Tell whether the rule is about such calls, in whichever mode."""
        return (
            (self.purposes is None or purpose in self.purposes)
            and (self.channels is None or channel in self.channels)
            and (self.lines is None or line_type in self.lines)
        )


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule: *effect* binds the calls of *when*, from *start* on and before *end* (the callee's local dates)."""

    id: str
    text: str
    cite: str
    verified_on: date
    confidence: Confidence
    when: When
    effect: Effect
    start: date | None = None
    end: date | None = None

    @property
    def binds(self) -> frozenset[Mode]:
        """Return the modes that the rule can hold back."""
        modes = ALL_MODES if self.when.modes is None else self.when.modes
        return modes - self.effect.modes if isinstance(self.effect, CoolDown | LimitAbandonment) else modes


@dataclass(frozen=True, slots=True)
class Example:
    """A case that a pack carries with it: facts, and the answer.

    With *alone* that one rule brings the answer about, which is another without it: `galw packs test` shows both.
    Without, the case shows what the rules together leave open.
    """

    alone: str | None
    facts: Mapping[str, object]
    expect: Literal["allow", "defer", "deny"] | None
    until: str | None = None
    min_ring_s: int | None = None
    opt_out: str | None = None


@dataclass(frozen=True, slots=True)
class Pack:
    """The rules of one jurisdiction or sector, in one version; *jurisdictions* holding `*` is everywhere."""

    id: str
    version: str
    title: str
    status: Status
    jurisdictions: tuple[str, ...]
    rules: tuple[Rule, ...]
    extends: str | None = None
    cases: tuple[Example, ...] = ()

    def covers(self, jurisdictions: Iterable[str]) -> bool:
        """Tell whether the pack applies in one of *jurisdictions*."""
        return "*" in self.jurisdictions or any(code in self.jurisdictions for code in jurisdictions)
