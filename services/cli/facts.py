"""Lines of facts in, lines of decisions out: the stream of `galw gate explain --facts`."""

import gc
import multiprocessing
import os
import select
import signal
from collections import deque
from collections.abc import Generator, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import ExitStack, contextmanager
from io import UnsupportedOperation
from typing import Any, BinaryIO, cast

import orjson

from services.cli.client import CommandError, Exit
from services.dialer.domain.gate import Decision, FactError, Packs, decide, parse_facts
from services.dialer.domain.gate.nodes import PackError, from_json
from services.dialer.domain.gate.parse import parse_pack
from services.runtime.repeats import repeated_field

LINE_LIMIT = 1_000_000  # Bytes; a line of facts has about a thousand.
_BLOCK = 1 << 18  # Bytes: some hundred lines.
_FEW = 8  # So many lines are answered at once, without another process.
_AHEAD = 4  # So many blocks are given to each process before the first of their answers is waited for.
_MARKS = {"allow": "✓", "defer": "…", "deny": "✗"}


def answer_stream(source: BinaryIO, packs: Packs, as_json: bool) -> Iterator[bytes]:
    """Yield the answers to the lines of *source* in their order, on all processors where many lines come at once.

    Whoever feeds line by line gets each answer before the next line is waited for.
    """
    workers, waiting, blocks = len(os.sched_getaffinity(0)), deque[Future[bytes]](), _blocks(source)
    pool: ProcessPoolExecutor | None = None
    with seldom_collecting(), ExitStack() as stack:
        try:
            while True:
                if waiting and (len(waiting) >= workers * _AHEAD or not _has_more(source)):
                    yield waiting.popleft().result()
                elif (lines := next(blocks, None)) is None:
                    break
                elif workers == 1 or (len(lines) <= _FEW and not waiting):
                    yield answer_block(lines, packs, as_json)
                else:
                    if pool is None:
                        pool = stack.enter_context(_processes(workers, packs, as_json))
                    waiting.append(pool.submit(_answer_here, lines))
            for future in waiting:
                yield future.result()
        except BrokenProcessPool as error:
            raise CommandError("A process that answers was ended from outside; ask again.", Exit.FAILED) from error


def _processes(number: int, packs: Packs, as_json: bool) -> ProcessPoolExecutor:
    """Return processes that answer; the children of a fork have the packs already."""
    return ProcessPoolExecutor(number, multiprocessing.get_context("fork"), _begin, (packs, as_json))


def _has_more(source: BinaryIO) -> bool:
    """Tell whether reading would not wait; what is no file of the system never does."""
    try:
        return bool(select.select([source], (), (), 0)[0])
    except (UnsupportedOperation, ValueError, OSError):
        return True


def _blocks(source: BinaryIO) -> Iterator[list[bytes]]:
    """Yield the lines that can be read together; of one too long no more than shows that it is."""
    rest = b""
    while block := cast("Any", source).read1(_BLOCK):
        *lines, rest = (rest + block).split(b"\n")
        rest = rest[: LINE_LIMIT + 1]
        if lines:
            yield lines
    if rest:
        yield [rest]


_inherited: tuple[Packs, bool]


def _begin(packs: Packs, as_json: bool) -> None:
    global _inherited
    _inherited = packs, as_json
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the parent, which ends us.


def _answer_here(lines: list[bytes]) -> bytes:
    return answer_block(lines, *_inherited)


def answer_block(lines: list[bytes], packs: Packs, as_json: bool) -> bytes:
    """Return the answers to *lines*, in their order."""
    return b"".join([render(answer_line(line, packs), as_json) for line in lines])


def answer_line(line: bytes, packs: Packs) -> Decision | dict[str, Any]:
    """Return the decision for one line of JSON, or what is wrong with it; never raises for what a line contains."""
    try:
        value = read_line(line)
        if isinstance(value, dict) and value.get("organisation_packs"):
            packs, value = _with_packs(cast("dict[str, Any]", value), packs)
        facts, at = parse_facts(value, packs.places)
        return decide(facts, packs, at)
    except FactError as error:
        return error.to_json()


def read_line(line: bytes) -> object:
    """Return the JSON value of one line of facts; raises `FactError`."""
    if len(line) > LINE_LIMIT:
        raise FactError("facts", f"a line of at most {LINE_LIMIT:,} bytes")
    try:
        value = orjson.loads(line)
    except orjson.JSONDecodeError as error:
        raise FactError("facts", f"one JSON object a line ({error.msg.partition(': line ')[0]})") from error
    try:
        twice = repeated_field(line, value)
    except RecursionError as error:
        raise FactError("facts", "no objects nested hundreds deep") from error
    if twice is not None:
        raise FactError(twice, "each field once")
    return value


_extended: dict[bytes, tuple[Packs, Packs, list[object]]] = {}
_EXTENDED = 64  # Packs in the facts are compiled; many lines bring the same ones.


def _with_packs(value: dict[str, Any], packs: Packs) -> tuple[Packs, dict[str, Any]]:
    """Return packs that know those given in the facts themselves, and the facts naming them by id."""
    try:
        given = orjson.dumps(value["organisation_packs"])
    except orjson.JSONEncodeError:  # nested too deep to be told from others: read it every time
        extended, names = _extend(packs, value["organisation_packs"])
        return extended, {**value, "organisation_packs": names}
    base, extended, names = _extended.get(given) or (None, packs, [])
    if base is not packs:
        extended, names = _extend(packs, value["organisation_packs"])
        if len(_extended) >= _EXTENDED:
            _extended.clear()
        _extended[given] = packs, extended, names
    return extended, {**value, "organisation_packs": names}


def _extend(packs: Packs, given: object) -> tuple[Packs, list[object]]:
    """Return packs that know those *given* besides, and the names of these."""
    if not isinstance(given, list):
        raise FactError("organisation_packs", "a list of packs, each its id or the pack itself")
    more, names = dict(packs.optional), list[object]()
    in_force = {pack.id for pack in packs.in_force}
    for index, item in enumerate(cast("list[object]", given)):
        field = f"organisation_packs[{index}]"
        if isinstance(item, dict):
            try:
                pack = parse_pack(from_json(cast("dict[str, Any]", item)), field)
            except RecursionError as error:
                raise FactError(field, "a pack, not objects hundreds deep") from error
            except PackError as error:
                raise FactError(field, f"a valid pack: {error}") from error
            if pack.id in in_force or (pack.extends is not None and pack.extends not in in_force):
                raise FactError(field, "a pack with an id of its own that extends none, or one in force")
            more[pack.id] = pack
            names.append(pack.id)
        elif isinstance(item, str) and (item in more or item in in_force):
            names += [item] if item in more else []
        else:
            raise FactError(field, "the id of a pack that is there, or the pack itself")
    return Packs(packs.places, packs.in_force, more), names


@contextmanager
def seldom_collecting() -> Generator[None]:
    """Look for circular garbage seldom, and not in the packs: answers make none, and it took a third of the time."""
    usual = gc.get_threshold()
    gc.freeze()
    gc.set_threshold(200_000, *usual[1:])
    try:
        yield
    finally:
        gc.set_threshold(*usual)
        gc.unfreeze()


def render(answer: Decision | dict[str, Any], as_json: bool) -> bytes:
    """Return an answer as a line of JSON, or as text for people."""
    if isinstance(answer, dict):
        if as_json:
            return orjson.dumps(answer) + b"\n"
        error = answer["error"]
        return f"{error['field']}: expected {error['expected']}\n".encode()
    if as_json:
        return orjson.dumps(answer.to_json()) + b"\n"
    return _describe(answer).encode()


def _describe(decision: Decision) -> str:
    stored = decision.to_json()
    head = decision.decision + (f" until {stored['until']}" if decision.until else "")
    rules = [f"  {_MARKS[r.says]} {r.id:<28} {r.says:<6} {r.text} [{r.cite}]" for r in decision.rules]
    facts = (
        ("modes now", decision.allowed_modes),
        ("zones", decision.zones),
        ("law of", decision.jurisdictions),
        ("packs", [f"{name} {version}" for name, version in decision.packs.items()]),
        ("drafts", decision.drafts),
    )
    tail = [f"  {name}: {', '.join(values)}" for name, values in facts if values]
    return "\n".join([head, *rules, *tail, f"  rings at least {decision.min_ring_s} s"]) + "\n"
