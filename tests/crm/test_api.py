"""The CRM over real HTTP and a real PostgreSQL."""

import asyncio
import csv
import io
import json
from typing import Any
from uuid import UUID

import pytest

from services.crm.store import PgStore
from services.crm.usecases.imports import import_next
from services.events.crm import ConsentChanged
from services.runtime.identity import Role
from services.runtime.ids import new_id
from services.runtime.postgres import Pool
from tests.crm.conftest import Client, MovedClock, announced, bearer
from tests.crm.test_hearing import ATTEMPT, CAMPAIGN, OPERATOR, hear, response

pytestmark = pytest.mark.pg

MARKETING = bearer(Role.MARKETING)
ADMIN = bearer(Role.ADMIN)
SIAN: dict[str, Any] = {"numbers": [{"number": "01632 960001"}], "name": "Siân", "country": "gb"}


async def post(client: Client, path: str, body: object, status: int = 201, **options: Any) -> Any:
    headers = options.pop("headers", MARKETING)
    async with client.post(f"/api/crm{path}", json=body, headers=headers, **options) as reply:
        assert reply.status == status, await reply.text()
        return await reply.json()


async def get(client: Client, path: str, status: int = 200, *, headers: dict[str, str] = MARKETING) -> Any:
    async with client.get(f"/api/crm{path}", headers=headers) as reply:
        assert reply.status == status, await reply.text()
        return await reply.json()


async def test_a_contact_is_made_found_edited_and_erased(client: Client) -> None:
    town = {"name": "town", "kind": "text", "label": "", "choices": []}
    assert await post(client, "/attributes", {"name": "town", "kind": "text"}) == town
    assert (await get(client, "/attributes"))["items"] == [town]
    made = await post(client, "/contacts", {**SIAN, "external_id": "C1", "attributes": {"town": "Bala"}})
    assert made["numbers"] == [{"number": "+441632960001", "kind": "unknown"}]
    assert (made["country"], made["attributes"], made["version"]) == ("GB", {"town": "Bala"}, 1)
    for query in ("number=%2B441632960001", "number=01632960001&region=GB", "external_id=C1", "name=si", "name=SIÂN"):
        found = await get(client, f"/contacts?{query}")
        assert [one["id"] for one in found["items"]] == [made["id"]], query
    for query in ("number=%2B441632960002", "external_id=c1", "name=%25", "name=_i"):
        assert (await get(client, f"/contacts?{query}"))["items"] == []
    path = f"/api/crm/contacts/{made['id']}"
    async with client.patch(path, json={"name": "Siân Jones", "attributes": {"town": None}}, headers=MARKETING) as r:
        assert r.status == 428
    for version, status in (("1", 200), ("1", 412)):
        headers = {**MARKETING, "If-Match": f'"{version}"'}
        async with client.patch(path, json={"name": "Siân Jones", "attributes": {"town": None}}, headers=headers) as r:
            assert r.status == status
    edited = await get(client, f"/contacts/{made['id']}")
    assert (edited["name"], edited["attributes"], edited["country"]) == ("Siân Jones", {}, "GB")
    async with client.delete(path, headers=MARKETING) as r:
        assert r.status == 403
    async with client.delete(path, headers=ADMIN) as r:
        assert r.status == 204
    problem = await get(client, f"/contacts/{made['id']}", 404)
    assert "was erased on 2026-11-23" in problem["detail"]


async def test_the_same_person_twice_is_a_conflict_that_says_what_to_do(client: Client) -> None:
    await post(client, "/contacts", {**SIAN, "external_id": "C1"})
    assert "external id" in (await post(client, "/contacts", {**SIAN, "external_id": "C1"}, 409))["detail"]
    await post(client, "/contacts", SIAN)
    assert "name and these numbers" in (await post(client, "/contacts", SIAN, 409))["detail"]


async def test_a_repeat_with_the_same_key_makes_one_contact(client: Client) -> None:
    headers = {**MARKETING, "Idempotency-Key": "one"}
    first = await post(client, "/contacts", SIAN, headers=headers)
    assert (await post(client, "/contacts", SIAN, headers=headers))["id"] == first["id"]


async def test_every_wrong_field_of_a_contact_is_named_at_once(client: Client) -> None:
    wrong = {
        "numbers": [{"number": "+441632960001"}, {"number": "12"}],
        "country": "XX",
        "language": "welsh",
        "time_zone": "Mars/Base",
        "email": "nobody",
        "attributes": {"none": 1},
    }
    problem = await post(client, "/contacts", wrong, 422)
    assert {one["field"] for one in problem["fields"]} == {
        "numbers[1].number", "country", "language", "time_zone", "email", "attributes.none",
    }  # fmt: skip


async def test_pages_of_contacts_hold_everybody_once(client: Client) -> None:
    made = [(await post(client, "/contacts", {**SIAN, "external_id": f"C{n}"}))["id"] for n in range(5)]
    found: list[str] = []
    path = "/contacts?limit=2"
    while True:
        page = await get(client, path)
        found += [one["id"] for one in page["items"]]
        if page["next_cursor"] is None:
            break
        path = f"/contacts?limit=2&cursor={page['next_cursor']}"
    assert found == made


async def test_a_file_is_imported_watched_and_its_errors_fetched(
    client: Client, store: PgStore, clock: MovedClock
) -> None:
    await post(client, "/attributes", {"name": "balance", "kind": "number"})
    raw = b"Kundennr;Tel. 1;Guthaben\nC1;01632 960001;12.5\nC2;none;1\n"
    query = {
        "filename": "Kunden März.csv",
        "mapping": json.dumps({"Kundennr": "external_id", "tel. 1": "phone", "Guthaben": "attributes.balance"}),
        "default_region": "GB",
    }
    headers = {**MARKETING, "Content-Type": "text/csv"}
    async with client.post("/api/crm/imports", data=raw, params=query, headers=headers) as reply:
        assert reply.status == 202, await reply.text()
        started, location = await reply.json(), reply.headers["Location"]
    assert (started["state"], started["delimiter"], started["size_bytes"]) == ("waiting", ";", len(raw))
    await import_next(store, clock, new_id)
    done = await get(client, location.removeprefix("/api/crm"))
    assert (done["state"], done["created"], done["rejected"], done["read_bytes"]) == ("done", 1, 1, len(raw))
    assert [one["id"] for one in (await get(client, "/imports"))["items"]] == [started["id"]]
    async with client.get(f"{location}/errors", headers=MARKETING) as reply:
        assert "attachment" in reply.headers["Content-Disposition"]
        found = list(csv.reader(io.StringIO((await reply.read()).decode("utf-8-sig"))))
    assert found[0] == ["row", "field", "value", "reason"]
    assert found[1][:3] == ["3", "Tel. 1", "none"]
    assert (await get(client, "/contacts?external_id=C1"))["items"][0]["attributes"] == {"balance": 12.5}


@pytest.mark.parametrize(
    ("raw", "query", "status"),
    [
        (b"", {}, 422),
        (b"PK\x03\x04", {}, 422),
        (b"a,b\n1,2\n", {}, 422),
        (b"phone\n1\n", {"mapping": "{"}, 422),
        (b"phone\n1\n", {"mapping": '{"x": "phone"}'}, 422),
        (b"phone\n1\n", {"default_region": "XX"}, 422),
        (b"phone\n1\n", {"date_format": "guess"}, 422),
        (b"phone\n1\n", {"colour": "red"}, 422),
    ],
)
async def test_a_file_that_cannot_be_used_is_refused_before_anything_is_written(
    client: Client, pool: Pool, raw: bytes, query: dict[str, str], status: int
) -> None:
    headers = {**MARKETING, "Content-Type": "text/csv"}
    async with client.post("/api/crm/imports", data=raw, params=query, headers=headers) as reply:
        assert reply.status == status
        assert "detail" in await reply.json()
    assert await pool.fetchval("SELECT count(*) FROM imports") == 0


async def test_consents_are_written_announced_and_read(client: Client, pool: Pool, clock: MovedClock) -> None:
    made = await post(client, "/contacts", SIAN)
    path = f"/contacts/{made['id']}/consents"
    given = {"change": "given", "channel": "voice", "purpose": "marketing", "kind": "written", "source": "form 3"}
    assert (await post(client, path, given))["sequence"] == 1
    await clock.sleep(60)
    assert (await post(client, path, {"change": "withdrawn", "source": "letter"}))["channel"] == "all"
    late = {**given, "at": "2026-11-01T10:00:00Z"}
    assert "only a newer consent counts" in (await post(client, path, late, 409))["detail"]
    assert (await post(client, path, {**given, "at": "2026-11-01T10:00:00"}, 422))["fields"][0]["field"] == "at"
    await post(client, path, {**given, "at": "2027-11-01T10:00:00Z"}, 422)
    ledger = await get(client, path)
    assert [line["change"] for line in ledger["lines"]] == ["given", "withdrawn"]
    assert ledger["consents"][0]["withdrawn_at"] == "2026-11-23T09:01:00Z"
    assert [(one["channel"], one["source"]) for one in ledger["suppressions"]] == [("all", "letter")]
    assert [one.sequence for one in await announced(pool, ConsentChanged) if isinstance(one, ConsentChanged)] == [1, 2]
    kinds = [one["kind"] for one in (await get(client, f"/contacts/{made['id']}/timeline"))["items"]]
    assert kinds == ["consent.withdrawn", "consent.given"]


async def test_a_number_is_forbidden_whoever_holds_it(client: Client, pool: Pool) -> None:
    holder = await post(client, "/contacts", SIAN)
    body = {"number": "01632 960001", "default_region": "GB", "change": "withdrawn", "source": "TPS 2026-11"}
    await post(client, "/suppressions", body)
    [event] = await announced(pool, ConsentChanged)
    assert isinstance(event, ConsentChanged)
    assert len(event.number_digests) == 1
    assert "960001" not in event.model_dump_json()
    ledger = await get(client, f"/contacts/{holder['id']}/consents")
    assert ledger["suppressions"] == []
    [forbidden] = ledger["number_suppressions"]
    assert forbidden["number"] == "+441632960001"
    assert (forbidden["suppression"]["channel"], forbidden["suppression"]["source"]) == ("all", "TPS 2026-11")
    other = await post(client, "/contacts", {**SIAN, "numbers": [{"number": "01632 960002"}]})
    assert (await get(client, f"/contacts/{other['id']}/consents"))["number_suppressions"] == []


async def test_an_operator_reads_only_people_on_the_line_and_may_write_down_a_no(
    client: Client, store: PgStore, pool: Pool, clock: MovedClock
) -> None:
    made = await post(client, "/contacts", SIAN)
    operator = bearer(Role.OPERATOR, OPERATOR.int)
    refusal = {"change": "withdrawn", "source": "on the line"}
    for part in ("", "/timeline", "/consents"):
        await get(client, f"/contacts/{made['id']}{part}", 403, headers=operator)
    await post(client, f"/contacts/{made['id']}/consents", refusal, 403, headers=operator)
    await hear(store, pool, clock, response(UUID(made["id"])))
    for part in ("", "/timeline", "/consents"):
        await get(client, f"/contacts/{made['id']}{part}", headers=operator)
    await post(client, f"/contacts/{made['id']}/consents", refusal, headers=operator)
    await post(client, f"/contacts/{made['id']}/consents", {**refusal, "change": "given"}, 403, headers=operator)
    await get(client, "/contacts", 403, headers=operator)


async def test_an_audience_is_tried_made_counted_and_edited(client: Client) -> None:
    await post(client, "/contacts", SIAN)
    await post(client, "/contacts", {"numbers": [{"number": "+353209112345"}], "country": "IE"})
    british = {"field": "country", "op": "eq", "value": "GB"}
    assert await post(client, "/audiences/preview", {"filter": british}, 200) == {"count": 1}
    problem = await post(client, "/audiences", {"name": "Bad", "filter": {"field": "x"}}, 422)
    assert problem["fields"][0]["field"] == "filter"
    made = await post(client, "/audiences", {"name": "British", "filter": british})
    await post(client, "/audiences", {"name": "British", "filter": british}, 409)
    path = f"/audiences/{made['id']}"
    assert await get(client, f"{path}/count") == {"count": 1}
    everybody = {"name": "All", "filter": {"all": []}}
    for version, status in (("1", 200), ("1", 412)):
        headers = {**MARKETING, "If-Match": f'"{version}"'}
        async with client.put(f"/api/crm{path}", json=everybody, headers=headers) as reply:
            assert reply.status == status
    assert await get(client, f"{path}/count") == {"count": 2}
    assert [one["name"] for one in (await get(client, "/audiences"))["items"]] == ["All"]
    assert await get(client, path) == {**made, "name": "All", "filter": {"all": []}, "version": 2}


async def test_responses_are_listed_and_exported_without_formulas(
    client: Client, store: PgStore, pool: Pool, clock: MovedClock
) -> None:
    made = await post(client, "/contacts", {**SIAN, "name": "=SUM(A1)", "external_id": "C1"})
    await hear(store, pool, clock, response(UUID(made["id"])))
    await hear(store, pool, clock, response(UUID(made["id"]), 2, 5, disposition="@not sold"))
    listed = await get(client, f"/responses?campaign_id={CAMPAIGN}")
    assert [(one["revision"], one["answers"][0]["value"]) for one in listed["items"]] == [(2, "yes")]
    assert len((await get(client, f"/responses/{ATTEMPT}/revisions"))["items"]) == 2
    for query, count in (("", 1), (f"campaign_id={OPERATOR}", 0), ("since=2026-11-24T00:00:00Z", 0),
                         ("since=2026-11-23T00:00:00Z&until=2026-11-24T00:00:00Z", 1)):  # fmt: skip
        async with client.get(f"/api/crm/responses/export?{query}", headers=MARKETING) as reply:
            assert reply.status == 200
            found = list(csv.DictReader(io.StringIO((await reply.read()).decode("utf-8-sig"), newline="")))
        assert len(found) == count, query
    async with client.get("/api/crm/responses/export", headers=MARKETING) as reply:
        [row] = csv.DictReader(io.StringIO((await reply.read()).decode("utf-8-sig"), newline=""))
    assert (row["name"], row["disposition"], row["external_id"]) == ("'=SUM(A1)", "'@not sold", "C1")
    assert (row["answer q1"], row["answer q2"], row["answer q3"]) == ("yes", "'=my secret", "a; b")
    await get(client, "/responses?since=2026-11-23T00:00:00", 422)


async def test_an_upload_larger_than_memory_would_like_arrives_whole(
    client: Client, store: PgStore, clock: MovedClock
) -> None:
    async def lines() -> Any:
        yield b"phone,name\n"
        for n in range(300):
            yield b"".join(b"%d,%s\n" % (n * 100 + i, b"x" * 100) for i in range(100))
            await asyncio.sleep(0)

    headers = {**MARKETING, "Content-Type": "text/csv"}
    async with client.post("/api/crm/imports", data=lines(), headers=headers) as reply:
        assert reply.status == 202, await reply.text()
        size = (await reply.json())["size_bytes"]
    await import_next(store, clock, new_id)
    [done] = (await get(client, "/imports"))["items"]
    assert (done["state"], done["rejected"], done["last_row"]) == ("done", 30_000, 30_001)
    assert size > 3_000_000


async def test_the_enrolment_of_an_unknown_campaign_is_not_found(client: Client) -> None:
    await get(client, f"/campaigns/{CAMPAIGN}/enrolment", 404)


async def test_the_interface_describes_itself(client: Client) -> None:
    document = await get(client, "/openapi.json")
    assert "/api/crm/contacts/{contact_id}/consents" in document["paths"]
    assert document["openapi"].startswith("3.1")
