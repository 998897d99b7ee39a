"""The OpenAPI 3.1 document, made from the handlers' types; what is validated is what is documented."""

import inspect
from collections.abc import Iterator, Sequence
from importlib.metadata import version
from typing import Any

from pydantic import BaseModel, TypeAdapter
from pydantic.json_schema import JsonSchemaMode

from services.runtime.http.problems import PROBLEM_TYPE, Problem
from services.runtime.http.routes import PUBLIC, Route, gives_stream, reply_model

Json = dict[str, Any]

_TIME = "^([01][0-9]|2[0-3]):[0-5][0-9](:[0-5][0-9](\\.[0-9]{1,6})?)?$"
_REFS = "#/components/schemas/{model}"
_STATUS_TEXT = {
    200: "Done.", 201: "Made.", 202: "Accepted; work goes on.", 204: "Done; nothing to say.",
    304: "Unchanged since `If-None-Match`.", 400: "Not JSON, or not HTTP.", 401: "Not signed in.",
    403: "The caller's roles do not allow it.", 404: "No such thing.",
    409: "The present state says no; `present` tells it.", 412: "Changed since `If-Match`.",
    413: "The body is too large.", 415: "The body has another content type.",
    422: "The input does not fit; `fields` says where.", 428: "`If-Match` is missing.",
    503: "Away or busy; `Retry-After` says when to try again.",
}  # fmt: skip


def openapi_document(name: str, routes: Sequence[Route]) -> Json:
    """Return the document of the service *name*; deterministic, so that a change shows in a diff."""
    schemas = _Schemas(routes)
    paths: Json = {}
    for route in routes:
        paths.setdefault(route.path, {})[route.method.lower()] = _operation(route, schemas)
    bearer = {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"}
    return {
        "openapi": "3.1.0",
        "info": {"title": f"Galw {name}", "version": version("galw"), "description": _DESCRIPTION},
        "paths": paths,
        "components": {"schemas": schemas.definitions, "securitySchemes": {"bearer": bearer}},
    }


_DESCRIPTION = (
    "Errors are RFC 9457 problem details. Lists are paged by opaque cursors. A POST that says so honours"
    " `Idempotency-Key` for 24 hours; an edit that says so needs `If-Match`. Unknown fields and parameters are refused."
)


class _Schemas:
    """The JSON Schemas of all models of the routes, under names that are unique in the document."""

    def __init__(self, routes: Sequence[Route]) -> None:
        wanted: dict[tuple[Any, JsonSchemaMode], TypeAdapter[Any]] = {
            (Problem, "serialization"): TypeAdapter(Problem),
        }
        for route in routes:
            if route.body_type is not None:
                wanted[route.body_type, "validation"] = TypeAdapter(route.body_type)
            if not route.raw and (reply := reply_model(route.reply_type)) is not None:
                wanted[reply, "serialization"] = TypeAdapter(reply)
        inputs = [(*key, adapter) for key, adapter in wanted.items()]
        self._found, rest = TypeAdapter.json_schemas(inputs, ref_template=_REFS)
        self.definitions: Json = rest.get("$defs", {})
        _correct_times([rest, *self._found.values()])
        for (_, mode), schema in self._found.items():
            if mode == "validation":
                self._close(schema, set())

    def input(self, kind: Any) -> Json:
        """Return the schema of a body."""
        return self._found[kind, "validation"]

    def output(self, kind: Any) -> Json:
        """Return the schema of an answer."""
        return self._found[kind, "serialization"]

    def parameters(self, kind: type[BaseModel]) -> list[Json]:
        """Return the fields of a query as parameters."""
        schema = kind.model_json_schema(ref_template=_REFS)
        _correct_times(schema)
        self.definitions.update(schema.get("$defs", {}))
        required = schema.get("required", ())
        return [_parameter("query", name, one, name in required) for name, one in schema.get("properties", {}).items()]

    def _close(self, schema: Any, seen: set[str]) -> None:
        """State for every object inside a body what the validation does: unknown fields are refused."""
        if isinstance(schema, list):
            for one in schema:
                self._close(one, seen)
        if not isinstance(schema, dict):
            return
        if "properties" in schema and schema.get("type") == "object":
            schema["additionalProperties"] = False
        reference = schema.get("$ref")
        if isinstance(reference, str) and reference not in seen:
            seen.add(reference)
            self._close(self.definitions[reference.rpartition("/")[2]], seen)
        for value in schema.values():
            self._close(value, seen)


def _correct_times(schema: Any) -> None:
    """State wall-clock times as what they are: the format "time" of JSON Schema is one with an offset from UTC."""
    if isinstance(schema, list):
        for one in schema:
            _correct_times(one)
    if not isinstance(schema, dict):
        return
    if schema.get("format") == "time":
        del schema["format"]
        schema["pattern"] = _TIME
    for value in schema.values():
        _correct_times(value)


def _operation(route: Route, schemas: _Schemas) -> Json:
    operation: Json = {
        "operationId": route.name,
        "summary": route.summary,
        "tags": [route.tag],
        "description": _description(route),
        "security": [] if route.roles == PUBLIC else [{"bearer": []}],
        "x-roles": sorted(route.roles),
        "responses": _responses(route, schemas),
    }
    if parameters := _parameters(route, schemas):
        operation["parameters"] = parameters
    if route.body_type is not None:
        content = {"application/json": {"schema": schemas.input(route.body_type)}}
        operation["requestBody"] = {"required": True, "content": content}
    elif route.upload_name is not None:
        schema = {"type": "string", "format": "binary"}
        operation["requestBody"] = {"required": True, "content": {kind: {"schema": schema} for kind in route.accepts}}
    return operation


def _description(route: Route) -> str:
    text = inspect.cleandoc(route.handler.__doc__ or "")
    roles = "Open to everyone." if route.roles == PUBLIC else f"Roles: {', '.join(sorted(route.roles))}."
    return f"{text}\n\n{roles}".strip()


def _parameters(route: Route, schemas: _Schemas) -> list[Json]:
    found = [
        _parameter("path", name, TypeAdapter(kind).json_schema(), required=True)
        for name, kind in route.path_types.items()
    ]
    if route.query_type is not None:
        found += schemas.parameters(route.query_type)
    if route.if_match:
        # Not "required": its absence has a status of its own, 428.
        text = {"type": "string", "pattern": '^"[0-9]{1,18}"$', "description": "The `ETag` last read; 428 without it."}
        found.append(_parameter("header", "If-Match", text, required=False))
    if route.idempotent:
        text = {"type": "string", "pattern": "^[!-~]{1,255}$", "description": "One per intended effect."}
        found.append(_parameter("header", "Idempotency-Key", text, required=False))
    return found


def _parameter(place: str, name: str, schema: Json, required: bool) -> Json:
    schema = dict(schema)
    description = schema.pop("description", None)
    parameter: Json = {"name": name, "in": place, "required": required, "schema": schema}
    return parameter | ({"description": description} if description else {})


def _responses(route: Route, schemas: _Schemas) -> Json:
    success: Json = {"description": _STATUS_TEXT.get(route.status, "Done.")}
    if route.raw:
        success["description"] = "A page or a WebSocket."
    elif gives_stream(route.reply_type):
        success["content"] = {"*/*": {"schema": {"type": "string", "format": "binary"}}}
    elif (model := reply_model(route.reply_type)) is not None:
        success["content"] = {"application/json": {"schema": schemas.output(model)}}
    responses: Json = {str(route.status): success}
    problem = {"content": {PROBLEM_TYPE: {"schema": schemas.output(Problem)}}}
    for status in _problem_statuses(route):
        responses[str(status)] = {"description": _STATUS_TEXT[status], **problem}
    responses["default"] = {"description": "Another problem.", **problem}
    return responses


def _problem_statuses(route: Route) -> Iterator[int]:
    takes_body = route.body_type is not None or route.upload_name is not None
    if takes_body:
        yield 400
    if route.roles != PUBLIC:
        yield from (401, 403)
    if route.path_types:
        yield 404
    if route.method != "GET":
        yield 409
    if route.if_match:
        yield 412
    if takes_body:
        yield from (413, 415)
    if not route.raw:
        yield 422
    if route.if_match:
        yield 428
    yield 503
