"""Templates over HTTP: every edit is a new version, every preview is rendered by what sends."""

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Self
from uuid import UUID

from pydantic import BaseModel, Field, JsonValue, StringConstraints

from services.notifier.api.access import MANAGERS, PREFIX, READERS
from services.notifier.domain.recipients import MessageChannel
from services.notifier.domain.templates import (
    MAX_LANGUAGES,
    MAX_SOURCE,
    MAX_SUBJECT,
    NAME,
    Template,
    Text,
    check_template,
    render,
)
from services.notifier.ports import Store, Tx
from services.runtime.errors import ConflictError, NotFoundError, PreconditionError
from services.runtime.http import Call, Cursor, Input, Page, PageQuery, Reply, Routes, rejected

Language = Annotated[str, StringConstraints(pattern=r"^[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8})*$", max_length=35)]


class TextInput(Input):
    """One language of a template."""

    body: str = Field(min_length=1, max_length=MAX_SOURCE)
    subject: str = Field("", max_length=MAX_SUBJECT)


class TemplateInput(Input):
    """What a template says, in Liquid."""

    channel: MessageChannel
    default_language: Language
    texts: dict[Language, TextInput] = Field(min_length=1, max_length=MAX_LANGUAGES)


class TemplateView(BaseModel):
    """One version of a template and the variables it uses."""

    name: str
    version: int
    channel: MessageChannel
    default_language: str
    texts: dict[str, TextInput]
    variables: list[str]
    created_at: datetime
    created_by: UUID | None

    @classmethod
    def of(cls, one: Template) -> Self:
        """Show *one*."""
        texts = {language: TextInput(body=text.body, subject=text.subject) for language, text in one.texts.items()}
        variables = list(check_template(one.channel, one.default_language, one.texts))
        shown = {name: getattr(one, name) for name in cls.model_fields if name not in ("texts", "variables")}
        return cls(**shown, texts=texts, variables=variables)


class VersionQuery(Input):
    """Which version; by default the latest."""

    version: int | None = Field(None, ge=1, le=2**31 - 1)


class PreviewInput(Input):
    """What to fill in."""

    language: str | None = Field(None, max_length=35)
    variables: dict[str, JsonValue] = Field(default_factory=dict, max_length=100)
    version: int | None = Field(None, ge=1, le=2**31 - 1)


class DraftPreviewInput(PreviewInput):
    """A template that is not published yet, and what to fill in."""

    template: TemplateInput


class Preview(BaseModel):
    """What a person would read."""

    language: str
    subject: str
    body: str


def template_routes(store: Store, organisation: str) -> Routes:
    """Return the routes of templates."""
    routes = Routes(prefix=PREFIX, tag="templates")
    after = Cursor(str)

    @routes.get("/templates", roles=READERS, summary="List templates")
    async def list_templates(query: PageQuery) -> Page[TemplateView]:
        async with store.transaction() as tx:
            found = await tx.templates.page(after.decode(query.cursor), query.limit)
        more = after.encode(found[-1].name) if len(found) == query.limit else None
        return Page(items=[TemplateView.of(one) for one in found], next_cursor=more)

    @routes.get("/templates/{name}", roles=READERS, summary="Read a template")
    async def get_template(name: str, query: VersionQuery) -> Reply[TemplateView]:
        async with store.transaction() as tx:
            found = await _load(tx, name, query.version)
        return Reply(TemplateView.of(found), etag=found.version)

    @routes.put("/templates/{name}", roles=MANAGERS, summary="Publish a template or its next version")
    async def put_template(call: Call, name: str, body: TemplateInput) -> Reply[TemplateView]:
        if not NAME.fullmatch(name):
            raise rejected("name", "expected up to 64 lower-case letters, digits, - and _")
        texts = _texts(body)
        check_template(body.channel, body.default_language, texts)
        async with store.transaction() as tx:
            version = _next_version(await tx.templates.find(name), call, body.channel)
            template = Template(
                name, version, body.channel, body.default_language, texts, call.now, call.principal.user_id
            )
            await tx.templates.add(template)
        return Reply(TemplateView.of(template), etag=version)

    @routes.post("/templates/{name}/preview", roles=READERS, status=200, summary="See what a person would read")
    async def post_preview(name: str, body: PreviewInput) -> Preview:
        async with store.transaction() as tx:
            template = await _load(tx, name, body.version)
        return _preview(template, body)

    @routes.post("/template-previews", roles=READERS, status=200, summary="Try a template before it is published")
    async def post_draft_preview(call: Call, body: DraftPreviewInput) -> Preview:
        draft, texts = body.template, _texts(body.template)
        check_template(draft.channel, draft.default_language, texts)
        return _preview(Template("draft", 1, draft.channel, draft.default_language, texts, call.now), body)

    def _preview(template: Template, body: PreviewInput) -> Preview:
        rendered = render(template, body.language, {"organisation": organisation, **body.variables})
        return Preview(language=rendered.language, subject=rendered.subject, body=rendered.body)

    return routes


async def _load(tx: Tx, name: str, version: int | None) -> Template:
    found = await tx.templates.find(name, version)
    if found is None:
        raise NotFoundError("There is no such template." if version is None else f"There is no version {version}.")
    return found


def _next_version(present: Template | None, call: Call, channel: MessageChannel) -> int:
    if present is None:
        return 1
    if present.channel != channel:
        raise ConflictError(f"The template is for {present.channel}; publish one of another name for {channel}.")
    if call.expected_version() != present.version:
        raise PreconditionError("The template has a newer version; read it again.")
    return present.version + 1


def _texts(body: TemplateInput) -> Mapping[str, Text]:
    return {language: Text(text.body, text.subject) for language, text in body.texts.items()}
