"""The campaign of a benchmark, made through the API like any other: contacts, script, audience, campaign."""

import asyncio
from typing import Any

import aiohttp
import orjson

TRUNK = "main"
QUESTION = "satisfied"
DEFAULT_CALLERS = ["+442079460999"]
_SCRIPT = {
    "languages": ["en"],
    "opening": {"en": "Good day, we have one question."},
    "closing": {"en": "Thank you."},
    "questions": [
        {
            "id": QUESTION,
            "kind": "choice",
            "ask": {"en": "Are you satisfied?"},
            "options": [{"value": "yes", "label": {"en": "Yes"}}, {"value": "no", "label": {"en": "No"}}],
        }
    ],
    "dispositions": [{"id": "completed", "label": {"en": "Completed"}}],
}
_PLAN = {
    # British rules set no hours for this purpose, so that the benchmark runs at any time of day.
    "purpose": "informational",
    "subject": "benchmark",
    "hours": [{"start": "00:00", "end": "23:59:59"}],
    "caller_ids": DEFAULT_CALLERS,
    "max_lines": 2000,
}


class Client:
    """Requests with one token."""

    def __init__(self, session: aiohttp.ClientSession, url: str, token: str) -> None:
        """Speak to *url*."""
        self._session = session
        self._url = url
        self._headers = {"Authorization": f"Bearer {token}"}

    async def request(self, method: str, path: str, body: object = None, **more: Any) -> Any:
        """Return the JSON of the answer; end the benchmark when it is a refusal."""
        raw = body if isinstance(body, bytes) else orjson.dumps(body) if body is not None else None
        kind = "text/csv" if isinstance(body, bytes) else "application/json"
        headers = {**self._headers, "Content-Type": kind, **more.pop("headers", {})}
        async with self._session.request(method, self._url + path, data=raw, headers=headers, **more) as answer:
            content = await answer.read()
            if answer.status >= 400:
                raise SystemExit(f"{method} {path} was refused: {content.decode()[:500]}")
            return orjson.loads(content) if content else None


def contact_file(people: int, first: int = 0) -> bytes:
    """Return so many British people, all with mobile numbers of their own."""
    rows = (f"B{n:07d},Person {n},+4474{n:08d},GB,customer" for n in range(first, first + people))
    return "\n".join(("customer_id,name,phone,country,relationship", *rows, "")).encode()


async def import_people(admin: Client, people: int) -> None:
    """Import the contact file as marketing does, and wait until it is done."""
    started = await admin.request("POST", "/api/crm/imports", contact_file(people), params={"filename": "people.csv"})
    while (state := await admin.request("GET", f"/api/crm/imports/{started['id']}"))["state"] != "done":
        if state["state"] == "failed":
            raise SystemExit(f"The import failed: {state['failure']}")
        await asyncio.sleep(0.2)
    if state["rejected"]:
        raise SystemExit(f"{state['rejected']} of {people} people were refused by the import.")


async def make_floor(admin: Client) -> None:
    """Make the pool and a trunk that is no bottleneck."""
    await admin.request("POST", "/api/dialer/pools", {"name": "main", "wrap_up_limit_s": 60})
    limits = {"calls_per_second": "1000", "channels": 2000, "countries": ["GB"]}
    await admin.request("PUT", f"/api/dialer/trunks/{TRUNK}", limits)


async def make_campaign(admin: Client, name: str, **plan: Any) -> str:
    """Make a campaign over everybody and return its id; it is a draft."""
    script = await admin.request("POST", "/api/dialer/scripts", {"name": name, "script": _SCRIPT})
    everybody = {"field": "relationship", "op": "eq", "value": "customer"}
    audience = await admin.request("POST", "/api/crm/audiences", {"name": name, "filter": everybody})
    body = {"name": name, "script_id": script["id"], "audience_id": audience["id"], "plan": {**_PLAN, **plan}}
    return (await admin.request("POST", "/api/dialer/campaigns", body))["id"]


async def launch(admin: Client, campaign_id: str) -> None:
    """Launch a draft."""
    await admin.request("POST", f"/api/dialer/campaigns/{campaign_id}/launch")
