"""The grammar of a rule pack: from the nodes of a file to a `Pack`, refusing everything that is not certain.

`packs/rulepack.schema.json` is the same grammar for editors and other programs; a test holds the two together.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import date
from typing import Literal, TypeVar, cast, get_args
from zoneinfo import ZoneInfoNotFoundError

from services.dialer.domain.gate.calendars import is_calendar
from services.dialer.domain.gate.decision import Says
from services.dialer.domain.gate.facts import (
    MODES,
    WEEKDAYS,
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
from services.dialer.domain.gate.facts import Span as Minutes
from services.dialer.domain.gate.nodes import Fields, Items, Node, PackError, Problem, Reader, Report, Scalar, read_text
from services.dialer.domain.gate.packs import (
    Barred,
    CapAttempts,
    CapKey,
    ClockStart,
    Confidence,
    CoolDown,
    Effect,
    Example,
    LimitAbandonment,
    MinRing,
    NeedConsent,
    NeedScrub,
    OpenHours,
    OptOutWords,
    Pack,
    RevokeAll,
    Rule,
    Span,
    Status,
    Unless,
    When,
)
from services.dialer.domain.gate.windows import ALL_DAY, Windows
from services.dialer.domain.gate.zones import DAY, MINUTE, zone

SCHEMA = "rulepack/1"
_CODE = re.compile(r"[A-Z]{2}(-[A-Z0-9]{1,3})?|\*")
_ID = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")
_CLOCK = re.compile(r"([01]\d|2[0-3]):([0-5]\d)|24:00")
_SPAN = re.compile(r"P(?:(\d+)Y)?(?:(\d+)M)?(?:(\d+)D)?(?:T(?:(\d+)H)?(?:(\d+)M)?)?")
_T = TypeVar("_T", bound=str)


def parse_pack(node: Node, file: str) -> Pack:
    """Return the pack in *node*; raises `PackError` with every problem of the file."""
    report = Report(file)
    pack = _read_pack(Reader(node, report, node.line, "the pack"), report)
    if report.problems:
        raise PackError(report.problems)
    return pack


def check_together(packs: Mapping[str, Pack], files: Mapping[str, str]) -> None:
    """Refuse packs that extend what is not there, or one another in a circle; raises `PackError`."""
    problems: list[Problem] = []
    for pack in packs.values():
        seen, parent = [pack.id], pack.extends
        while parent is not None and parent in packs and parent not in seen:
            seen.append(parent)
            parent = packs[parent].extends
        if parent is not None:
            chain = " extends ".join([*seen, parent])
            reason = f"extends in a circle: {chain}" if parent in packs else f"extends {parent!r}, which is not there"
            problems.append(Problem(files.get(pack.id, pack.id), 1, None, reason))
    if problems:
        raise PackError(problems)


def _read_pack(reader: Reader, report: Report) -> Pack:
    schema = reader.take_text("schema", required=True)
    if schema not in (None, SCHEMA):
        report.refuse(reader.line_of("schema"), f"'schema' is {schema!r}; this reads {SCHEMA!r}")
    pack_id = reader.take_text("id", required=True) or ""
    if pack_id and not _ID.fullmatch(pack_id):
        report.refuse(reader.line_of("id"), f"'id' {pack_id!r} must be lower-case words joined by hyphens")
    version = reader.take_text("version", required=True) or ""
    title = reader.take_text("title", required=True) or ""
    status = _choice(reader, "status", get_args(Status)) or "draft"
    codes = _texts(reader, "jurisdictions", required=True)
    for code in codes:
        if not _CODE.fullmatch(code):
            reason = f"jurisdiction {code!r} must be a country (US), a part of one (US-FL) or '*'"
            report.refuse(reader.line_of("jurisdictions"), reason)
    extends = reader.take_text("extends")
    when = _read_when(reader.take_reader("when"), When())
    rules = [_read_rule(node, pack_id, when, report) for node in reader.take_items("rules") or ()]
    if not rules:
        report.refuse(reader.line_of("rules"), "a pack needs at least one rule under 'rules'")
    _refuse_twins(reader.take("rules"), report)
    shared = _plain(reader.take("case_facts") or Fields({}, 1, {}))
    cases = [_read_case(node, shared, rules, report) for node in reader.take_items("cases") or ()]
    reader.finish()
    return Pack(pack_id, version, title, status, tuple(codes), tuple(filter(None, rules)), extends, tuple(cases))


def _read_case(node: Node, shared: object, rules: Sequence[Rule | None], report: Report) -> Example:
    case = Reader(node, report, node.line, "the case")
    alone = case.take_text("alone")
    if alone is not None and all(rule is None or rule.id.partition(".")[2] != alone for rule in rules):
        report.refuse(case.line_of("alone"), f"the case is about {alone!r}, which is no rule of this pack")
    facts = _plain(case.take("given") or Fields({}, 1, {}))
    example = Example(
        alone,
        {**_mapping(shared), **_mapping(facts)},
        _choice(case, "expect", get_args(Says)),
        case.take_text("until"),
        case.take_whole("min_ring_s", least=0),
        case.take_text("opt_out"),
    )
    case.finish()
    return example


def _mapping(value: object) -> Mapping[str, object]:
    return cast("dict[str, object]", value) if isinstance(value, dict) else {}


def _refuse_twins(rules: Node | None, report: Report) -> None:
    seen: dict[str, int] = {}
    for node in rules.items if isinstance(rules, Items) else ():
        name = node.fields.get("id") if isinstance(node, Fields) else None
        if isinstance(name, Scalar):
            report.rule = name.text
            if name.text in seen:
                report.refuse(name.line, f"two rules have the id {name.text!r}; the other is on line {seen[name.text]}")
            seen[name.text] = name.line
    report.rule = None


def _read_rule(node: Node, pack_id: str, defaults: When, report: Report) -> Rule | None:
    name = node.fields.get("id") if isinstance(node, Fields) else None
    report.rule = name.text if isinstance(name, Scalar) else None
    reader = Reader(node, report, node.line, "the rule")
    rule_id = reader.take_text("id", required=True) or ""
    if rule_id and not _ID.fullmatch(rule_id):
        report.refuse(reader.line_of("id"), f"'id' {rule_id!r} must be lower-case words joined by hyphens")
    text = reader.take_text("text", required=True) or ""
    cite = (reader.take_text("cite") or "").strip()
    if not cite:
        report.refuse(reader.line, "a rule needs a citation in 'cite'")
    verified_on = _date(reader, "verified_on", required=True)
    confidence = _choice(reader, "confidence", get_args(Confidence), required=True)
    effective = reader.take_reader("effective")
    start, end = _date(effective, "from"), _date(effective, "to")
    effective.finish()
    if start and end and start >= end:
        report.refuse(reader.line_of("effective"), f"the rule ends on {end}, not after it begins on {start}")
    when = _read_when(reader.take_reader("when"), defaults)
    effect = _read_effect(reader, when, start, end)
    reader.finish(f"besides id, text, cite, verified_on, confidence, effective and when one of {', '.join(_EFFECTS)}")
    report.rule = None
    if effect is None or verified_on is None or confidence is None:
        return None
    rule = Rule(f"{pack_id}.{rule_id}", text, cite, verified_on, confidence, when, effect, start, end)
    if not rule.binds or _is_idle(effect):
        report.problems.append(
            Problem(report.file, reader.line, rule_id, "the rule can never fire: no call is left that it holds back")
        )
    return rule


def _is_idle(effect: Effect) -> bool:
    """Tell whether an effect allows everything."""
    match effect:
        case OpenHours(windows):
            closes = [spans for spans in (*windows.days, windows.holidays, windows.eves) if spans is not None]
            return all(spans == ALL_DAY for spans in closes)
        case CapAttempts(exclude=exclude):
            return set(exclude) == set(get_args(Outcome))
        case _:
            return False


def _read_effect(reader: Reader, when: When, start: date | None, end: date | None) -> Effect | None:
    given = [name for name in _EFFECTS if name in reader]
    if len(given) != 1:
        found = " and ".join(given) or "none"
        reader.report.refuse(reader.line, f"a rule does exactly one of {', '.join(_EFFECTS)}; here stands {found}")
        for name in given:
            reader.take(name)
        return None
    effect = _EFFECTS[given[0]](reader, given[0])
    if isinstance(effect, OpenHours):
        windows = effect.windows
        first, last = (None if day is None else day.toordinal() for day in (start, end))
        return replace(effect, windows=replace(windows, start=first, end=last))
    if isinstance(effect, CapAttempts):
        # What counts is what the rule is about: a rule on calls counts calls.
        return replace(effect, channels=when.channels or frozenset(get_args(Channel)))
    return effect


def _read_when(reader: Reader, defaults: When) -> When:
    when = When(
        _choices(reader, "purposes", get_args(Purpose)) if "purposes" in reader else defaults.purposes,
        _choices(reader, "channels", get_args(Channel)) if "channels" in reader else defaults.channels,
        _choices(reader, "modes", MODES) if "modes" in reader else defaults.modes,
        _choices(reader, "lines", get_args(LineType)) if "lines" in reader else defaults.lines,
    )
    reader.finish()
    return when


def _read_hours(reader: Reader, name: str) -> OpenHours:
    hours = reader.take_reader(name)
    days: dict[str, tuple[Minutes, ...]] = {}
    for key in hours:
        covered = _days_of(key)
        spans = (_spans(hours, key) or ()) if covered else ()
        for day in covered:
            if day in days:
                hours.report.refuse(hours.line_of(key), f"{key!r} gives hours for {day}, which has some already")
            days[day] = spans
    if missing := [day for day in WEEKDAYS if day not in days]:
        hours.report.refuse(hours.line, f"no hours are given for {', '.join(missing)}; write 'closed' or some windows")
    holidays, eves = _spans(hours, "holidays"), _spans(hours, "eves")
    calendar, place = hours.take_text("calendar"), hours.take_text("zone")
    if calendar is None and (holidays is not None or eves is not None):
        hours.report.refuse(hours.line, "'holidays' and 'eves' need a 'calendar', such as FR or US-LA")
    if calendar is not None and not is_calendar(calendar):
        hours.report.refuse(hours.line_of("calendar"), f"no public holidays are known for {calendar!r}")
        calendar = None
    if place is not None and not _is_zone(place):
        hours.report.refuse(hours.line_of("zone"), f"unknown time zone {place!r}; expected one such as Europe/Paris")
        place = None
    opened = hours.take_flag("opened_by_consent", False)
    hours.finish("days (daily, mon-fri, sat ...), holidays, eves, calendar, zone, opened_by_consent")
    return OpenHours(Windows(tuple(days.get(day, ()) for day in WEEKDAYS), calendar, holidays, eves), opened, place)


def _days_of(key: str) -> Sequence[str]:
    """Return the weekdays that a key of `hours` stands for: `daily`, `sat` or `mon-fri`."""
    first, dash, last = key.partition("-")
    if key == "daily":
        return WEEKDAYS
    if first not in WEEKDAYS or (dash and last not in WEEKDAYS):
        return ()
    begin, end = WEEKDAYS.index(first), WEEKDAYS.index(last if dash else first)
    return WEEKDAYS[begin : end + 1]


def _is_zone(name: str) -> bool:
    try:
        zone(name)
    except (ZoneInfoNotFoundError, ValueError):
        return False
    return True


def _spans(reader: Reader, key: str) -> tuple[Minutes, ...] | None:
    """Return the spans under *key*: pairs of clock times in order and apart, or `closed`."""
    node = reader.take(key)
    if node is None:
        return None
    report = reader.report
    if isinstance(node, Scalar) and node.text == "closed":
        return ()
    if not isinstance(node, Items):
        report.refuse(node.line, f'{key!r} must be \'closed\' or a list of pairs such as ["08:00", "21:00"]')
        return None
    spans: list[Minutes] = []
    for pair in node.items:
        if not isinstance(pair, Items) or len(pair.items) != 2:
            report.refuse(pair.line, f'a window of {key!r} must be a pair such as ["08:00", "21:00"]')
            continue
        start, end = (_clock(item, report) for item in pair.items)
        if start is None or end is None:
            continue
        if start >= end:
            report.refuse(pair.line, f"a window of {key!r} ends before it begins; over midnight write two")
        elif spans and start < max(last for _, last in spans):
            report.refuse(pair.line, f"windows of {key!r} overlap or are out of order")
        else:
            spans.append((start, end))
    return tuple(spans)


def _clock(node: Node, report: Report) -> int | None:
    text = read_text(node, "a time of day", report)
    if text is None:
        return None
    if not _CLOCK.fullmatch(text):
        report.refuse(node.line, f'{text!r} is no time of day; expected hours and minutes such as "09:30"')
        return None
    return int(text[:2]) * 60 + int(text[3:])


def _read_consent(reader: Reader, name: str) -> NeedConsent:
    consent = reader.take_reader(name)
    kinds = _choices(consent, "any_of", get_args(ConsentKind), required=True)
    unless = _read_unless(consent)
    consent.finish()
    return NeedConsent(kinds, unless)


def _read_unless(reader: Reader) -> Unless:
    unless = reader.take_reader("unless")
    kinds: frozenset[ConsentKind] = _choices(unless, "consent", get_args(ConsentKind))
    lengths: dict[RelationshipKind, Span | None] = {}
    relationship = unless.take_reader("relationship")
    for kind in get_args(RelationshipKind):
        if kind != "none" and kind in relationship:
            text = relationship.take_text(kind)
            lengths[kind] = None if text in (None, "any") else _span(text, relationship.line_of(kind), reader.report)
    relationship.finish()
    unless.finish()
    return Unless(kinds, lengths)


def _read_scrub(reader: Reader, name: str) -> NeedScrub:
    scrub = reader.take_reader(name)
    ages = scrub.take_reader("lists")
    lists: dict[DoNotCallList, int | None] = {}
    for key in get_args(DoNotCallList):
        if key in ages:
            node = ages.take(key)
            live = isinstance(node, Scalar) and node.text == "any"
            lists[key] = None if live else ages.take_whole(key, least=0, required=True)
    ages.finish(f"lists {', '.join(get_args(DoNotCallList))}")
    if not lists:
        reader.report.refuse(scrub.line, "'lists' names no list, so the rule can never fire")
    unless, required = _read_unless(scrub), scrub.take_flag("required", True)
    scrub.finish()
    return NeedScrub(lists, unless, required)


def _read_cap(reader: Reader, name: str) -> CapAttempts | None:
    cap = reader.take_reader(name)
    maximum = cap.take_whole("maximum", least=1, required=True)
    window = _length(cap, "within")
    key = _choice(cap, "per", get_args(CapKey), required=True)
    exclude: frozenset[Outcome] = _choices(cap, "exclude", get_args(Outcome))
    cap.finish()
    if maximum is None or window is None or key is None:
        return None
    return CapAttempts(maximum, window, key, frozenset(), exclude)


def _read_cool_down(reader: Reader, name: str) -> CoolDown | None:
    cool = reader.take_reader(name)
    after: Outcome | Literal["refused"] | None = _choice(cool, "after", ("refused", *get_args(Outcome)), required=True)
    lasting = _length(cool, "lasting", months=True)
    modes: frozenset[Mode] = _choices(cool, "modes", MODES)
    key: CapKey = _choice(cool, "per", get_args(CapKey)) or "person"
    cool.finish()
    if after is None or lasting is None:
        return None
    return CoolDown(None if after == "refused" else after, lasting, key, modes)


def _read_abandonment(reader: Reader, name: str) -> LimitAbandonment | None:
    limit = reader.take_reader(name)
    percent = limit.take_number("cap_pct", required=True)
    window = _choice(limit, "window", get_args(CountWindow), required=True)
    modes: frozenset[Mode] = _choices(limit, "modes", MODES, required=True)
    sample = limit.take_whole("min_sample", least=0) or 0
    connect = limit.take_whole("connect_within_ms", least=1)
    clock = _choice(limit, "clock_start", get_args(ClockStart)) or "answer"
    limit.finish()
    if percent is None or window is None:
        return None
    return LimitAbandonment(round(percent * 10_000), window, modes, sample, connect, clock)


def _read_ring(reader: Reader, name: str) -> MinRing | None:
    seconds = reader.take_whole(name, least=1, required=True)
    return None if seconds is None else MinRing(seconds)


def _read_barred(reader: Reader, name: str) -> Barred:
    barred = reader.take_reader(name)
    unless = _read_unless(barred)
    barred.finish()
    return Barred(unless)


def _read_revocation(reader: Reader, name: str) -> RevokeAll:
    if not reader.take_flag(name, False):
        reader.report.refuse(reader.line_of(name), f"{name!r} can only be true")
    return RevokeAll()


def _read_words(reader: Reader, name: str) -> OptOutWords:
    return OptOutWords(frozenset(word.casefold() for word in _texts(reader, name, required=True)))


_EFFECTS: dict[str, Callable[[Reader, str], Effect | None]] = {
    "hours": _read_hours,
    "consent": _read_consent,
    "scrub": _read_scrub,
    "cap": _read_cap,
    "cool_down": _read_cool_down,
    "abandonment": _read_abandonment,
    "min_ring_s": _read_ring,
    "barred": _read_barred,
    "revoke_all": _read_revocation,
    "opt_out_words": _read_words,
}


def _length(reader: Reader, key: str, *, months: bool = False) -> Span | None:
    text = reader.take_text(key, required=True)
    if text == "calendar_day":
        return Span(calendar_day=True)
    span = None if text is None else _span(text, reader.line_of(key), reader.report)
    if span is not None and span.months and not months:
        reader.report.refuse(reader.line_of(key), f"{key!r} counts days or hours, not months; write P30D")
    return span


def _span(text: str, line: int, report: Report) -> Span | None:
    match = _SPAN.fullmatch(text)
    years, months, days, hours, minutes = (int(part or 0) for part in match.groups()) if match else (0,) * 5
    if not any((years, months, days, hours, minutes)) or ((years or months) and (days or hours or minutes)):
        report.refuse(line, f"{text!r} is no length of time; expected one such as PT24H, P30D or P18M")
        return None
    return Span(years * 12 + months, days * DAY + (hours * 60 + minutes) * MINUTE)


def _date(reader: Reader, key: str, *, required: bool = False) -> date | None:
    text = reader.take_text(key, required=required)
    if text is None:
        return None
    try:
        return date.fromisoformat(text)
    except ValueError:
        reader.report.refuse(reader.line_of(key), f"{key!r} is {text!r}; expected a date such as 2026-11-23")
        return None


def _choice(reader: Reader, key: str, known: tuple[_T, ...], *, required: bool = False) -> _T | None:
    text = reader.take_text(key, required=required)
    if text is None:
        return None
    for value in known:
        if value == text:
            return value
    reader.report.refuse(reader.line_of(key), f"{key!r} is {text!r}; expected {', '.join(known)}")
    return None


def _choices(reader: Reader, key: str, known: tuple[_T, ...], *, required: bool = False) -> frozenset[_T]:
    texts = _texts(reader, key, required=required)
    for text in texts:
        if text not in known:
            reader.report.refuse(reader.line_of(key), f"{text!r} in {key!r}; expected {', '.join(known)}")
    if not texts and not required and key in reader:
        reader.report.refuse(reader.line_of(key), f"{key!r} is empty, so the rule can never fire")
    return frozenset(value for value in known if value in texts)


def _texts(reader: Reader, key: str, *, required: bool = False) -> list[str]:
    items = reader.take_items(key)
    if not items and required:
        reader.report.refuse(reader.line_of(key), f"{key!r} must be a list with at least one entry")
    texts = [read_text(item, f"an entry of {key!r}", reader.report) for item in items or ()]
    return [text for text in texts if text is not None]


def _plain(node: Node) -> object:
    """Return a node as plain values, for what a pack carries but does not read itself: its cases."""
    match node:
        case Fields(fields=fields):
            return {key: _plain(value) for key, value in fields.items()}
        case Items(items=items):
            return [_plain(item) for item in items]
        case Scalar(text, "bool", _):
            return text.lower() in ("true", "yes", "on", "y")
        case Scalar(text, "int", _):
            return int(text)
        case Scalar(text, "float", _):
            return float(text)
        case Scalar(_, "null", _):
            return None
        case Scalar(text):
            return text
