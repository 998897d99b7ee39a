"""An audience means the same in PostgreSQL as read naively in Python, for hundreds of random filters."""

import random
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from services.crm.domain.attributes import Attribute, AttributeKind
from services.crm.domain.audiences import All, Condition, Either, Filter, Not, Op, parse_filter
from services.crm.domain.contacts import Address, Contact, ContactId, Number, Relationship
from services.crm.ports import Store
from services.crm.store.filters import Predicate
from services.runtime.errors import RejectedError
from services.runtime.ids import new_id
from services.runtime.phone import E164

ATTRIBUTES = {
    "balance": Attribute("balance", AttributeKind.NUMBER),
    "tier": Attribute("tier", AttributeKind.CHOICE, choices=("gold", "tin")),
    "joined": Attribute("joined", AttributeKind.DATE),
    "member": Attribute("member", AttributeKind.BOOL),
    "town": Attribute("town", AttributeKind.TEXT),
}
TEXTS = ["", "Bala", "bala", "B%", "B_la", "'; DROP TABLE contacts; --", 'a"b\\', "Llanfair", "Ŵyl", "$1"]
DAYS = ["2026-01-01", "2026-11-22", "2026-11-23", "2026-12-31"]
VALUES: dict[AttributeKind, list[Any]] = {
    AttributeKind.TEXT: TEXTS,
    AttributeKind.NUMBER: [-1, 0, 1, 1.5, 1e20, 100],
    AttributeKind.DATE: DAYS,
    AttributeKind.BOOL: [True, False],
    AttributeKind.CHOICE: ["gold", "tin"],
}
OPS: dict[AttributeKind, list[str]] = {
    AttributeKind.TEXT: ["eq", "in", "contains", "starts_with", "exists"],
    AttributeKind.NUMBER: ["eq", "in", "lt", "le", "gt", "ge", "exists"],
    AttributeKind.DATE: ["eq", "in", "lt", "le", "gt", "ge", "exists"],
    AttributeKind.BOOL: ["eq", "exists"],
    AttributeKind.CHOICE: ["eq", "in", "exists"],
}
FIELDS: dict[str, AttributeKind] = {
    "name": AttributeKind.TEXT,
    "external_id": AttributeKind.TEXT,
    "country": AttributeKind.TEXT,
    "email": AttributeKind.TEXT,
    "relationship_since": AttributeKind.DATE,
    "created_on": AttributeKind.DATE,
    **{f"attributes.{name}": one.kind for name, one in ATTRIBUTES.items()},
}


def contacts(rng: random.Random, count: int) -> list[Contact]:
    def maybe(values: list[Any]) -> Any:
        return rng.choice([None, *values])

    made: list[Contact] = []
    for number in range(count):
        attributes = {name: maybe(VALUES[one.kind]) for name, one in ATTRIBUTES.items()}
        since = maybe(DAYS)
        made.append(
            Contact(
                id=ContactId(new_id()),
                sequence=1,
                numbers=(Number(E164(f"+4416329{number:05}")),),
                created_at=datetime(2026, 11, 22, 23, 30, tzinfo=UTC) + timedelta(hours=rng.choice([0, 1])),
                changed_at=datetime(2026, 11, 23, tzinfo=UTC),
                external_id=rng.choice([None, f"{rng.choice(TEXTS)}{number}"]),
                name=rng.choice(TEXTS),
                address=Address(country=maybe(["GB", "IE"])),
                email=maybe(["a@b.example"]),
                relationship=rng.choice(list(Relationship)),
                relationship_since=None if since is None else datetime.fromisoformat(since).date(),
                attributes={name: value for name, value in attributes.items() if value is not None},
            )
        )
    return made


def random_filter(rng: random.Random, depth: int = 3) -> dict[str, Any]:
    shape = rng.random()
    if depth and shape < 0.5:
        parts = [random_filter(rng, depth - 1) for _ in range(rng.randrange(4))]
        return {rng.choice(["all", "any"]): parts}
    if depth and shape < 0.65:
        return {"not": random_filter(rng, depth - 1)}
    field, kind = rng.choice(list(FIELDS.items()))
    op = rng.choice(OPS[kind])
    if op == "exists":
        value: Any = rng.choice([True, False])
    elif op == "in":
        value = rng.choices(VALUES[kind], k=2)
    else:
        value = rng.choice(VALUES[kind])
    return {"field": field, "op": op, "value": value}


def holds(node: Filter, one: Contact) -> bool:
    match node:
        case All(parts):
            return all(holds(part, one) for part in parts)
        case Either(parts):
            return any(holds(part, one) for part in parts)
        case Not(part):
            return not holds(part, one)
        case Condition():
            return compares(node, known(node.field, one))


def known(field: str, one: Contact) -> Any:
    own: Mapping[str, Any] = {
        "name": one.name or None,
        "external_id": one.external_id,
        "country": one.address.country,
        "email": one.email,
        "relationship_since": one.relationship_since and one.relationship_since.isoformat(),
        "created_on": f"{one.created_at:%Y-%m-%d}",
    }
    return one.attributes.get(field.removeprefix("attributes.")) if "." in field else own[field]


def compares(node: Condition, value: Any) -> bool:
    if node.op is Op.EXISTS:
        return (value is not None) == node.value
    if value is None:
        return False
    match node.op:
        case Op.EQ:
            return value == node.value
        case Op.IN:
            return value in node.value
        case Op.LT:
            return value < node.value
        case Op.LE:
            return value <= node.value
        case Op.GT:
            return value > node.value
        case Op.GE:
            return value >= node.value
        case Op.CONTAINS:
            return node.value in value
        case Op.STARTS_WITH:
            return value.startswith(node.value)


@pytest.mark.pg
async def test_postgresql_and_python_agree_on_random_filters(store: Store) -> None:
    rng = random.Random(20261123)
    people = contacts(rng, 60)
    async with store.transaction() as tx:
        await tx.contacts.save(people)
    hits = 0
    async with store.transaction() as tx:
        for _ in range(400):
            raw = random_filter(rng)
            audience = parse_filter(raw, ATTRIBUTES)
            expected = sorted(one.id for one in people if holds(audience, one))
            assert await tx.audiences.members(audience, None, 100) == expected, raw
            assert await tx.audiences.count(audience) == len(expected)
            assert await tx.audiences.among(audience, [one.id for one in people[:30]]) == sorted(
                one.id for one in people[:30] if holds(audience, one)
            )
            hits += len(expected)
    assert 0.1 < hits / (400 * len(people)) < 0.9


def test_no_value_reaches_the_text_of_a_statement() -> None:
    rng = random.Random(7)
    for _ in range(500):
        predicate = Predicate(parse_filter(random_filter(rng), ATTRIBUTES))
        for value in (*TEXTS[1:], *DAYS, "balance", "tier"):
            assert value not in predicate.sql or value == "$1"
        assert predicate.sql.count("'; ") == 0


@pytest.mark.parametrize(
    ("raw", "field"),
    [
        ([], "filter"),
        ({}, "filter"),
        ({"all": [], "any": []}, "filter"),
        ({"all": {}}, "filter.all"),
        ({"all": [{"not": 3}]}, "filter.all[0].not"),
        ({"field": "password", "op": "eq", "value": "x"}, "filter.field"),
        ({"field": "attributes.unknown", "op": "eq", "value": "x"}, "filter.field"),
        ({"field": ["name"], "op": "eq", "value": "x"}, "filter.field"),
        ({"field": "name", "op": "lt", "value": "x"}, "filter.op"),
        ({"field": "name", "op": "like", "value": "x"}, "filter.op"),
        ({"field": "name", "op": "eq", "value": 3}, "filter.value"),
        ({"field": "name", "op": "eq", "value": "a\x00b"}, "filter.value"),
        ({"field": "name", "op": "in", "value": []}, "filter.value"),
        ({"field": "attributes.balance", "op": "eq", "value": True}, "filter.value"),
        ({"field": "attributes.tier", "op": "eq", "value": "silver"}, "filter.value"),
        ({"field": "relationship", "op": "eq", "value": "friend"}, "filter.value"),
        ({"field": "created_on", "op": "gt", "value": "yesterday"}, "filter.value"),
        ({"not": {"not": {"not": {"not": {"not": {"not": {"not": {"not": {"not": {}}}}}}}}}}, "filter" + ".not" * 8),
        ({"all": [{"field": "name", "op": "eq", "value": "x"}] * 41}, "filter.all"),
        ({"all": [{"any": [{"field": "name", "op": "eq", "value": "x"}] * 30}] * 2}, "filter"),
    ],
)
def test_a_wrong_filter_is_refused_naming_the_place(raw: object, field: str) -> None:
    with pytest.raises(RejectedError) as refused:
        parse_filter(raw, ATTRIBUTES)
    assert field in [one.field for one in refused.value.fields]


def test_every_problem_of_a_filter_is_named_at_once() -> None:
    raw = {"all": [{"field": "x", "op": "eq", "value": 1}, {"field": "name", "op": "x", "value": 1}]}
    with pytest.raises(RejectedError) as refused:
        parse_filter(raw, ATTRIBUTES)
    assert [one.field for one in refused.value.fields] == ["filter.all[0].field", "filter.all[1].op"]
