"""The CRM as it runs: its own HTTP, a real broker, the command line, and a dialer that speaks and hears."""

import asyncio
from collections import defaultdict
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from uuid import UUID

import aiohttp
import orjson
import pytest
from click.testing import CliRunner, Result
from pydantic import SecretStr

from services.cli import contacts, responses
from services.cli.sign_in import sign_in
from services.crm.app import build
from services.crm.settings import CrmSettings
from services.events.crm import ConsentChanged, ConsentWatermark, LeadEnrolled
from services.events.dialer import CampaignChanged, PersonRefused
from services.events.envelope import Event
from services.runtime.clock import SystemClock
from services.runtime.consumer import Handlers, Received
from services.runtime.errors import RejectedError
from services.runtime.identity import Role
from services.runtime.identity.identity import open_identity
from services.runtime.ids import new_id
from services.runtime.kafka import KafkaBus
from services.runtime.messaging import Messaging
from services.runtime.postgres import Connection, create_pool, migrate
from services.runtime.service import Stopping, run_service
from tests.crm.test_hearing import ATTEMPT, CAMPAIGN, OPERATOR, response
from tests.peers import tansu_broker
from tests.runtime.stage import Actor
from tests.runtime.waiting import until

pytestmark = [pytest.mark.pg, pytest.mark.broker]

SECRET = "a secret for tests that is long enough"
PASSWORD = "correct horse battery staple 9"
CLOCK = SystemClock()


def settings(url: str, bootstrap: str = "127.0.0.1:1", **said: Any) -> CrmSettings:
    given = {
        "database_url": SecretStr(url),
        "kafka_bootstrap": bootstrap,
        "http_port": 0,
        "phone_key": SecretStr("a phone key for tests"),
        "secret_key": SecretStr(SECRET),
        **said,
    }
    return CrmSettings.model_validate(given)


@asynccontextmanager
async def running(chosen: CrmSettings) -> AsyncGenerator[str]:
    """Run the CRM and yield its address."""
    service, stopping = await build(chosen, CLOCK, new_id), Stopping()
    listening: asyncio.Future[str] = asyncio.get_running_loop().create_future()
    async with asyncio.TaskGroup() as group:
        group.create_task(
            run_service(
                [service],
                host="127.0.0.1",
                port=0,
                stopping=stopping,
                on_listening=lambda host, port: listening.set_result(f"http://{host}:{port}"),
            )
        )
        yield await listening
        stopping.ask()


class Dialer:
    """A dialer as far as the CRM can tell: it announces what it is told to and remembers what it hears."""

    def __init__(self) -> None:
        self.heard: dict[type[Event], list[Any]] = defaultdict(list)
        self.handlers = Handlers()
        for kind in (LeadEnrolled, ConsentChanged):
            self.handlers.on(kind)(self._remember)

        @self.handlers.on_watermark(ConsentWatermark)
        async def on_watermarks(batch: Sequence[Received[ConsentWatermark]]) -> None:
            self.heard[ConsentWatermark] += [one.event for one in batch]

    async def _remember(self, conn: Connection, batch: Sequence[Received[Any]]) -> None:
        self.heard[type(batch[0].event)] += [one.event for one in batch]

    async def start(self, url: str, bootstrap: str) -> Actor:
        await migrate(url, "dialer", ["services.runtime"])
        pool = await create_pool(url, "dialer")
        bus = KafkaBus(bootstrap, "galw-dialer")
        return Actor(
            Messaging("dialer", database_url=url, pool=pool, bus=bus, handlers=self.handlers, clock=CLOCK,
                      new_id=new_id), pool
        )  # fmt: skip


async def galw(command: Any, *arguments: str, said: str | None = None) -> Result:
    return await asyncio.to_thread(CliRunner().invoke, command, list(arguments), said)


def told(result: Result) -> list[Any]:
    """Return the JSON lines of a command; the service's own log shares standard output in this process."""
    return [orjson.loads(line) for line in result.stdout.splitlines() if line.startswith("{")]


async def make_account(url: str) -> None:
    identity = await open_identity(url, SECRET, CLOCK, listens_on="127.0.0.1")
    await identity.accounts.create(
        new_id(), email="mari@example.org", name="Mari", password=PASSWORD, roles={Role.MARKETING}
    )
    await identity.close()


async def token_of(url: str) -> dict[str, str]:
    body = {"email": "mari@example.org", "password": PASSWORD}
    async with aiohttp.ClientSession() as session, session.post(f"{url}/api/identity/sign-in", json=body) as reply:
        return {"Authorization": f"Bearer {(await reply.json())['access_token']}"}


async def test_a_file_becomes_leads_and_what_people_say_comes_back(
    database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "people.csv"
    rows = "".join(f"C{n},Person {n},01632 96{n:04}\n" for n in range(40))
    file.write_text(f"id,name,phone\n{rows}C99,Nobody,none\n")
    await make_account(database_url)
    with tansu_broker() as broker:
        async with running(settings(database_url, broker.bootstrap)) as url:
            monkeypatch.setenv("GALW_URL", url)
            monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
            signed_in = await galw(sign_in, "--email", "mari@example.org", "--password-stdin", said=PASSWORD)
            assert signed_in.exit_code == 0, signed_in.output
            dialer = Dialer()
            actor = await dialer.start(database_url, broker.bootstrap)
            try:
                await follow_through(url, file, dialer, actor)
            finally:
                await actor.stop()


async def follow_through(url: str, file: Path, dialer: Dialer, actor: Actor) -> None:
    imported = await galw(contacts.command, "import", str(file), "--region", "GB")
    assert imported.exit_code == 7, imported.output
    assert "40 new, 0 updated, 0 unchanged, 1 rows not taken" in imported.output
    assert "42,phone,none,not a usable phone number" in file.with_name("people-errors.csv").read_text("utf-8-sig")
    again = await galw(contacts.command, "import", str(file), "--region", "GB", "--json")
    assert told(again)[0]["unchanged"] == 40
    listed = await galw(contacts.command, "list", "--name", "person 1", "--json")
    people = told(listed)
    assert len(people) == 11

    async with aiohttp.ClientSession(headers=await token_of(url)) as session:
        audience = {"name": "Ones", "filter": {"field": "name", "op": "starts_with", "value": "Person 1"}}
        async with session.post(f"{url}/api/crm/audiences", json=audience) as reply:
            audience_id = (await reply.json())["id"]
    launched = CampaignChanged(
        campaign_id=CAMPAIGN, sequence=1, name="Spring", state="running", change="launched",
        audience_id=UUID(audience_id), at=CLOCK.now(),
    )  # fmt: skip
    await actor.announce(launched)  # pyright: ignore[reportArgumentType]
    await until(lambda: len(dialer.heard[LeadEnrolled]) == 11, 30)
    assert {str(lead.contact_id) for lead in dialer.heard[LeadEnrolled]} == {one["id"] for one in people}

    refusing = UUID(people[0]["id"])
    refused = PersonRefused(
        attempt_id=ATTEMPT, campaign_id=CAMPAIGN, contact_id=refusing, operator_id=OPERATOR, at=CLOCK.now()
    )
    await actor.announce(refused)  # pyright: ignore[reportArgumentType]
    await until(lambda: bool(dialer.heard[ConsentChanged]), 30)
    assert [one.contact_id for one in dialer.heard[ConsentChanged]] == [refusing]
    await until(lambda: {one.shard for one in dialer.heard[ConsentWatermark]} == set(range(8)), 30)

    await actor.announce(response(refusing))  # pyright: ignore[reportArgumentType]

    async def exported() -> bool:
        return "a private note" in (await galw(responses.command, "export", "--campaign", str(CAMPAIGN))).output

    await until(exported, 30)
    as_json = await galw(responses.command, "export", "--since", "2026-11-23", "--json")
    assert told(as_json)[0]["disposition"] == "sold"
    shown = await galw(contacts.command, "show", str(refusing))
    assert "said no" in shown.output
    assert "response.recorded" in shown.output
    assert (await galw(contacts.command, "show", str(OPERATOR))).exit_code == 5


async def test_a_phone_key_that_hides_nothing_is_refused(database_url: str) -> None:
    with pytest.raises(RejectedError, match="GALW_PHONE_KEY must have at least 16 bytes"):
        await build(settings(database_url, phone_key=SecretStr("short")), CLOCK, new_id)


async def test_the_commands_say_what_to_do_when_they_are_used_wrongly(tmp_path: Path) -> None:
    file = tmp_path / "people.csv"
    file.write_text("phone\n")
    mapped = await galw(contacts.command, "import", str(file), "--map", "phone")
    assert (mapped.exit_code, "COLUMN=FIELD" in mapped.output) == (2, True)
    day = await galw(responses.command, "export", "--since", "yesterday")
    assert (day.exit_code, "2027-03-31" in day.output) == (2, True)
