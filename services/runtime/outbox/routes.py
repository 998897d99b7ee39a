"""Telling facts again over HTTP: for a consumer that lost something, or a new one."""

from datetime import timedelta

import structlog
from pydantic import BaseModel, Field

from services.events.topics import TOPICS
from services.runtime.http import Call, Input, Routes, rejected
from services.runtime.http.instant import Instant
from services.runtime.identity.principal import Role
from services.runtime.outbox.append import OutboxSignal
from services.runtime.outbox.retention import republish
from services.runtime.postgres import Pool

_LOG = structlog.get_logger(__name__)


class RepublishInput(Input):
    """What to tell again."""

    since: Instant = Field(description="Facts that were announced at or after this instant.")
    topics: list[str] | None = Field(None, max_length=50, description="On these topics of the service; null: on all.")


class Republished(BaseModel):
    """How many facts will be told again on which topics."""

    facts: int
    topics: list[str]


def republish_routes(service: str, pool: Pool, signal: OutboxSignal) -> Routes:
    """Return the route that tells again what *service* announced."""
    routes = Routes(prefix=f"/api/{service}", tag="facts")
    own = sorted(topic.name for topic in TOPICS if topic.owner == service or topic.external)

    @routes.post("/facts/republish", roles={Role.ADMIN}, status=202, summary="Tell again what was announced")
    async def post_republish(call: Call, body: RepublishInput) -> Republished:
        chosen = own if body.topics is None else body.topics
        if foreign := sorted(set(chosen) - set(own)):
            raise rejected("topics", f"not of this service: {', '.join(foreign)}; expected some of {', '.join(own)}")
        # Nothing is kept for ten years, and at the beginning of time the arithmetic ends.
        since = max(body.since, call.now - timedelta(days=3650))
        facts = await republish(pool, chosen, since)
        signal.set()
        _LOG.info("facts.republished", topics=chosen, facts=facts, user_id=str(call.principal.user_id))
        return Republished(facts=facts, topics=chosen)

    return routes
