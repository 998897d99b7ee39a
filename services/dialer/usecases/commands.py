"""What an operator does: each command carries the state version it was made on and answers with the committed new
state.

A command for an older version is refused with the present state, so that nothing is done twice and nothing on a stale
screen is done at all. The pool's owner is poked afterwards; the poke may be lost, the commit may not.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any
from uuid import UUID

from services.dialer.domain import attempts as attempt_rules
from services.dialer.domain import operators as operator_rules
from services.dialer.domain import responses as response_rules
from services.dialer.domain.attempts import Attempt, AttemptState
from services.dialer.domain.leads import Lead
from services.dialer.domain.operators import Operator
from services.dialer.ports import Change, Conflict, DeskStore, StoredCall
from services.dialer.usecases import announcements, views
from services.dialer.usecases.offers import lead_given_back
from services.dialer.usecases.wrapup import Closing, bounded, checked_answer, close_call, open_response
from services.runtime.clock import Clock
from services.runtime.errors import ConflictError, FieldProblem, RejectedError

Poke = Callable[[Operator | None, Attempt | None], Awaitable[None]]
"""Tells the owner of the pool what was committed."""


@dataclass(frozen=True, slots=True)
class Desk:
    """What every command needs."""

    store: DeskStore
    clock: Clock
    poke: Poke


async def show(desk: Desk, operator_id: UUID) -> dict[str, Any]:
    """Return an operator's present state with their call."""
    return _body(*await desk.store.load_desk(operator_id))


async def command(desk: Desk, operator_id: UUID, version: int, signal: operator_rules.Signal) -> dict[str, Any]:
    """Apply one of the operator's own wishes: ready, pause, offline, ready-in, accept or skip an offer."""
    operator, call = await desk.store.load_desk(operator_id)
    _same_version(operator, call, version)
    now = desk.clock.now()
    after = operator_rules.decide(operator, signal, now)
    if after is None:
        raise ConflictError(_forbidden(operator, signal), present=_body(operator, call))
    if after is not operator:
        given_back = await lead_given_back(desk.store, operator, after, now)
        facts = announcements.of_operator(operator, after)
        await _commit(desk, Change(operator=after, lead=given_back, facts=facts), operator)
        await desk.poke(after, None)
    return _body(after, call)


async def hang_up(desk: Desk, operator_id: UUID, call_id: UUID, version: int) -> dict[str, Any]:
    """End the call and begin its wrap-up."""
    operator, call = await _call(desk, operator_id, call_id, version)
    attempt, now = call.attempt, desk.clock.now()
    wrapping = operator_rules.decide(operator, operator_rules.CallOver(call_id), now) or operator
    ending = attempt_rules.decide(attempt, attempt_rules.HangupRequested(), now)
    change = Change(
        operator=wrapping if wrapping is not operator else None,
        attempt=ending if ending is not attempt else None,
        facts=announcements.of_operator(operator, wrapping),
    )
    await _commit(desk, change, operator)
    await desk.poke(wrapping, ending)
    return _body(wrapping, replace(call, attempt=ending))


async def hold(desk: Desk, operator_id: UUID, call_id: UUID, version: int, *, held: bool) -> dict[str, Any]:
    """Put the customer on hold, or take them back."""
    operator, call = await _call(desk, operator_id, call_id, version)
    if call.attempt.state is not AttemptState.CONNECTED:
        raise ConflictError("You are not speaking with anybody on this call.", present=_body(operator, call))
    after = attempt_rules.decide(call.attempt, attempt_rules.HoldChanged(held), desk.clock.now())
    if after is not call.attempt:
        await _commit(desk, Change(attempt=after), operator)
        await desk.poke(None, after)
    return _body(operator, replace(call, attempt=after))


async def record_answer(
    desk: Desk, operator_id: UUID, call_id: UUID, question_id: str, value: Any, version: int
) -> dict[str, Any]:
    """Keep one answer; the last one to a question holds."""
    for _ in range(_TRIES):
        operator, call = await _call(desk, operator_id, call_id, version)
        now = desk.clock.now()
        response, script = await open_response(desk.store, call, operator.id, now)
        after = response_rules.with_answer(response, *checked_answer(script, question_id, value), now)
        bounded(after, f"answers.{question_id}")
        answer = (await desk.store.commit([Change(response=after)]))[0]
        if not isinstance(answer, Conflict):
            answers = dict(after.answers)
            return {
                "call_id": str(call_id),
                "version": operator.version,
                "revision": after.revision,
                "answers": answers,
            }
    raise ConflictError("Answers are being recorded by several screens at once; try again.")


async def show_script(desk: Desk, operator_id: UUID, call_id: UUID) -> dict[str, Any]:
    """Return the script of the operator's call with the answers so far, so that a reloaded screen goes on with it."""
    operator, call = await _call(desk, operator_id, call_id, None)
    response, script = await open_response(desk.store, call, operator.id, desk.clock.now())
    return {
        "call_id": call_id,
        "script_id": response.script_id,
        "version": response.script_version,
        "language": response.language,
        "script": script,
        "answers": dict(response.answers),
    }


async def lead_of(desk: Desk, operator_id: UUID, call_id: UUID) -> Lead:
    """Return the lead that the operator's call is about."""
    _, call = await _call(desk, operator_id, call_id, None)
    return call.lead


async def close(desk: Desk, operator_id: UUID, call_id: UUID, version: int, closing: Closing) -> dict[str, Any]:
    """Give the call its disposition; a refusal suppresses person and numbers in the same transaction."""
    operator, call = await _call(desk, operator_id, call_id, version)
    change = await close_call(desk.store, operator, call, closing, desk.clock.now())
    await _commit(desk, change, operator)
    await desk.poke(change.operator, None)
    return _body(change.operator or operator, call)


async def connection(desk: Desk, operator_id: UUID, instance_id: UUID | None, *, left: UUID | None = None) -> None:
    """Note that an operator's live line came to *instance_id*, or (None) went.

    *left* is the instance that says it went: when the line has come to another one meanwhile, nothing is lost.
    """
    signal = operator_rules.Disconnected(left) if instance_id is None else operator_rules.Connected(instance_id)
    for _ in range(_TRIES):
        operator = await desk.store.load_operator(operator_id)
        after = operator_rules.decide(operator, signal, desk.clock.now())
        if after is None or after is operator:
            return
        change = Change(operator=after, facts=announcements.of_operator(operator, after))
        answer = (await desk.store.commit([change]))[0]
        if not isinstance(answer, Conflict):
            await desk.poke(after, None)
            return


_TRIES = 5


async def _call(desk: Desk, operator_id: UUID, call_id: UUID, version: int | None) -> tuple[Operator, StoredCall]:
    operator, call = await desk.store.load_desk(operator_id)
    if call is None or call.attempt.id != call_id:
        raise ConflictError("You are not on this call.", present=_body(operator, call))
    _same_version(operator, call, version)
    return operator, call


def _same_version(operator: Operator, call: StoredCall | None, version: int | None) -> None:
    if version is not None and version != operator.version:
        present = _body(operator, call)
        raise ConflictError("Your screen was behind: the state has changed since.", present=present)


async def _commit(desk: Desk, change: Change, operator: Operator) -> None:
    answer = (await desk.store.commit([change]))[0]
    if isinstance(answer, Conflict):
        present = _body(*await desk.store.load_desk(operator.id))
        raise ConflictError("The state has changed meanwhile; look again.", present=present)


def _body(operator: Operator, call: StoredCall | None) -> dict[str, Any]:
    if call is None or call.attempt.id != operator.attempt_id:
        return views.operator_body(operator, None, None)
    return views.operator_body(operator, call.attempt, call.lead)


def _forbidden(operator: Operator, signal: operator_rules.Signal) -> str:
    wish = {"ReadyIn": "say when you will be ready", "OfferAccepted": "accept an offer"}
    what = wish.get(type(signal).__name__, "do this")
    return f"You cannot {what} while {operator.state.value.replace('_', ' ')}."


def pause_of(reason: str) -> operator_rules.Pause:
    """Return the wish to pause for a known reason; raises `RejectedError` naming the known ones."""
    if reason not in operator_rules.PAUSE_REASONS:
        problem = f"expected one of {', '.join(operator_rules.PAUSE_REASONS)}"
        raise RejectedError("The reason is unknown.", fields=(FieldProblem("reason", problem),))
    return operator_rules.Pause(reason)


def ready_in(now: datetime, at: datetime) -> operator_rules.ReadyIn:
    """Return the signal that the operator will be ready at an instant not before *now*."""
    return operator_rules.ReadyIn(max(at, now))
