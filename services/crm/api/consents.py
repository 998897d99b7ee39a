"""The consent ledger and suppression over HTTP."""

from uuid import UUID

from services.crm.api.access import HANDLERS, MANAGERS, PREFIX, check_may_read
from services.crm.api.models import LedgerView, LineInput, LineView, NumberLineInput
from services.crm.domain.consents import Change
from services.crm.ports import PhoneDigest, Store
from services.crm.usecases.consents import record_consent, record_for_number, standing_of
from services.runtime.errors import ForbiddenError
from services.runtime.http import Call, Routes
from services.runtime.identity import Role
from services.runtime.phone import parse_phone

_REFUSAL_HEARERS = MANAGERS | {Role.OPERATOR, Role.SUPERVISOR}
"""Whoever speaks with people hears a no and must be able to write it down."""


def consent_routes(store: Store, digest: PhoneDigest) -> Routes:
    """Return the routes of consents."""
    routes = Routes(prefix=PREFIX, tag="consents")

    @routes.get("/contacts/{contact_id}/consents", roles=HANDLERS, summary="Read what a person allowed and forbade")
    async def get_consents(call: Call, contact_id: UUID) -> LedgerView:
        async with store.transaction() as tx:
            await check_may_read(tx, call.principal, contact_id)
            lines, standing = await standing_of(tx, contact_id)
            of_numbers = await tx.ledger.suppressions_of_numbers(contact_id)
        return LedgerView.of(lines, standing, of_numbers)

    @routes.post(
        "/contacts/{contact_id}/consents",
        roles=_REFUSAL_HEARERS,
        status=201,
        idempotent=True,
        summary="Write down what a person allowed or forbade",
    )
    async def post_consent(call: Call, contact_id: UUID, body: LineInput) -> LineView:
        if not call.principal.roles & MANAGERS:
            if body.change is Change.GIVEN:
                raise ForbiddenError("A consent is written down by marketing, with its proof; you may write down a no.")
            async with store.transaction() as tx:
                await check_may_read(tx, call.principal, contact_id)
        line = body.line(call.now, call.principal.user_id)
        return LineView.of(await record_consent(store, contact_id, line, call.clock))

    @routes.post(
        "/suppressions",
        roles=MANAGERS,
        status=201,
        idempotent=True,
        summary="Forbid a number, or allow it again, whoever holds it",
    )
    async def post_suppression(call: Call, body: NumberLineInput) -> LineView:
        number = parse_phone(body.number, body.default_region)
        line = body.line(call.now, call.principal.user_id)
        return LineView.of(await record_for_number(store, number, line, digest, call.clock))

    return routes
