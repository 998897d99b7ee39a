"""Routes: a typed handler, its address and who may call it, gathered per noun and mounted by `build_app`."""

import re
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, field, replace
from types import NoneType, UnionType
from typing import Any, TypedDict, TypeVar, Union, Unpack, get_args, get_origin, get_type_hints

from aiohttp import web
from pydantic import BaseModel

from services.runtime.http.call import Call, Reply, Stream, Upload
from services.runtime.identity.principal import Role

Handler = Callable[..., Awaitable[object]]
H = TypeVar("H", bound=Handler)

PUBLIC: frozenset[Role] = frozenset()
"""For `roles=`: anyone, signed in or not."""

ANY_ROLE: frozenset[Role] = frozenset(Role)
"""For `roles=`: whoever is signed in."""

_PARAMETER = re.compile(r"{(\w+)}")


@dataclass(frozen=True, slots=True)
class Route:
    """One address, what it takes and gives, read once from the handler's annotations."""

    method: str
    path: str
    handler: Handler
    roles: frozenset[Role]
    tag: str
    summary: str
    status: int = 0
    idempotent: bool = False
    if_match: bool = False
    accepts: tuple[str, ...] = ()
    max_body_bytes: int | None = None
    timeout_s: float | None = None
    raw: bool = False
    path_types: dict[str, Any] = field(default_factory=dict[str, Any])
    call_name: str | None = None
    body_type: Any = None
    query_type: type[BaseModel] | None = None
    upload_name: str | None = None
    reply_type: Any = None

    @property
    def name(self) -> str:
        """The handler's name: the operation id in the OpenAPI document."""
        return self.handler.__name__


class Options(TypedDict, total=False):
    """What a route may say beyond its address, roles and summary."""

    status: int
    """The usual status; else 200, or 204 for a handler that returns None."""
    idempotent: bool
    """Honour `Idempotency-Key`."""
    if_match: bool
    """Insist on `If-Match`; the handler calls `call.expected_version()`."""
    accepts: tuple[str, ...]
    """Content types of an upload."""
    max_body_bytes: int
    """Instead of the application's limit for bodies or uploads."""
    timeout_s: float
    """Instead of the application's limit for handlers."""


class Routes:
    """The routes of one noun under a *prefix*; deny by default: no route without saying who may call it."""

    def __init__(self, prefix: str, tag: str) -> None:
        """Start empty; *tag* is the heading in the API document."""
        self.prefix = prefix
        self.tag = tag
        self.all: list[Route] = []

    def get(self, path: str, *, roles: Iterable[Role], summary: str, **options: Unpack[Options]) -> Callable[[H], H]:
        """Register a handler that only reads."""
        return self._typed("GET", path, roles, summary, options)

    def post(self, path: str, *, roles: Iterable[Role], summary: str, **options: Unpack[Options]) -> Callable[[H], H]:
        """Register a handler that makes or does something; `idempotent=True` honours `Idempotency-Key`."""
        return self._typed("POST", path, roles, summary, options)

    def put(self, path: str, *, roles: Iterable[Role], summary: str, **options: Unpack[Options]) -> Callable[[H], H]:
        """Register a handler that replaces; `if_match=True` insists on `If-Match`."""
        return self._typed("PUT", path, roles, summary, options)

    def patch(self, path: str, *, roles: Iterable[Role], summary: str, **options: Unpack[Options]) -> Callable[[H], H]:
        """Register a handler that edits; `if_match=True` insists on `If-Match`."""
        return self._typed("PATCH", path, roles, summary, options)

    def delete(self, path: str, *, roles: Iterable[Role], summary: str, **options: Unpack[Options]) -> Callable[[H], H]:
        """Register a handler that removes."""
        return self._typed("DELETE", path, roles, summary, options)

    def raw(
        self,
        method: str,
        path: str,
        handler: Callable[[web.Request], Awaitable[web.StreamResponse]],
        *,
        roles: Iterable[Role],
        summary: str,
    ) -> None:
        """Register an aiohttp handler (a WebSocket, a page); it gets no parsing, no time limit, the same roles."""
        chosen = frozenset(roles)
        self.all.append(Route(method, self.prefix + path, handler, chosen, self.tag, summary, 200, raw=True))

    def _typed(self, method: str, path: str, roles: Iterable[Role], summary: str, options: Options) -> Callable[[H], H]:
        chosen = frozenset(roles)

        def register(handler: H) -> H:
            plain = Route(method, self.prefix + path, handler, chosen, self.tag, summary, **options)
            self.all.append(_completed(replace(plain, **_reading(handler))))
            return handler

        return register


def _reading(handler: Handler) -> dict[str, Any]:
    """Sort the handler's parameters by name and type into what `binding` fills in."""
    hints = get_type_hints(handler, include_extras=True)
    found: dict[str, Any] = {"reply_type": hints.pop("return"), "path_types": {}}
    for name, kind in hints.items():
        if kind is Call:
            found["call_name"] = name
        elif kind is Upload:
            found["upload_name"] = name
        elif name == "body":
            found["body_type"] = kind
        elif name == "query":
            found["query_type"] = kind
        else:
            found["path_types"][name] = kind
    return found


def _completed(route: Route) -> Route:
    where = f"{route.method} {route.path} ({route.name})"
    in_path = set(_PARAMETER.findall(route.path))
    if in_path != set(route.path_types):
        raise TypeError(f"{where}: the path names {sorted(in_path)}, the handler takes {sorted(route.path_types)}")
    if route.upload_name and (route.body_type or route.idempotent or not route.accepts):
        raise TypeError(f"{where}: an upload excludes a body and idempotency and says what it accepts")
    if route.idempotent and route.method != "POST":
        raise TypeError(f"{where}: only a POST needs an Idempotency-Key")
    if route.status:
        return route
    status = 204 if reply_model(route.reply_type) is None and not gives_stream(route.reply_type) else 200
    return replace(route, status=status)


def _alternatives(kind: Any) -> tuple[Any, ...]:
    return get_args(kind) if get_origin(kind) in (Union, UnionType) else (kind,)


def reply_model(kind: Any) -> Any:
    """Return the model inside a handler's return annotation, None when it answers without a JSON body."""
    for one in _alternatives(kind):
        if get_origin(one) is Reply:
            return reply_model(get_args(one)[0])
        if one not in (None, NoneType, Stream):
            return one
    return None


def gives_stream(kind: Any) -> bool:
    """Tell whether a handler's return annotation includes `Stream`."""
    return Stream in _alternatives(kind)
