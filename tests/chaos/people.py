"""Those who work with Galw during a run, over its API only, and what they were promised: the other judge."""

import random
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

import orjson
import standardwebhooks
from aiohttp import ClientSession, web

from services.runtime.clock import SystemClock
from services.runtime.errors import ConflictError
from services.standalone.demo import staff
from services.standalone.demo.client import SignedIn
from services.standalone.demo.operators import SimulatedOperator
from services.standalone.demo.people import contact_file, demo_people

PACE = 12.0
"""How many times faster than life the operators speak and type."""

SCRIPT = {
    "languages": ["en"],
    "opening": {"en": "Good day, this is Galw."},
    "questions": [
        {
            "id": "served",
            "kind": "choice",
            "ask": {"en": "Were you well served?"},
            "options": [{"value": "yes", "label": {"en": "Yes"}}, {"value": "no", "label": {"en": "No"}}],
        },
        {"id": "score", "kind": "scale", "ask": {"en": "How well, from 1 to 5?"}, "minimum": 1, "maximum": 5},
    ],
    "dispositions": [
        {"id": "completed", "label": {"en": "Completed"}},
        {"id": "not_now", "label": {"en": "Not now"}, "effect": "retry"},
        {"id": "never_call_again", "label": {"en": "Never again"}, "effect": "refused"},
    ],
}
PLAN = {
    "purpose": "informational",
    "mode": "progressive",
    "hours": [{"start": "00:00", "end": "23:59:59"}],
    "caller_ids": ["+442079460999"],
    "caps": [{"maximum": 3, "window": "PT24H"}],
    "cadence": [
        {
            "kind": "call",
            "max_attempts": 4,
            "retries": {
                "busy": {"delay": "PT3S", "maximum": 3},
                "no_answer": {"delay": "PT5S", "maximum": 3},
                "network": {"delay": "PT2S", "maximum": 3},
            },
        }
    ],
}
CAP = 3


@dataclass(slots=True)
class Promised:
    """What Galw acknowledged: for each call its disposition and answers, for each person the instant of a no.

    A request whose answer was lost may or may not have been heeded, so what was sent after it counts as possible.
    """

    dispositions: dict[str, str] = field(default_factory=dict[str, str])
    answers: dict[tuple[str, str], Any] = field(default_factory=dict[tuple[str, str], Any])
    possible: dict[tuple[str, str], list[Any]] = field(default_factory=lambda: defaultdict(list))
    refusals: dict[str, datetime] = field(default_factory=dict[str, datetime])
    """By phone number."""

    def sent(self, path: str, body: Any) -> None:
        """Note that a request is on its way."""
        if (what := _recorded(path, body)) is not None:
            self.possible[what[0]].append(what[1])

    def acknowledged(self, path: str, body: Any) -> None:
        """Note that a request was answered with success; what was sent before it is overruled."""
        if (what := _recorded(path, body)) is None:
            return
        (call_id, question), value = what
        self.possible[call_id, question] = [value]
        if question:
            self.answers[call_id, question] = value
        else:
            self.dispositions[call_id] = value


def _recorded(path: str, body: Any) -> tuple[tuple[str, str], Any] | None:
    parts = path.split("/")
    if parts[-1] == "disposition":
        return (parts[-2], ""), body["disposition"]
    if len(parts) > 2 and parts[-2] == "answers":
        return (parts[-3], parts[-1]), body["value"]
    return None


class Witness(SignedIn):
    """A person signed in whose requests are noted before they are sent and again when they are acknowledged."""

    def __init__(self, session: ClientSession, url: str, email: str, promised: Promised) -> None:
        """Sign in with the password of the demo's staff."""
        super().__init__(session, url, email, staff.PASSWORD)
        self._promised = promised

    async def request(
        self,
        method: str,
        path: str,
        body: object = None,
        *,
        params: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Any:
        """Do as `SignedIn` does, and take note."""
        self._promised.sent(path, body)
        answer = await super().request(method, path, body, params=params, headers=headers)
        self._promised.acknowledged(path, body)
        return answer


class Partner:
    """An endpoint that keeps every webhook whose signature a Standard Webhooks library finds good."""

    def __init__(self) -> None:
        """Believe nobody before `secret` is set."""
        self.secret = ""
        self.heard: dict[tuple[str, str], int] = defaultdict(int)
        self.bad = 0

    def app(self) -> web.Application:
        """Return what the partner serves."""
        app = web.Application()
        app.router.add_post("/", self._post)
        return app

    async def _post(self, request: web.Request) -> web.Response:
        raw = await request.read()
        try:
            standardwebhooks.Webhook(self.secret).verify(raw, dict(request.headers))
        except standardwebhooks.WebhookVerificationError:
            self.bad += 1
            return web.Response(status=401)
        body = orjson.loads(raw)
        self.heard[body["type"], str(body["data"].get("attempt_id"))] += 1
        return web.Response(status=204)


class Company:
    """The organisation of a run: staff, people, a campaign, a partner, operators at both dialers."""

    def __init__(self, session: ClientSession, urls: list[str], database_url: str, seed: int) -> None:
        """Nothing is made before `found`."""
        self.promised = Promised()
        self.partner = Partner()
        self.campaign_id = ""
        self._urls = urls
        self._database_url = database_url
        self._rng = random.Random(seed)
        self._session = session
        self.admin = self._as(staff.ADMIN, 0)
        self.marketing = self._as(staff.MARKETING, 0)
        clock = self._clock = SystemClock()
        self._witnesses = [self._as(one, n) for n, one in enumerate(staff.OPERATORS)]
        self.operators = [
            SimulatedOperator(one, session, clock, random.Random(f"{seed}/{n}"), pace=PACE)
            for n, one in enumerate(self._witnesses)
        ]
        self._numbers: dict[str, str] = {}

    def _as(self, colleague: staff.Colleague, n: int) -> Witness:
        return Witness(self._session, self._urls[n % len(self._urls)], colleague.email, self.promised)

    async def found(self, partner_url: str) -> None:
        """Make everything and launch the campaign."""
        if not await staff.make_staff(self._database_url, SystemClock()):
            raise RuntimeError("the database of a run must be empty")
        pool = {"name": "main", "wrap_up_limit_s": 15, "lost_grace_s": 3}
        await self.admin.request("POST", "/api/dialer/pools", pool)
        limits = {"calls_per_second": "40", "channels": 60, "countries": ["GB"]}
        await self.admin.request("PUT", "/api/dialer/trunks/main", limits)
        await self._make_partner(partner_url)
        for one in self._witnesses:
            await one.token()  # one by one: a password costs a tenth of a second of a whole core
        await self._import()
        script = await self.marketing.request("POST", "/api/dialer/scripts", {"name": "Survey", "script": SCRIPT})
        everybody = {"field": "relationship", "op": "eq", "value": "customer"}
        audience = await self.marketing.request("POST", "/api/crm/audiences", {"name": "All", "filter": everybody})
        body = {"name": "Survey", "script_id": script["id"], "audience_id": audience["id"], "plan": PLAN}
        campaign = await self.marketing.request("POST", "/api/dialer/campaigns", body)
        self.campaign_id = campaign["id"]
        await self.marketing.request("POST", f"/api/dialer/campaigns/{self.campaign_id}/launch")

    async def _make_partner(self, url: str) -> None:
        partner = await self.marketing.request("POST", "/api/notifier/partners", {"name": "Partner"})
        await staff.make_partner_account(self._database_url, SystemClock(), UUID(partner["id"]))
        wanted = {"url": url, "subscriptions": ["dialer.response.recorded", "dialer.call.ended"]}
        path = f"/api/notifier/partners/{partner['id']}/endpoints"
        endpoint = await self.marketing.request("POST", path, wanted)
        secrets = await self.marketing.get(f"/api/notifier/endpoints/{endpoint['id']}/secrets")
        self.partner.secret = secrets["items"][0]["value"]

    async def _import(self) -> None:
        people = [one for one in demo_people() if one.range.country == "GB"]
        self._numbers = {one.customer_id: one.phone for one in people}
        attributes = (
            {"name": "product", "kind": "text", "label": "Product"},
            {"name": "city", "kind": "text", "label": "City"},
        )
        for attribute in attributes:
            await self.marketing.request("POST", "/api/crm/attributes", attribute)
        params = {"filename": "people.csv"}
        started = await self.marketing.request("POST", "/api/crm/imports", contact_file(people), params=params)
        while (state := await self.marketing.get(f"/api/crm/imports/{started['id']}"))["state"] != "done":
            if state["state"] == "failed":
                raise RuntimeError(f"the import failed: {state['failure']}")

    async def refuse_somebody(self) -> None:
        """Let a person who was not asked yet say no at the CRM, and remember when that was acknowledged."""
        customer = self._rng.choice(sorted(set(self._numbers) - set(self.promised.refusals)))
        found = await self.marketing.get("/api/crm/contacts", external_id=customer)
        line = {"change": "withdrawn", "channel": "all", "source": "letter"}
        path = f"/api/crm/contacts/{found['items'][0]['id']}/consents"
        while True:
            try:
                key = {"Idempotency-Key": str(self._rng.getrandbits(64))}
                await self.marketing.request("POST", path, line, headers=key)
                break
            except ConflictError:
                continue  # Cut off by a kill, and nobody knows whether it was done; saying no twice is harmless.
        self.promised.refusals[self._numbers[customer]] = self._clock.now()

    async def pause(self) -> None:
        """Let no new call be placed, and send the operators home."""
        await self.marketing.request("POST", f"/api/dialer/campaigns/{self.campaign_id}/pause")
        for operator in self.operators:
            operator.send_home()

    async def export(self) -> bytes:
        """Return the CRM's export of responses."""
        headers = {"Authorization": f"Bearer {await self.marketing.token()}"}
        async with self._session.get(f"{self._urls[0]}/api/crm/responses/export", headers=headers) as answer:
            answer.raise_for_status()
            return await answer.read()
