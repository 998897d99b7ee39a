"""The API document as a plain page, made on the server: nothing to load, nothing to run, readable on a telephone."""

import base64
import hashlib
from html import escape
from typing import Any

import orjson

_STYLE = """
:root{color-scheme:light dark;--line:#8884;--soft:#8882}
body{font:16px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem}
h1{margin-bottom:0}h2{margin-top:2.5rem;border-bottom:1px solid var(--line);text-transform:capitalize}
details{border:1px solid var(--line);border-radius:.5rem;margin:.5rem 0;padding:.5rem .75rem}
summary{cursor:pointer;display:flex;gap:.75rem;align-items:baseline;flex-wrap:wrap}
summary b{min-width:4rem;font:600 .8rem ui-monospace,monospace}
summary span{opacity:.75;margin-left:auto}
code,pre{font:.85rem/1.45 ui-monospace,monospace}
pre{background:var(--soft);padding:.75rem;border-radius:.4rem;overflow:auto;max-height:24rem}
table{border-collapse:collapse;width:100%}td,th{text-align:left;padding:.25rem .5rem;border-top:1px solid var(--line)}
"""
_DIGEST = base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()
DOCS_POLICY = f"default-src 'none'; style-src 'sha256-{_DIGEST}'; frame-ancestors 'none'"
"""The page may show its own style and nothing else."""


def docs_page(document: bytes) -> str:
    """Return the page that shows the OpenAPI *document*."""
    api: dict[str, Any] = orjson.loads(document)
    by_tag: dict[str, list[str]] = {}
    for path, operations in api["paths"].items():
        for method, operation in operations.items():
            by_tag.setdefault(operation["tags"][0], []).append(_operation(method, path, operation))
    sections = "".join(f"<h2>{escape(tag)}</h2>{''.join(shown)}" for tag, shown in by_tag.items())
    schemas = "".join(_schema(name, schema) for name, schema in sorted(api["components"]["schemas"].items()))
    title, info = escape(api["info"]["title"]), api["info"]
    return (
        '<!doctype html><html lang="en"><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width,initial-scale=1">'
        f"<title>{title}</title><style>{_STYLE}</style><h1>{title}</h1>"
        f"<p>Version {escape(info['version'])}. {_prose(info['description'])}"
        ' The document itself: <a href="openapi.json">openapi.json</a> (OpenAPI 3.1).</p>'
        f"{sections}<h2>Schemas</h2>{schemas}</html>"
    )


def _operation(method: str, path: str, operation: dict[str, Any]) -> str:
    paragraphs = "".join(f"<p>{_prose(one)}</p>" for one in operation["description"].split("\n\n"))
    parts = [paragraphs, _parameters(operation.get("parameters", ()))]
    for kind, content in operation.get("requestBody", {}).get("content", {}).items():
        parts.append(f"<p>Body, <code>{escape(kind)}</code>: {_kind(content['schema'])}</p>")
    parts.append(_responses(operation["responses"]))
    return (
        f'<details id="{escape(operation["operationId"])}"><summary><b>{method.upper()}</b>'
        f"<code>{escape(path)}</code><span>{escape(operation['summary'])}</span></summary>{''.join(parts)}</details>"
    )


def _parameters(parameters: list[dict[str, Any]]) -> str:
    rows = [
        (one["name"], f"{one['in']}{', required' if one['required'] else ''}", _kind(one["schema"]),
         _prose(one.get("description", "")))
        for one in parameters
    ]  # fmt: skip
    return _table(("parameter", "where", "type", "meaning"), rows) if rows else ""


def _responses(responses: dict[str, Any]) -> str:
    rows: list[tuple[str, ...]] = []
    for status, response in responses.items():
        kinds = [_kind(content["schema"]) for content in response.get("content", {}).values()]
        rows.append((status, _prose(response["description"]), " or ".join(kinds)))
    return _table(("status", "meaning", "body"), rows)


def _table(head: tuple[str, ...], rows: list[tuple[str, ...]]) -> str:
    titles = "".join(f"<th>{one}</th>" for one in head)
    cells = [f"<td><code>{row[0]}</code></td>" + "".join(f"<td>{cell}</td>" for cell in row[1:]) for row in rows]
    return f"<table><tr>{titles}</tr>{''.join(f'<tr>{line}</tr>' for line in cells)}</table>"


def _schema(name: str, schema: dict[str, Any]) -> str:
    shown = escape(orjson.dumps(schema, option=orjson.OPT_INDENT_2).decode())
    return f'<details id="{escape(name)}"><summary><code>{escape(name)}</code></summary><pre>{shown}</pre></details>'


def _kind(schema: dict[str, Any]) -> str:
    if "$ref" in schema:
        name = escape(schema["$ref"].rpartition("/")[2])
        return f'<a href="#{name}">{name}</a>'
    if "anyOf" in schema:
        return " or ".join(_kind(one) for one in schema["anyOf"])
    if schema.get("type") == "array":
        return f"list of {_kind(schema.get('items', {}))}"
    if "enum" in schema:
        return "one of " + ", ".join(f"<code>{escape(str(one))}</code>" for one in schema["enum"])
    return escape(schema.get("format") or schema.get("type") or "anything")


def _prose(text: str) -> str:
    """Return *text* escaped, with what stands in backquotes as code."""
    pieces = escape(text).split("`")
    return "".join(f"<code>{piece}</code>" if index % 2 else piece for index, piece in enumerate(pieces))
