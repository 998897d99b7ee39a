"""The operator's desk over HTTP: everything an operator does is one call here, so that any client can be written.

A command names the state version it was made on and is answered with the committed new state; one made on an older
version is a 409 whose problem carries the present state.
"""

from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from pydantic import BaseModel, Field

from services.dialer.domain import operators as rules
from services.dialer.domain.leads import Lead
from services.dialer.domain.scripts import Script
from services.dialer.usecases import commands
from services.dialer.usecases.callbacks import instant_of
from services.dialer.usecases.commands import Desk
from services.dialer.usecases.wrapup import Closing
from services.runtime.http import Call, Input, Routes
from services.runtime.http.instant import Instant
from services.runtime.identity.principal import Role

_OPERATOR = {Role.OPERATOR}
Enrol = Callable[[UUID, str], Awaitable[object]]
"""Makes an operator's row when they come for the first time."""

Zones = Callable[[Lead], Sequence[str]]
"""Says in which time zones a lead's person may be."""

_VERSION = Field(ge=1, le=2**31 - 1, description="The state version this command was made on.")


class Command(Input):
    """A command on a state."""

    version: int = _VERSION


class PauseCommand(Command):
    """A wish to pause."""

    reason: str = Field(description="One of: " + ", ".join(rules.PAUSE_REASONS))


class ReadyInCommand(Command):
    """A promise to be ready soon, which pacing counts on."""

    seconds: int = Field(ge=0, le=600)


class AnswerBody(Command):
    """An answer to one question; its type follows from the question's."""

    value: str | int | float | bool | list[str] | None


class DispositionBody(Command):
    """How the call went. A callback needs an instant, or a local time in the person's zone."""

    disposition: str = Field(min_length=1, max_length=60)
    note: str = Field("", max_length=10_000)
    answers: dict[str, str | int | float | bool | list[str] | None] = Field({}, max_length=200)
    call_back_at: Instant | None = None
    call_back_local: str | None = Field(
        None, pattern=r"^\d{4}-\d\d-\d\dT\d\d:\d\d$", description="2026-11-24T15:00, where the person is."
    )
    call_back_own: bool = Field(False, description="Whether only this operator should call back.")


class PersonView(BaseModel):
    """What an operator may know of the person."""

    name: str
    language: str | None
    country: str | None
    region: str | None
    attributes: dict[str, Any]


class CallView(BaseModel):
    """The call an operator is on."""

    call_id: UUID
    campaign_id: UUID
    contact_id: UUID
    lead_id: UUID
    state: str
    held: bool
    phone: str
    answered_at: datetime | None
    connected_at: datetime | None
    person: PersonView | None


class OperatorView(BaseModel):
    """An operator's state; send `version` with the next command."""

    operator_id: UUID
    state: rules.OperatorState
    reason: str | None
    since: datetime
    version: int
    next_state: str | None
    offer_lead_id: UUID | None
    call: CallView | None


class Answers(BaseModel):
    """What was recorded during a call so far; *version* is that of the operator's state."""

    call_id: UUID
    version: int
    revision: int
    answers: dict[str, Any]


class CallScript(BaseModel):
    """The script of the call an operator is on, in the version its answers belong to, and what was answered so far."""

    call_id: UUID
    script_id: UUID
    version: int
    language: str
    script: Script
    answers: dict[str, Any]


def desk_routes(desk: Desk, enrol: Enrol, zones: Zones) -> Routes:
    """Return the routes of the operator's desk."""
    routes = Routes(prefix="/api/dialer", tag="desk")

    @routes.get("/operators/me", roles=_OPERATOR, summary="My state, with the call I am on")
    async def get_me(call: Call) -> OperatorView:
        await enrol(call.principal.user_id, call.principal.name)
        return OperatorView(**await commands.show(desk, call.principal.user_id))

    @routes.post("/operators/me/ready", roles=_OPERATOR, summary="I want calls")
    async def post_ready(call: Call, body: Command) -> OperatorView:
        return await _command(call, body, rules.MakeReady())

    @routes.post("/operators/me/pause", roles=_OPERATOR, summary="I want no calls for a while")
    async def post_pause(call: Call, body: PauseCommand) -> OperatorView:
        return await _command(call, body, commands.pause_of(body.reason))

    @routes.post("/operators/me/offline", roles=_OPERATOR, summary="I end my session")
    async def post_offline(call: Call, body: Command) -> OperatorView:
        return await _command(call, body, rules.GoOffline())

    @routes.post("/operators/me/ready-in", roles=_OPERATOR, summary="I will be ready in so many seconds")
    async def post_ready_in(call: Call, body: ReadyInCommand) -> OperatorView:
        at = call.now + timedelta(seconds=body.seconds)
        return await _command(call, body, commands.ready_in(call.now, at))

    @routes.post("/operators/me/offer/accept", roles=_OPERATOR, summary="Dial the lead I was shown")
    async def post_accept(call: Call, body: Command) -> OperatorView:
        return await _command(call, body, rules.OfferAccepted())

    @routes.post("/operators/me/offer/skip", roles=_OPERATOR, summary="Show me another lead")
    async def post_skip(call: Call, body: Command) -> OperatorView:
        return await _command(call, body, rules.OfferGone())

    @routes.post("/calls/{call_id}/hang-up", roles=_OPERATOR, summary="End the call and begin its wrap-up")
    async def post_hang_up(call: Call, call_id: UUID, body: Command) -> OperatorView:
        return OperatorView(**await commands.hang_up(desk, call.principal.user_id, call_id, body.version))

    @routes.post("/calls/{call_id}/hold", roles=_OPERATOR, summary="Put the customer on hold")
    async def post_hold(call: Call, call_id: UUID, body: Command) -> OperatorView:
        return OperatorView(**await commands.hold(desk, call.principal.user_id, call_id, body.version, held=True))

    @routes.post("/calls/{call_id}/resume", roles=_OPERATOR, summary="Take the customer back")
    async def post_resume(call: Call, call_id: UUID, body: Command) -> OperatorView:
        return OperatorView(**await commands.hold(desk, call.principal.user_id, call_id, body.version, held=False))

    @routes.get("/calls/{call_id}/script", roles=_OPERATOR, summary="What to say and ask, and what was answered so far")
    async def get_call_script(call: Call, call_id: UUID) -> CallScript:
        return CallScript(**await commands.show_script(desk, call.principal.user_id, call_id))

    @routes.put("/calls/{call_id}/answers/{question_id}", roles=_OPERATOR, summary="Record an answer")
    async def put_answer(call: Call, call_id: UUID, question_id: str, body: AnswerBody) -> Answers:
        user = call.principal.user_id
        return Answers(**await commands.record_answer(desk, user, call_id, question_id, body.value, body.version))

    @routes.post("/calls/{call_id}/disposition", roles=_OPERATOR, summary="Say how the call went")
    async def post_disposition(call: Call, call_id: UUID, body: DispositionBody) -> OperatorView:
        at = body.call_back_at
        if at is None and body.call_back_local is not None:
            lead = await commands.lead_of(desk, call.principal.user_id, call_id)
            at = instant_of(body.call_back_local, zones(lead))
        closing = Closing(body.disposition, body.note, dict(body.answers), at, body.call_back_own)
        return OperatorView(**await commands.close(desk, call.principal.user_id, call_id, body.version, closing))

    async def _command(call: Call, body: Command, signal: rules.Signal) -> OperatorView:
        user = call.principal
        await enrol(user.user_id, user.name)
        return OperatorView(**await commands.command(desk, user.user_id, body.version, signal))

    return routes
