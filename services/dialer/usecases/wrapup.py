"""Closing a call: the operator's disposition, or the wrap-up limit when none came."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from services.dialer.domain import leads as lead_rules
from services.dialer.domain import operators as operator_rules
from services.dialer.domain import responses as response_rules
from services.dialer.domain import scripts as script_rules
from services.dialer.domain.attempts import Attempt, Outcome
from services.dialer.domain.campaigns import Campaign
from services.dialer.domain.leads import Lead
from services.dialer.domain.operators import Operator
from services.dialer.domain.responses import Response
from services.dialer.domain.scripts import Disposition, Script
from services.dialer.ports import CallStore, Change, Fence, PersonSuppressed, StoredCall
from services.dialer.usecases import announcements, views
from services.events import dialer as facts
from services.events.dialer import ResponseRecorded
from services.events.envelope import Event
from services.runtime.errors import ConflictError, FieldProblem, RejectedError

CALL_BACK_WITHIN = timedelta(days=366)


@dataclass(frozen=True, slots=True)
class Closing:
    """What an operator says about a call: the disposition, and when to call back if that is what it means."""

    disposition: str
    note: str = ""
    answers: dict[str, Any] | None = None
    call_back_at: datetime | None = None
    call_back_own: bool = False


async def close_call(store: CallStore, operator: Operator, call: StoredCall, closing: Closing, now: datetime) -> Change:
    """Return the change that closes a call as its operator says; raises what is wrong with the closing."""
    attempt = call.attempt
    response, script = await open_response(store, call, operator.id, now)
    disposition = script.disposition(closing.disposition)
    if disposition is None:
        known = ", ".join(d.id for d in script.dispositions)
        raise RejectedError(
            "The disposition is unknown.", fields=(FieldProblem("disposition", f"expected one of {known}"),)
        )
    after = operator_rules.decide(operator, operator_rules.Dispositioned(attempt.id), now)
    if after is None:
        present = views.operator_body(operator, attempt, call.lead)
        raise ConflictError("This call is not in wrap-up; end it first.", present=present)
    answers = dict(checked_answer(script, question_id, value) for question_id, value in (closing.answers or {}).items())
    response = bounded(response_rules.closed(response, disposition.id, closing.note, now, answers), "note")
    missing = script_rules.unanswered(script, response.answers) if disposition.needs_answers else ()
    if missing:
        raise RejectedError(
            f"The disposition {disposition.id!r} needs answers that are missing.",
            fields=tuple(FieldProblem(f"answers.{question}", "an answer is required") for question in missing),
        )
    lead = _lead_after(call.lead, disposition, closing, call.campaign, operator, now)
    news = (*announcements.of_operator(operator, after), recorded(response, script), *announcements.of_lead(lead, now))
    suppressed = None
    if disposition.effect == "refused":
        suppressed, refused = _refusal(attempt, lead, operator.id, now)
        news += (refused,)
    return Change(operator=after, lead=lead, response=response, suppressed=suppressed, facts=news)


async def close_unfinished(
    store: CallStore, operator: Operator, attempt_id: UUID, now: datetime, fence: Fence
) -> Change:
    """Return the change that ends a wrap-up whose time is over; what was recorded stays."""
    call = await store.load_call(attempt_id)
    response, script = await open_response(store, call, operator.id, now)
    response = response_rules.closed(response, response_rules.UNFINISHED, response.note, now)
    after = operator_rules.decide(operator, operator_rules.Dispositioned(attempt_id), now)
    done = lead_rules.finish(call.lead, "reached") if call.lead.state is lead_rules.LeadState.BUSY else None
    news: tuple[Event, ...] = (recorded(response, script),)
    news += announcements.of_operator(operator, after) if after is not None else ()
    news += announcements.of_lead(done, now) if done is not None else ()
    return Change(operator=after, lead=done, response=response, facts=news, fence=fence)


async def close_lost(store: CallStore, attempt: Attempt, now: datetime) -> tuple[Response, ResponseRecorded] | None:
    """Return the closed response of a call that lost its operator for good, with its fact; None when that is done."""
    if attempt.operator_id is None:
        return None
    response, script = await open_response(store, await store.load_call(attempt.id), attempt.operator_id, now)
    if response.disposition is not None:
        return None
    response = response_rules.closed(response, response_rules.UNFINISHED, response.note, now)
    return response, recorded(response, script)


def checked_answer(script: Script, question_id: str, value: Any) -> tuple[str, Any]:
    """Return the pair when the answer fits its question; raises `RejectedError` naming the question."""
    question = script.question(question_id)
    if question is None:
        problem = "is not a question of this script version"
    else:
        problem = script_rules.check_answer(question, value)
    if problem is not None:
        raise RejectedError("The answer does not fit.", fields=(FieldProblem(f"answers.{question_id}", problem),))
    return question_id, value


def bounded(response: Response, field: str) -> Response:
    """Return *response* when all of it fits into one fact; raises `RejectedError` naming *field*."""
    if response_rules.too_long(response):
        problem = f"the answers of this call are too long; together they may have {response_rules.MAX_BYTES:,} bytes"
        raise RejectedError("The call holds too much text.", fields=(FieldProblem(field, problem),))
    return response


async def open_response(
    store: CallStore, call: StoredCall, operator_id: UUID, now: datetime
) -> tuple[Response, Script]:
    """Return the response that a call has so far, or a new one, with the script version it was placed with."""
    attempt, campaign, present = call.attempt, call.campaign, call.response
    if present is not None:
        script = await store.load_script(present.script_id, present.script_version)
        return replace(present, operator_id=operator_id), script
    # The campaign may have another script by now, but this is the one that the operator was shown.
    script_id, script_version = attempt.script_id, attempt.script_version
    if script_id is None or script_version is None:
        script_id, script_version = campaign.script_id, campaign.script_version
    if script_id is None or script_version is None:
        raise ConflictError("This campaign has no script.")
    script = await store.load_script(script_id, script_version)
    person = call.lead.person
    response = Response(
        attempt_id=attempt.id,
        campaign_id=campaign.id,
        contact_id=attempt.contact_id,
        operator_id=operator_id,
        script_id=script_id,
        script_version=script_version,
        language=script_rules.language_for(script, (person.language, campaign.plan.language)),
        at=now,
    )
    return response, script


def _lead_after(
    lead: Lead, disposition: Disposition, closing: Closing, campaign: Campaign, operator: Operator, now: datetime
) -> Lead:
    match disposition.effect:
        case "reached":
            return lead_rules.finish(lead, "reached")
        case "refused":
            return lead_rules.finish(lead, "refused")
        case "wrong_person":
            return lead_rules.plan_after(lead, Outcome.INVALID, campaign.plan.cadence, now)
        case "retry":
            return lead_rules.plan_after(lead, Outcome.NO_ANSWER, campaign.plan.cadence, now)
        case "call_back":
            if closing.call_back_at is None or not now < closing.call_back_at < now + CALL_BACK_WITHIN:
                problem = "expected an instant within a year, with its offset, such as 2026-11-24T15:00:00+01:00"
                raise RejectedError("When should they be called back?", fields=(FieldProblem("call_back_at", problem),))
            own = operator.id if closing.call_back_own else None
            return lead_rules.call_back(lead, closing.call_back_at, own)


def recorded(response: Response, script: Script) -> ResponseRecorded:
    """Return the fact of a closed response, in the words of its script."""
    answers: Sequence[facts.RecordedAnswer] = [
        facts.RecordedAnswer(
            question_id=question.id,
            kind=question.kind,
            question=question.ask.get(response.language) or next(iter(question.ask.values())),
            value=response.answers[question.id],
        )
        for question in script.questions
        if question.id in response.answers
    ]
    return ResponseRecorded(
        attempt_id=response.attempt_id,
        revision=response.revision,
        campaign_id=response.campaign_id,
        contact_id=response.contact_id,
        operator_id=response.operator_id,
        script_id=response.script_id,
        script_version=response.script_version,
        language=response.language,
        disposition=response.disposition or response_rules.UNFINISHED,
        answers=tuple(answers),
        note=response.note,
        at=response.at,
    )


def _refusal(
    attempt: Attempt, lead: Lead, operator_id: UUID, now: datetime
) -> tuple[PersonSuppressed, facts.PersonRefused]:
    digests = tuple({attempt.number_digest, *(phone.digest for phone in lead.phones)})
    suppressed = PersonSuppressed(attempt.contact_id, digests, "operator", now)
    refused = facts.PersonRefused(
        attempt_id=attempt.id,
        campaign_id=attempt.campaign_id,
        contact_id=attempt.contact_id,
        operator_id=operator_id,
        at=now,
    )
    return suppressed, refused
