"""What a person answered: collected during the call, closed by a disposition, revisable for a while."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any
from uuid import UUID

UNFINISHED = "not_dispositioned"
"""The disposition the dialer gives when the wrap-up limit ended the call."""


@dataclass(frozen=True, slots=True)
class Response:
    """The answers of one call to one script version; *disposition* is None while the call goes on."""

    attempt_id: UUID
    campaign_id: UUID
    contact_id: UUID
    operator_id: UUID
    script_id: UUID
    script_version: int
    language: str
    at: datetime
    revision: int = 0
    answers: Mapping[str, Any] = field(default_factory=dict[str, Any])
    disposition: str | None = None
    note: str = ""


MAX_BYTES = 100_000
"""All answers of a call with its note, as JSON: with the script's words beside them they must fit into one fact."""


def too_long(response: Response) -> bool:
    """Tell whether a response holds more than can be announced."""
    return len(json.dumps([dict(response.answers), response.note], ensure_ascii=False).encode()) > MAX_BYTES


def with_answer(response: Response, question_id: str, value: Any, now: datetime) -> Response:
    """Return the next revision, with one more answer or a changed one."""
    answers = {**response.answers, question_id: value}
    return replace(response, answers=answers, revision=response.revision + 1, at=now)


def closed(
    response: Response, disposition: str, note: str, now: datetime, answers: Mapping[str, Any] | None = None
) -> Response:
    """Return the next revision, with its disposition and the last answers."""
    return replace(
        response,
        disposition=disposition,
        note=note,
        answers={**response.answers, **(answers or {})},
        revision=response.revision + 1,
        at=now,
    )
