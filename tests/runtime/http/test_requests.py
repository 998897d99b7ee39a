"""What a request may be, what its answer looks like, and how every refusal names its reason."""

import asyncio
import gzip
from collections.abc import AsyncIterator
from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID, uuid4

import pytest
import structlog
from aiohttp import ClientError, web
from aiohttp.test_utils import TestClient, TestServer
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, Field, TypeAdapter, ValidationError
from yarl import URL

from services.runtime.clock import SystemClock
from services.runtime.errors import ConflictError, NotFoundError, UnavailableError
from services.runtime.http import (
    PUBLIC,
    Call,
    Cursor,
    Input,
    Limits,
    Page,
    PageQuery,
    Reply,
    Routes,
    Stream,
    Upload,
    build_app,
)
from services.runtime.http.instant import Instant
from services.runtime.identity import Role
from tests.fakes.verifier import PlainVerifier
from tests.runtime.http.conftest import Client, Serve, bearer, parts


class Colour(StrEnum):
    RED = "red"
    BLUE = "blue"


class Wheel(Input):
    size: int = Field(ge=1, le=30)


class NewBike(Input):
    name: str = Field(min_length=1, max_length=50)
    wheels: tuple[Wheel, ...] = ()
    colour: Colour = Colour.RED
    bought_at: Instant | None = None
    owner_id: UUID | None = None
    price: float | None = None


class BikeView(BaseModel):
    id: UUID
    name: str
    version: int = 1


class BikeQuery(PageQuery):
    colour: tuple[Colour, ...] = ()
    sold: bool = False


def bike_routes() -> Routes:
    routes = Routes(prefix="/api/crm", tag="bikes")
    after = Cursor(tuple[str, int])

    @routes.post("/bikes", roles={Role.MARKETING}, status=201, summary="Make a bike")
    async def post_bike(call: Call, body: NewBike) -> Reply[BikeView]:
        """Make a bike."""
        return Reply(BikeView(id=call.new_id, name=body.name), etag=1, location="/api/crm/bikes/1")

    @routes.get("/bikes", roles={Role.MARKETING}, summary="List bikes")
    async def list_bikes(query: BikeQuery) -> Page[BikeView]:
        after.decode(query.cursor)
        return Page(items=[BikeView(id=UUID(int=1), name=str(query.sold))], next_cursor=after.encode(("a", 1)))

    @routes.get("/bikes/{bike_id}", roles={Role.MARKETING}, summary="Show a bike")
    async def get_bike(bike_id: UUID) -> Reply[BikeView]:
        if bike_id == UUID(int=0):
            raise NotFoundError("There is no such bike.")
        return Reply(BikeView(id=bike_id, name="b"), etag=3)

    @routes.patch("/bikes/{bike_id}", roles={Role.MARKETING}, if_match=True, summary="Edit a bike")
    async def patch_bike(call: Call, bike_id: UUID, body: Wheel) -> BikeView:
        if call.expected_version() != 3:
            raise ConflictError("The bike was changed.", present=BikeView(id=bike_id, name="now", version=3))
        return BikeView(id=bike_id, name=str(body.size))

    @routes.delete("/bikes/{bike_id}", roles={Role.ADMIN}, summary="Remove a bike")
    async def delete_bike(bike_id: UUID) -> None:
        assert bike_id

    @routes.post("/imports", roles={Role.MARKETING}, accepts=("text/csv",), summary="Import", max_body_bytes=1000)
    async def post_import(upload: Upload) -> BikeView:
        size = 0
        async for chunk in upload.chunks:
            size += len(chunk)
        return BikeView(id=UUID(int=1), name="imported", version=size)

    @routes.get("/export", roles={Role.MARKETING}, summary="Export")
    async def get_export() -> Stream:
        return Stream(parts(b"a\n", b"b\n"), "text/csv", filename="bikes – 1.csv")

    @routes.get("/broken", roles=PUBLIC, summary="Fail")
    async def get_broken() -> None:
        raise ValueError("the secret is +441632960001")

    @routes.get("/away", roles=PUBLIC, summary="Be away")
    async def get_away() -> None:
        raise UnavailableError("PostgreSQL is away.", retry_after_s=2.2)

    return routes


def _bike_app() -> web.Application:
    return build_app("crm", [bike_routes()], verifier=PlainVerifier(), clock=SystemClock())


@pytest.fixture
async def bikes(serve: Serve) -> Client:
    return await serve(bike_routes())


MARKETING = bearer(Role.MARKETING)


async def post(client: Client, body: bytes, content_type: str = "application/json") -> tuple[int, dict[str, Any]]:
    headers = {**MARKETING, "Content-Type": content_type}
    async with client.post("/api/crm/bikes", data=body, headers=headers) as answer:
        return answer.status, await answer.json(content_type=None)


async def test_a_good_request_is_answered_with_its_version_and_place(bikes: Client) -> None:
    body = {"name": "Roc", "wheels": [{"size": 28}], "colour": "blue", "bought_at": "2026-01-01T00:00:00Z", "price": 3}
    async with bikes.post("/api/crm/bikes", json=body, headers=MARKETING) as answer:
        assert answer.status == 201
        assert (await answer.json())["name"] == "Roc"
        assert answer.headers["ETag"] == '"1"'
        assert answer.headers["Location"] == "/api/crm/bikes/1"
        assert answer.headers["Cache-Control"] == "no-store"
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert not [name for name in answer.headers if name.lower().startswith("access-control")]


async def test_whoever_may_get_may_ask_by_head(bikes: Client) -> None:
    for path in ("/api/crm/bikes", "/api/crm/docs", "/livez"):
        async with bikes.head(path, headers=MARKETING) as answer:
            assert (answer.status, await answer.read()) == (200, b"")
    async with bikes.head("/api/crm/bikes") as answer:
        assert answer.status == 401


@pytest.mark.parametrize(
    ("given", "fine"),
    [
        ("2026-11-24T15:00:00Z", True),
        ("1970-01-01T00:00:00+14:00", True),
        ("0001-01-01T00:00:00+14:00", False),
        ("9999-12-31T23:59:59-12:00", False),
        ("2026-11-24T15:00:00", False),
        ("99999999999999", False),
    ],
)
def test_an_instant_has_an_offset_and_is_far_from_the_ends_of_the_calendar(given: Any, fine: bool) -> None:
    adapter = TypeAdapter[datetime](Instant)
    if fine:
        assert adapter.validate_python(given).utcoffset() is not None
    else:
        with pytest.raises(ValidationError, match=r"instant|timezone"):
            adapter.validate_python(given)


@pytest.mark.parametrize(
    ("body", "status", "field", "words"),
    [
        (b"", 400, None, "empty"),
        (b"{", 400, None, "line 1"),
        (b'{"name": "\\ud800"}', 400, None, "not JSON"),
        (b"\xff\xfe", 400, None, "not JSON"),
        (b"[" * 5000, 400, None, "not JSON"),
        (b"[]", 422, "body", "object"),
        (b"{}", 422, "name", "required"),
        (b'{"name": 3}', 422, "name", "string"),
        (b'{"name": null}', 422, "name", "string"),
        (b'{"name": "a", "nam": 1}', 422, "nam", "expected one of: name, wheels"),
        (b'{"name": "a", "wheels": [{"size": "28"}]}', 422, "wheels[0].size", "integer"),
        (b'{"name": "a", "wheels": [{"size": 1, "x": 1}]}', 422, "wheels[0].x", "unknown field"),
        (b'{"name": "a", "wheels": [{"size": 31}]}', 422, "wheels[0].size", "30"),
        (b'{"name": "a", "name": "b"}', 422, "name", "more than once"),
        (b'{"name": "a", "wheels": [{"size": 1, "siz\\u0065": 2}]}', 422, "wheels[0].size", "more than once"),
        (b'{"name": "a", "colour": "green"}', 422, "colour", "'red' or 'blue'"),
        (b'{"name": "a", "bought_at": "2026-01-01T00:00:00"}', 422, "bought_at", "timezone"),
        (b'{"name": "a", "bought_at": 17000}', 422, "bought_at", "datetime"),
        (b'{"name": "a", "owner_id": "x"}', 422, "owner_id", "UUID"),
        (b'{"name": "a\\u0000b"}', 422, "name", "NUL"),
        (b'{"name": "a", "wheels": [{"size": 123456789012345678901234567890}]}', 422, "wheels[0].size", "at most"),
        (b'{"name": "a", "price": 12345678901234567890}', 422, "price", "at most"),
        (b'{"name": "a", "price": ' + b"9" * 5000 + b"}", 400, None, "not JSON"),
        (b'{"name": "\\u0000", "x": ' + b"[" * 1000 + b"]" * 1000 + b"}", 400, None, "hundreds deep"),
    ],
)
async def test_a_bad_body_is_refused_naming_the_field_and_what_was_expected(
    bikes: Client, body: bytes, status: int, field: str | None, words: str
) -> None:
    seen, problem = await post(bikes, body)
    assert seen == status, problem
    if field is None:
        assert words in problem["detail"]
    else:
        assert words in {one["field"]: one["problem"] for one in problem["fields"]}[field]


async def test_a_large_number_that_is_exact_enough_for_its_field_is_taken(bikes: Client) -> None:
    assert (await post(bikes, b'{"name": "1234567890123456789", "price": 1.5e180}'))[0] == 201


@given(body=st.binary(max_size=60) | st.from_regex(rb'\{"name": "(\\u[0-9a-f]{4}|.)*", "wheels": .*\}', fullmatch=True))
async def test_no_body_is_a_500(body: bytes) -> None:
    async with TestClient(TestServer(_bike_app())) as client:
        assert (await post(client, body))[0] in (201, 400, 422)


async def test_a_problem_is_a_problem_document(bikes: Client) -> None:
    async with bikes.get(f"/api/crm/bikes/{UUID(int=0)}", headers={**MARKETING, "X-Request-Id": "r-1"}) as answer:
        assert answer.status == 404
        assert answer.content_type == "application/problem+json"
        assert await answer.json(content_type=None) == {
            "type": "urn:galw:problem:not-found",
            "title": "Not found",
            "status": 404,
            "code": "not-found",
            "detail": "There is no such bike.",
            "request_id": "r-1",
        }
        assert answer.headers["X-Request-Id"] == "r-1"


@pytest.mark.parametrize("content_type", ["text/plain", "", "application/json; charset=utf-16", "multipart/form-data"])
async def test_another_content_type_is_refused(bikes: Client, content_type: str) -> None:
    status, problem = await post(bikes, b'{"name": "a"}', content_type)
    assert status == 415
    assert "application/json" in problem["detail"]


@pytest.mark.parametrize("chunked", [False, True])
async def test_a_body_beyond_the_limit_is_refused(serve: Serve, chunked: bool) -> None:
    client = await serve(bike_routes(), limits=Limits(body_bytes=2000))
    body = b'{"name": "' + b"a" * 3000 + b'"}'
    headers = {**MARKETING, "Content-Type": "application/json"}
    data = parts(body[:1500], body[1500:]) if chunked else body
    async with client.post("/api/crm/bikes", data=data, headers=headers) as answer:
        assert answer.status == 413
        assert "2,000 bytes" in (await answer.json(content_type=None))["detail"]


@pytest.mark.parametrize(
    ("query", "field", "words"),
    [
        ("page=2", "page", "expected one of: limit, cursor"),
        ("limit=x", "limit", "integer"),
        ("limit=0", "limit", "greater"),
        ("limit=1&limit=2", "limit", "more than once"),
        ("colour=green", "colour[0]", "'red'"),
        ("cursor=%00", "cursor", "not valid text"),
        ("cursor=!!", "cursor", "next_cursor"),
        ("cursor=W10", "cursor", "next_cursor"),
        ("sold=perhaps", "sold", "boolean"),
    ],
)
async def test_a_bad_query_is_refused_naming_the_parameter(bikes: Client, query: str, field: str, words: str) -> None:
    async with bikes.get(f"/api/crm/bikes?{query}", headers=MARKETING) as answer:
        problem = await answer.json(content_type=None)
        assert answer.status == 422, problem
        assert words in {one["field"]: one["problem"] for one in problem["fields"]}[field]


async def test_a_cursor_of_a_page_leads_to_the_next(bikes: Client) -> None:
    async with bikes.get("/api/crm/bikes?sold=true&colour=red&colour=blue", headers=MARKETING) as answer:
        page = await answer.json()
    assert page["items"][0]["name"] == "True"
    async with bikes.get("/api/crm/bikes", params={"cursor": page["next_cursor"]}, headers=MARKETING) as answer:
        assert answer.status == 200


@pytest.mark.parametrize("bike_id", ["7", "%00", "%ff", "%ed%a0%80", "x" * 3000])
async def test_a_bad_path_is_refused(bikes: Client, bike_id: str) -> None:
    async with bikes.get(URL(f"/api/crm/bikes/{bike_id}", encoded=True), headers=MARKETING) as answer:
        problem = await answer.json(content_type=None)
        assert answer.status == 422, problem
        assert problem["fields"][0]["field"] == "bike_id"


async def test_a_parameter_where_none_is_taken_is_refused(bikes: Client) -> None:
    async with bikes.get(f"/api/crm/bikes/{uuid4()}?x=1", headers=MARKETING) as answer:
        assert answer.status == 422
        assert (await answer.json(content_type=None))["fields"][0]["field"] == "x"


@pytest.mark.parametrize(
    ("if_match", "status", "code"),
    [
        (None, 428, "precondition-required"),
        ("*", 412, "precondition-failed"),
        ('"x"', 412, "precondition-failed"),
        ('"٣"', 412, "precondition-failed"),
        ('"99999999999999999999"', 412, "precondition-failed"),
        ('"2"', 409, "conflict"),
        ('"3"', 200, None),
        ('W/"3"', 200, None),
    ],
)
async def test_an_edit_says_which_version_it_edits(
    bikes: Client, if_match: str | None, status: int, code: str | None
) -> None:
    headers = MARKETING | ({"If-Match": if_match} if if_match else {})
    async with bikes.patch(f"/api/crm/bikes/{UUID(int=5)}", json={"size": 3}, headers=headers) as answer:
        body = await answer.json(content_type=None)
        assert answer.status == status, body
        assert body.get("code") == code
        if status == 409:
            assert body["present"] == {"id": str(UUID(int=5)), "name": "now", "version": 3}


async def test_what_is_unchanged_is_not_sent_again(bikes: Client) -> None:
    headers = {**MARKETING, "If-None-Match": '"3"'}
    async with bikes.get(f"/api/crm/bikes/{uuid4()}", headers=headers) as answer:
        assert answer.status == 304
        assert await answer.read() == b""


async def test_nothing_to_say_is_204(bikes: Client) -> None:
    async with bikes.delete(f"/api/crm/bikes/{uuid4()}", headers=bearer(Role.ADMIN)) as answer:
        assert answer.status == 204


async def test_an_upload_is_read_as_it_comes_up_to_its_limit(bikes: Client) -> None:
    headers = {**MARKETING, "Content-Type": "text/csv"}
    async with bikes.post("/api/crm/imports", data=parts(b"a" * 600, b"b" * 300), headers=headers) as answer:
        assert (await answer.json())["version"] == 900
    async with bikes.post("/api/crm/imports", data=parts(b"a" * 600, b"b" * 500), headers=headers) as answer:
        assert answer.status == 413
    async with bikes.post("/api/crm/imports", data=b"{}", headers={**headers, "Content-Type": "text/json"}) as answer:
        assert answer.status == 415


async def test_a_stream_carries_its_name(bikes: Client) -> None:
    async with bikes.get("/api/crm/export", headers=MARKETING) as answer:
        assert await answer.read() == b"a\nb\n"
        assert answer.headers["Content-Disposition"] == "attachment; filename*=UTF-8''bikes%20%E2%80%93%201.csv"


async def test_a_stream_that_fails_half_way_does_not_look_whole(serve: Serve) -> None:
    routes = Routes("/api/crm", "streams")
    closed: list[str] = []

    async def failing(name: str, after: int) -> AsyncIterator[bytes]:
        try:
            for _ in range(after):
                yield b"x" * 1000
            raise UnavailableError("PostgreSQL is away.")
        finally:
            closed.append(name)

    @routes.get("/late", roles=PUBLIC, summary="Fail late")
    async def get_late() -> Stream:
        return Stream(failing("late", 3), "text/csv")

    @routes.get("/early", roles=PUBLIC, summary="Fail early")
    async def get_early() -> Stream:
        return Stream(failing("early", 0), "text/csv")

    @routes.get("/endless", roles=PUBLIC, summary="Never end")
    async def get_endless() -> Stream:
        return Stream(failing("endless", 10**9), "text/csv")

    client = await serve(routes)
    async with client.get("/api/crm/late") as answer:
        with pytest.raises(ClientError):
            await answer.read()
    async with client.get("/api/crm/early") as answer:
        assert answer.status == 503
    async with client.get("/api/crm/endless") as answer:
        await answer.content.read(10)
    async with asyncio.timeout(5):
        while len(closed) < 3:  # noqa: ASYNC110 - the server notices in its own time
            await asyncio.sleep(0.01)
    assert closed == ["late", "early", "endless"]


async def test_a_client_that_goes_away_in_its_body_is_nobodys_error() -> None:
    runner = web.AppRunner(_bike_app())  # as in production; the test server would cancel the handler
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    with structlog.testing.capture_logs() as lines:
        _, writer = await asyncio.open_connection(*runner.addresses[0][:2])
        head = "POST /api/crm/bikes HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 100\r\n"
        writer.write(f"{head}Authorization: Bearer marketing\r\n\r\n{{".encode())
        await writer.drain()
        await asyncio.sleep(0.1)
        writer.close()
        async with asyncio.timeout(5):
            while not lines:  # noqa: ASYNC110 - the server notices in its own time
                await asyncio.sleep(0.01)
    await runner.cleanup()
    assert [(line["event"], line["status"]) for line in lines] == [("http.handled", 499)]


@pytest.mark.parametrize(("encoding", "status"), [("gzip", 400), ("deflate", 400), ("gzip-bomb", 413)])
async def test_a_compressed_body_is_read_within_the_limit_or_refused(bikes: Client, encoding: str, status: int) -> None:
    bomb = encoding == "gzip-bomb"
    body = gzip.compress(b" " * 50_000_000) if bomb else b'{"name": "a"}'
    headers = {**MARKETING, "Content-Type": "application/json", "Content-Encoding": "gzip" if bomb else encoding}
    async with bikes.post("/api/crm/bikes", data=body, headers=headers) as answer:
        assert (answer.status, answer.content_type) == (status, "application/problem+json")


async def test_our_bug_is_a_500_that_tells_nothing(bikes: Client) -> None:
    async with bikes.get("/api/crm/broken") as answer:
        assert answer.status == 500
        text = await answer.text()
    assert "secret" not in text
    assert '"code":"internal"' in text


async def test_an_outage_says_when_to_try_again(bikes: Client) -> None:
    async with bikes.get("/api/crm/away") as answer:
        assert answer.status == 503
        assert answer.headers["Retry-After"] == "3"


async def test_unknown_addresses_and_methods_are_problems_too(bikes: Client) -> None:
    async with bikes.get("/api/crm/cars") as answer:
        assert (answer.status, answer.content_type) == (404, "application/problem+json")
    async with bikes.put("/api/crm/bikes", headers=MARKETING) as answer:
        assert (answer.status, answer.content_type) == (405, "application/problem+json")
        assert set(answer.headers["Allow"].split(",")) == {"GET", "HEAD", "POST"}
    async with bikes.options("/api/crm/bikes", headers={"Origin": "https://evil.example"}) as answer:
        assert answer.status == 405


async def test_a_slow_handler_is_given_up_and_a_crowd_is_told_to_wait(serve: Serve) -> None:
    routes = Routes(prefix="/api/crm", tag="slow")
    entered = asyncio.Event()

    @routes.get("/slow", roles=PUBLIC, summary="Be slow", timeout_s=0.3)
    async def get_slow() -> None:
        entered.set()
        await asyncio.sleep(5)

    client = await serve(routes, limits=Limits(concurrent=1))
    async with asyncio.TaskGroup() as group:
        first = group.create_task(client.get("/api/crm/slow"))
        await entered.wait()
        async with client.get("/api/crm/slow") as crowded:
            assert crowded.status == 503
            assert crowded.headers["Retry-After"] == "1"
            assert "Too many" in (await crowded.json(content_type=None))["detail"]
        async with await first as given_up:
            assert given_up.status == 503
            assert "0.3 seconds" in (await given_up.json(content_type=None))["detail"]
    async with client.get("/livez") as alive:
        assert alive.status == 200


def test_a_route_that_does_not_fit_its_handler_is_refused_at_once() -> None:
    routes = Routes(prefix="/api/crm", tag="wrong")
    with pytest.raises(TypeError, match="bike_id"):

        @routes.get("/bikes/{bike_id}", roles=PUBLIC, summary="Wrong")
        async def get_bike(other_id: UUID) -> None:
            assert other_id


def test_a_route_without_roles_cannot_be_made() -> None:
    routes = Routes(prefix="/api/crm", tag="wrong")
    with pytest.raises(TypeError, match="roles"):
        routes.get("/bikes", summary="Open by accident")  # pyright: ignore[reportCallIssue]
