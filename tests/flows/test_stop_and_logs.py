"""From a contact file to a lead; a STOP reaches the dialer's suppression; and no log line names a person on the way."""

import io
import json
import logging
from collections.abc import Generator
from pathlib import Path
from typing import Any

import asyncpg
import pytest
import yaml

from services.runtime.bus import Outgoing, Partition
from services.runtime.identity import Role
from services.runtime.ids import new_id
from services.runtime.kafka import KafkaBus
from services.runtime.logging import configure_logging
from tests.flows.house import PASSWORD, House, house
from tests.peers import RunningBroker
from tests.runtime.waiting import until

pytestmark = [pytest.mark.pg, pytest.mark.broker, pytest.mark.timeout(600)]

DEMO = Path(__file__).parents[2] / "services/standalone/demo"
NUMBER = "+442079460123"
PERSONAL = [
    NUMBER, "020 7946 0123", "2079460123", "+442079460777", "07700900999", "+447700900456", "Gwenllian",
    "Prydderch", "Blodeuwedd", "Rhiannon", "gwen@example.org", "rhi@example.net", "mari@example.org", "Mari Llwyd",
    "Heol y Bont", PASSWORD, "a wrong password", "STOP please", "whsec_", "eyJ", "Bearer",
]  # fmt: skip
FILE = """id,name,phone,email,relationship,note
C1,Gwenllian Prydderch,020 7946 0123,gwen@example.org,customer,Heol y Bont
C2,Blodeuwedd,07700900999999999,rhi@example.net,customer,Heol y Bont
C3,Rhiannon,+442079460777,not-an-address,customer,Heol y Bont,one field too many
"""


@pytest.fixture
def lines() -> Generator[io.StringIO]:
    """All that the services log, from the least level on."""
    stream = io.StringIO()
    root = logging.getLogger()
    handlers, level = root.handlers, root.level
    configure_logging("galw", "debug", stream)
    yield stream
    root.handlers = handlers
    root.setLevel(level)


async def test_a_stop_reaches_the_dialer_and_no_log_line_names_anybody(
    database_url: str, broker: RunningBroker, lines: io.StringIO
) -> None:
    async with house(database_url, broker.bootstrap) as home:
        secrets = [*PERSONAL, *await sign_in_well_and_badly(home)]
        contact = await import_people(home)
        await launch(home)
        conn = await asyncpg.connect(database_url)
        lead = "SELECT count(*) FROM dialer.leads WHERE contact_id = $1"
        suppressed = "SELECT count(*) FROM dialer.withdrawals WHERE contact_id = $1 AND channel = 'all'"
        await until(lambda: found(conn, lead, contact), 150)
        assert await conn.fetchval(suppressed, contact) == 0
        secrets += await make_partner(home)
        await write_to(home, contact)
        await put_bad_records(broker)
        stop = {"channel": "sms", "address": NUMBER, "text": "STOP please"}
        heard = await home.ask("POST", "/api/notifier/inbound", [Role.ADMIN], body=stop)
        assert heard["meaning"] == "opt_out"
        assert heard["contact_ids"] == [contact]
        await until(lambda: found(conn, suppressed, contact), 150)
        await until(lambda: found(conn, "SELECT count(*) FROM dialer.dead_letters"), 150)
        consents = await home.ask("GET", f"/api/crm/contacts/{contact}/consents")
        assert [one["change"] for one in consents["lines"]] == ["withdrawn"]
        message = {"contact_id": contact, "channel": "sms", "to": NUMBER, "template": "missed-you"}
        sent = await home.ask("POST", "/api/notifier/messages", [Role.ADMIN], body=message)
        await until(lambda: state_of(home, sent["id"], "suppressed"), 150)
        await home.ask("GET", f"/api/crm/contacts?number={NUMBER.replace('+', '%2B')}")
        await conn.close()
    text = lines.getvalue()
    events = [json.loads(line)["event"] for line in text.splitlines()]
    assert len(events) > 50
    assert {"http.handled", "consumer.dead_letter", "identity.sign_in_refused"} <= set(events)
    assert [secret for secret in secrets if secret in text] == []


async def found(conn: Any, statement: str, *values: Any) -> bool:
    return await conn.fetchval(statement, *values) > 0


async def state_of(home: House, message_id: str, state: str) -> bool:
    return (await home.ask("GET", f"/api/notifier/messages/{message_id}"))["state"] == state


async def sign_in_well_and_badly(home: House) -> list[str]:
    """Return the tokens that were given out."""
    await home.identity.accounts.create(
        new_id(), email="mari@example.org", name="Mari Llwyd", password=PASSWORD, roles={Role.MARKETING}
    )
    for password, status in (("a wrong password", 401), (PASSWORD, 200)):
        body = {"email": "mari@example.org", "password": password}
        async with home.session.post("/api/identity/sign-in", json=body) as answer:
            assert answer.status == status
            tokens = await answer.json()
    refreshed = await home.ask("POST", "/api/identity/refresh", body={"refresh_token": tokens["refresh_token"]})
    return [one[name] for one in (tokens, refreshed) for name in ("access_token", "refresh_token")]


async def import_people(home: House) -> str:
    """Import the file and return the id of the one person who could be taken."""
    headers = await home.signed(Role.MARKETING) | {"Content-Type": "text/csv"}
    path = "/api/crm/imports?filename=people.csv&default_region=GB"
    async with home.session.post(path, data=FILE.encode(), headers=headers) as answer:
        assert answer.status == 202, await answer.text()
        started = await answer.json()

    async def done() -> bool:
        return (await home.ask("GET", f"/api/crm/imports/{started['id']}"))["state"] == "done"

    await until(done, 150)
    problems = await home.ask("GET", f"/api/crm/imports/{started['id']}/errors")
    assert len(problems.splitlines()) == 3, problems
    return (await home.ask("GET", "/api/crm/contacts?external_id=C1"))["items"][0]["id"]


async def launch(home: House) -> None:
    demo = yaml.safe_load((DEMO / "campaign.yaml").read_text())
    template = yaml.safe_load((DEMO / "template.yaml").read_text())
    await home.ask("PUT", "/api/notifier/templates/missed-you", [Role.ADMIN], body=template)
    await home.ask("POST", "/api/dialer/pools", [Role.ADMIN], body={"name": "main"})
    limits = {"calls_per_second": "5", "channels": 30, "countries": ["GB"]}
    await home.ask("PUT", "/api/dialer/trunks/main", [Role.ADMIN], body=limits)
    script = await home.ask("POST", "/api/dialer/scripts", body={"name": "Survey", "script": demo["script"]})
    audience = await home.ask("POST", "/api/crm/audiences", body={"name": "All", "filter": demo["audience"]})
    body = {"name": "Survey", "script_id": script["id"], "audience_id": audience["id"], "plan": demo["plan"]}
    campaign = await home.ask("POST", "/api/dialer/campaigns", body=body)
    await home.ask("POST", f"/api/dialer/campaigns/{campaign['id']}/launch")


async def make_partner(home: House) -> list[str]:
    """Make a partner whose endpoint nobody serves; return the secrets that sign."""
    partner = await home.ask("POST", "/api/notifier/partners", [Role.ADMIN], body={"name": "Fielding"})
    wanted = {"url": "http://127.0.0.1:1025/hook", "subscriptions": ["notifier.*"]}
    path = f"/api/notifier/partners/{partner['id']}/endpoints"
    endpoint = await home.ask("POST", path, [Role.ADMIN], body=wanted)
    listed = await home.ask("GET", f"/api/notifier/endpoints/{endpoint['id']}/secrets", [Role.ADMIN])
    return [one["value"] for one in listed["items"]]


async def write_to(home: House, contact: str) -> None:
    message = {"contact_id": contact, "channel": "sms", "to": NUMBER, "template": "missed-you"}
    sent = await home.ask("POST", "/api/notifier/messages", [Role.ADMIN], body=message)
    await until(lambda: state_of(home, sent["id"], "delivered"), 150)
    refused = message | {"to": "+447700900456 or so"}
    headers = await home.signed(Role.ADMIN)
    async with home.session.post("/api/notifier/messages", json=refused, headers=headers) as answer:
        assert answer.status < 500


async def put_bad_records(broker: RunningBroker) -> None:
    """Write enrolments from outside that cannot be used and name people all the same."""
    bus = KafkaBus(broker.bootstrap, "outside")
    for value in (b'{"name": "Gwenllian', b'{"name": "Gwenllian", "phones": "+442079460123", "email": 7}'):
        headers = (("ce_id", str(new_id()).encode()), ("ce_type", b"crm.lead.enrolled.v1"), ("ce_source", b"shop"))
        await bus.publish(Partition("crm.enrolments.v1", 1), [Outgoing(NUMBER.encode(), value, headers)])
    await bus.close()
