"""Makes the demo organisation through the API, step by step; what is there already is left as it is."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast
from uuid import UUID

import yaml

from services.runtime.errors import ConflictError, NotFoundError
from services.standalone.demo.client import AnswerError, SignedIn
from services.standalone.demo.people import FILENAME, PRODUCTS, contact_file, demo_people, refusing

POOL = "main"
TRUNK = "main"
TEMPLATE = "missed-you"
PARTNER_NAME = "Fielding Line Repairs"
ORGANISATION = "Cwmwl Broadband"

_FOLDER = Path(__file__).parent
_COUNTRIES = ["GB", "IE", "FR", "DE", "SE", "US", "CA", "AU"]
_SUBSCRIPTIONS = [
    "dialer.response.recorded",
    "dialer.call.ended",
    "dialer.person.refused",
    "notifier.message.delivered",
]


@dataclass(frozen=True, slots=True)
class Made:
    """What exists afterwards."""

    campaign_id: UUID
    campaign: str
    people: int


@dataclass(frozen=True, slots=True)
class Founder:
    """Makes the organisation with the accounts of an administrator and of marketing."""

    admin: SignedIn
    marketing: SignedIn

    async def make_floor(self) -> None:
        """Make the pool that operators join and the trunk that calls go out on."""
        if await self.admin.find("/api/dialer/pools", name=POOL) is None:
            await self.admin.request("POST", "/api/dialer/pools", {"name": POOL, "wrap_up_limit_s": 45})
        if await self.admin.find("/api/dialer/trunks", id=TRUNK) is None:
            limits = {"calls_per_second": "5", "channels": 30, "countries": _COUNTRIES}
            await self.admin.request("PUT", f"/api/dialer/trunks/{TRUNK}", limits)

    async def make_partner(self, url: str, make_account: Callable[[UUID], Awaitable[None]]) -> list[str]:
        """Make the partner with an endpoint at *url*, or move the endpoint there; return the secrets that sign."""
        partners = "/api/notifier/partners"
        partner = await self.marketing.find(partners, name=PARTNER_NAME)
        partner = partner or await self.marketing.request("POST", partners, {"name": PARTNER_NAME})
        await make_account(UUID(partner["id"]))
        path = f"{partners}/{partner['id']}/endpoints"
        wanted = {"url": url, "description": "Inside the demo.", "subscriptions": _SUBSCRIPTIONS}
        endpoint = await self.marketing.find(path)
        if endpoint is None:
            endpoint = await self.marketing.request("POST", path, wanted)
        elif endpoint["url"] != url:
            version = {"If-Match": f'"{endpoint["version"]}"'}
            await self.marketing.request("PUT", f"/api/notifier/endpoints/{endpoint['id']}", wanted, headers=version)
        secrets = await self.marketing.get(f"/api/notifier/endpoints/{endpoint['id']}/secrets")
        return [one["value"] for one in secrets["items"]]

    async def make_campaign(self) -> Made:
        """Import the people, write the script, and launch the campaign; one that is there is left as it is."""
        plan = _read("campaign.yaml")
        campaign = await self.marketing.find("/api/dialer/campaigns", name=plan["name"])
        people = demo_people()
        if campaign is None:
            await self._make_attributes()
            await self._import(contact_file(people))
            await self._write_refusals([person.customer_id for person in refusing(people)])
            await self._make_template()
            campaign = await self._draft(plan)
        if campaign["state"] == "draft":
            campaign = await self.marketing.request("POST", f"/api/dialer/campaigns/{campaign['id']}/launch")
        return Made(UUID(campaign["id"]), campaign["name"], len(people))

    async def _make_attributes(self) -> None:
        attributes = (
            {"name": "product", "kind": "choice", "label": "Product", "choices": list(PRODUCTS)},
            {"name": "city", "kind": "text", "label": "City"},
        )
        for attribute in attributes:
            try:
                await self.marketing.request("POST", "/api/crm/attributes", attribute)
            except ConflictError:
                continue  # made by a start that was cut off

    async def _import(self, content: bytes) -> None:
        """Import the contact file; importing it twice changes nothing, so a start that was cut off is repeated."""
        started = await self.marketing.request("POST", "/api/crm/imports", content, params={"filename": FILENAME})
        while (state := await self.marketing.get(f"/api/crm/imports/{started['id']}"))["state"] != "done":
            if state["state"] == "failed":
                raise AnswerError(f"The demo's contact file was not imported: {state['failure']}")
            await asyncio.sleep(0.2)
        if state["rejected"]:
            raise AnswerError(f"{state['rejected']} of the demo's people were refused by the import.")

    async def _write_refusals(self, customer_ids: list[str]) -> None:
        for customer_id in customer_ids:
            found = await self.marketing.get("/api/crm/contacts", external_id=customer_id)
            line = {"change": "withdrawn", "channel": "all", "source": "letter of the customer"}
            path = f"/api/crm/contacts/{found['items'][0]['id']}/consents"
            await self.marketing.request("POST", path, line, headers={"Idempotency-Key": f"demo-no-{customer_id}"})

    async def _make_template(self) -> None:
        path = f"/api/notifier/templates/{TEMPLATE}"
        try:
            await self.marketing.get(path)
        except NotFoundError:
            await self.marketing.request("PUT", path, _read("template.yaml"))

    async def _draft(self, plan: dict[str, Any]) -> Any:
        script = await self._once("/api/dialer/scripts", plan["name"], {"script": plan["script"]})
        audience = await self._once("/api/crm/audiences", plan["name"], {"filter": plan["audience"]})
        body = {"script_id": script["id"], "audience_id": audience["id"], "plan": plan["plan"]}
        return await self._once("/api/dialer/campaigns", plan["name"], body)

    async def _once(self, path: str, name: str, body: dict[str, Any]) -> Any:
        found = await self.marketing.find(path, name=name)
        return found or await self.marketing.request("POST", path, {"name": name, **body})


def _read(name: str) -> dict[str, Any]:
    return cast("dict[str, Any]", yaml.safe_load((_FOLDER / name).read_text("utf-8")))
