"""The OpenAPI document says what the handlers do, and the page shows it."""

from datetime import time
from typing import Any

import jsonschema
import pytest
import schemathesis.openapi
from jsonschema.validators import Draft202012Validator
from pydantic import BaseModel

from services.runtime.http import ANY_ROLE, Routes
from services.runtime.identity import Role
from tests.runtime.http.conftest import Client, Serve, bearer
from tests.runtime.http.test_requests import bike_routes


@pytest.fixture
async def bikes(serve: Serve) -> Client:
    return await serve(bike_routes())


async def document_of(client: Client) -> dict[str, Any]:
    async with client.get("/api/crm/openapi.json") as answer:
        return await answer.json()


async def test_the_document_is_openapi_3_1_and_every_reference_leads_somewhere(bikes: Client) -> None:
    document = await document_of(bikes)
    assert document["openapi"] == "3.1.0"
    operations = [one.ok() for one in schemathesis.openapi.from_dict(document).get_all_operations()]  # pyright: ignore[reportAttributeAccessIssue]
    assert len(operations) == len(bike_routes().all)
    assert all(operations)
    schemas = document["components"]["schemas"]
    for schema in schemas.values():
        Draft202012Validator.check_schema(schema)
    assert _references(document) <= {f"#/components/schemas/{name}" for name in schemas}


async def test_an_operation_tells_roles_parameters_body_and_answers(bikes: Client) -> None:
    document = await document_of(bikes)
    patch = document["paths"]["/api/crm/bikes/{bike_id}"]["patch"]
    assert patch["operationId"] == "patch_bike"
    assert patch["x-roles"] == ["marketing"]
    assert patch["security"] == [{"bearer": []}]
    assert [(one["name"], one["in"], one["required"]) for one in patch["parameters"]] == [
        ("bike_id", "path", True),
        ("If-Match", "header", False),
    ]
    assert {"200", "400", "401", "403", "404", "409", "412", "413", "415", "422", "428", "503"} <= set(
        patch["responses"]
    )
    listing = document["paths"]["/api/crm/bikes"]["get"]
    assert [one["name"] for one in listing["parameters"]] == ["limit", "cursor", "colour", "sold"]
    assert document["paths"]["/api/crm/imports"]["post"]["requestBody"]["content"].keys() == {"text/csv"}
    assert document["paths"]["/api/crm/broken"]["get"]["security"] == []


async def test_the_schema_of_a_body_refuses_what_the_service_refuses(bikes: Client) -> None:
    document = await document_of(bikes)
    schema = {"$ref": "#/components/schemas/NewBike", "components": document["components"]}
    jsonschema.validate({"name": "a", "wheels": [{"size": 3}]}, schema)
    for wrong in ({"name": "a", "x": 1}, {"name": "a", "wheels": [{"size": 3, "x": 1}]}, {"name": ""}):
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.validate(wrong, schema)


async def test_the_page_shows_every_operation_and_loads_nothing(bikes: Client) -> None:
    async with bikes.get("/api/crm/docs") as answer:
        page = await answer.text()
        policy = answer.headers["Content-Security-Policy"]
    assert answer.content_type == "text/html"
    for route in bike_routes().all:
        assert f'id="{route.name}"' in page
    assert "<script" not in page
    assert policy.startswith("default-src 'none'; style-src 'sha256-")


async def test_what_a_stranger_wrote_into_a_summary_stays_text(serve: Serve) -> None:
    routes = Routes("/api/crm", "x")

    @routes.get("/x", roles=(), summary="<script>alert(1)</script>")
    async def get_x() -> None:
        """Do `<b>`."""

    async with (await serve(routes)).get("/api/crm/docs") as answer:
        page = await answer.text()
    assert "<script>" not in page
    assert "<code>&lt;b&gt;</code>" in page


def _references(value: object) -> set[str]:
    if isinstance(value, list):
        return {one for item in value for one in _references(item)}
    if not isinstance(value, dict):
        return set()
    own = {value["$ref"]} if isinstance(value.get("$ref"), str) else set[str]()
    return own | {one for item in value.values() for one in _references(item)}


async def test_a_wall_clock_time_is_documented_as_it_is_sent(serve: Serve) -> None:
    class Opening(BaseModel):
        opens: time

    routes = Routes("/api/crm", "shops")

    @routes.put("/opening", roles=ANY_ROLE, summary="Say when the shop opens")
    async def put_opening(body: Opening) -> Opening:
        return body

    client = await serve(routes)
    schema = (await document_of(client))["components"]["schemas"]["Opening"]
    headers = bearer(Role.ADMIN)
    async with client.put("/api/crm/opening", json={"opens": "09:30"}, headers=headers) as answer:
        shown = await answer.json()
    validator = Draft202012Validator(schema, format_checker=Draft202012Validator.FORMAT_CHECKER)
    assert shown == {"opens": "09:30:00"}
    assert validator.is_valid(shown)
    assert validator.is_valid({"opens": "09:30"})
    assert not validator.is_valid({"opens": "24:00"})
