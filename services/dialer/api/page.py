"""The page at the root: what happens now, for whoever looks. The files are ours, and its policy allows no others."""

from collections.abc import Awaitable, Callable
from importlib.resources import files

from aiohttp import web

from services.runtime.http import PUBLIC, Routes

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
_FILES = {
    "/": ("index.html", "text/html"),
    "/page.css": ("page.css", "text/css"),
    "/page.js": ("page.js", "text/javascript"),
    "/page.svg": ("page.svg", "image/svg+xml"),
}


def page_routes() -> Routes:
    """Return the routes of the page, its style, its script and its sign."""
    routes = Routes(prefix="", tag="status")
    folder = files("services.dialer") / "page"
    for path, (name, content_type) in _FILES.items():
        routes.raw("GET", path, _served((folder / name).read_text("utf-8"), content_type), roles=PUBLIC, summary=name)
    return routes


def _served(text: str, content_type: str) -> Callable[[web.Request], Awaitable[web.Response]]:
    async def get_page(_: web.Request) -> web.Response:
        return web.Response(text=text, content_type=content_type, headers={"Content-Security-Policy": POLICY})

    return get_page
