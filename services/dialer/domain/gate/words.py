"""Packs and their changes in words, for those who read law and not code."""

from collections.abc import Iterator
from dataclasses import fields, is_dataclass
from datetime import date

from services.dialer.domain.gate.packs import CoolDown, Pack, Rule, Span
from services.dialer.domain.gate.windows import Windows


def differences(before: Pack, after: Pack) -> Iterator[str]:
    """Yield in words what *after* changes."""
    yield f"{before.id} {before.version} becomes {after.id} {after.version}."
    for name in ("title", "status", "jurisdictions", "extends"):
        if getattr(before, name) != getattr(after, name):
            yield f"{name}: {getattr(before, name)} becomes {getattr(after, name)}"
    old = {rule.id.partition(".")[2]: rule for rule in before.rules}
    new = {rule.id.partition(".")[2]: rule for rule in after.rules}
    for name in sorted(old.keys() | new.keys()):
        if name not in new:
            yield f"{name} is gone: {old[name].text}"
        elif name not in old:
            yield f"{name} is new: {new[name].text} [{new[name].cite}]"
        else:
            for field in fields(Rule):
                one, other = getattr(old[name], field.name), getattr(new[name], field.name)
                if field.name != "id" and one != other:
                    yield f"{name}: {field.name} was {describe(one)}, becomes {describe(other)}"


def page(pack: Pack) -> Iterator[str]:
    """Yield the lines of a page that a lawyer can read: every rule, what it does, its citation, its dates."""
    yield f"{pack.title}"
    yield f"{pack.id} {pack.version}, {pack.status}; applies in {', '.join(pack.jurisdictions)}"
    if pack.status == "draft":
        yield "No counsel has approved this pack yet."
    if pack.extends:
        yield f"Read together with {pack.extends}."
    for rule in pack.rules:
        yield ""
        yield f"{rule.id}"
        yield f"  {rule.text}"
        yield f"  {describe(rule.effect)}"
        yield f"  about: {describe(rule.when) or 'every call'}"
        yield f"  cite: {rule.cite}"
        yield f"  in force: {rule.start or 'always'} to {rule.end or 'further notice'}"
        yield f"  verified on {rule.verified_on}, source {rule.confidence}"


def describe(value: object) -> str:
    """Return a part of a rule in words."""
    if isinstance(value, Windows):
        days = zip(("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"), value.days, strict=True)
        text = ", ".join(f"{day} {_spans(spans)}" for day, spans in days)
        text += f", holidays of {value.calendar} {_spans(value.holidays)}" if value.holidays is not None else ""
        return text + (f", days before them {_spans(value.eves)}" if value.eves is not None else "")
    if isinstance(value, Span):
        return _length(value)
    if isinstance(value, CoolDown) and value.after is None:
        return f"after a refusal; lasting {_length(value.lasting)}"
    if isinstance(value, frozenset | tuple):
        return ", ".join(sorted(map(describe, value)))
    if isinstance(value, dict):
        return ", ".join(f"{key} {describe(item) if item is not None else 'any'}" for key, item in value.items())
    if is_dataclass(value):
        parts = ((f.name, getattr(value, f.name)) for f in fields(value))
        words = [f"{name.replace('_', ' ')} {describe(item)}" for name, item in parts if item not in (None, False, ())]
        return "; ".join(word for word in words if not word.endswith(" "))
    return value.isoformat() if isinstance(value, date) else str(value)


def _length(span: Span) -> str:
    if span.calendar_day:
        return "the rest of the calendar day"
    if span.months:
        return f"{span.months} months"
    hours = span.us // 3_600_000_000
    return f"{hours // 24} days" if hours % 24 == 0 and hours > 24 else f"{hours} hours"


def _spans(spans: tuple[tuple[int, int], ...]) -> str:
    pairs = (f"{a // 60:02}:{a % 60:02}-{b // 60:02}:{b % 60:02}" for a, b in spans)
    return " ".join(pairs) or "closed"
