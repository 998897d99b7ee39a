"""The staff of the demo: each role once, six operators. Their password is printed, so it is good on loopback only."""

from dataclasses import dataclass
from uuid import UUID, uuid5

from services.runtime.clock import Clock
from services.runtime.identity.accounts import Accounts
from services.runtime.identity.identity import PACKAGES, SCHEMA
from services.runtime.identity.passwords import Passwords
from services.runtime.identity.principal import Role
from services.runtime.postgres import create_pool, migrate

PASSWORD = "galw-demo"  # noqa: S105 - printed on purpose; identity refuses it on any address but loopback
_NAMESPACE = UUID("6f1c2c0e-5d0b-4a55-9d53-0d5f3c1f7a10")


@dataclass(frozen=True, slots=True)
class Colleague:
    """Somebody who works in the demo."""

    name: str
    role: Role
    account: str

    @property
    def email(self) -> str:
        """The address to sign in with."""
        return f"{self.account}@demo.example"

    @property
    def id(self) -> UUID:
        """The same in every demo, so that making the account again is harmless."""
        return uuid5(_NAMESPACE, self.account)


ADMIN = Colleague("Alys Bowen", Role.ADMIN, "admin")
MARKETING = Colleague("Meinir Protheroe", Role.MARKETING, "marketing")
SUPERVISOR = Colleague("Steffan Nowak", Role.SUPERVISOR, "supervisor")
AUDITOR = Colleague("Awen Osei", Role.AUDITOR, "auditor")
PARTNER = Colleague("Priya Fielding", Role.PARTNER, "partner")
OPERATORS = tuple(
    Colleague(name, Role.OPERATOR, f"operator{number}")
    for number, name in enumerate(
        ("Gwen Idris", "Tomos Adeyemi", "Carys Lindgren", "Iwan Duarte", "Bethan Kaur", "Macsen Whitlock"), start=1
    )
)
STAFF = (ADMIN, MARKETING, SUPERVISOR, AUDITOR, *OPERATORS)
"""Everybody whose account can be made at once; the partner's needs the partner organisation first."""


async def make_staff(database_url: str, clock: Clock) -> bool:
    """Make the accounts of `STAFF`; False, and nothing is made, where other accounts were before them."""
    async with _Desk(database_url, clock) as accounts:
        if await accounts.find_by_email(ADMIN.email) is None and await accounts.list(None, 1):
            return False
        for colleague in STAFF:
            await _make(accounts, colleague, None)
        return True


async def make_partner_account(database_url: str, clock: Clock, partner_id: UUID) -> None:
    """Make the account of `PARTNER` for the partner organisation of that id."""
    async with _Desk(database_url, clock) as accounts:
        await _make(accounts, PARTNER, partner_id)


async def _make(accounts: Accounts, colleague: Colleague, partner_id: UUID | None) -> None:
    if await accounts.find_by_email(colleague.email) is None:
        await accounts.create(
            colleague.id,
            email=colleague.email,
            name=colleague.name,
            password=PASSWORD,
            roles={colleague.role},
            partner_id=partner_id,
            demo=True,
        )


class _Desk:
    """The accounts over a pool of their own, for as long as a block runs."""

    def __init__(self, database_url: str, clock: Clock) -> None:
        self._url = database_url
        self._clock = clock

    async def __aenter__(self) -> Accounts:
        await migrate(self._url, SCHEMA, PACKAGES)
        self._pool = await create_pool(self._url, SCHEMA, max_size=2, application_name="galw-demo")
        self._passwords = Passwords(threads=1)
        return Accounts(self._pool, self._passwords, self._clock)

    async def __aexit__(self, *_: object) -> None:
        self._passwords.close()
        await self._pool.close()
