"""Who said no, in PostgreSQL."""

from collections.abc import Collection, Sequence

from services.notifier.domain.recipients import ConsentLine
from services.notifier.store.statements import SQL
from services.runtime.postgres import Connection


class PgConsents:
    """The port `Consents` over one transaction."""

    def __init__(self, conn: Connection) -> None:
        """Work on *conn*."""
        self._conn = conn

    async def save(self, lines: Sequence[ConsentLine]) -> None:
        """Keep each line unless a later one about the same scope is there."""
        await self._conn.execute(
            SQL["consents_save"],
            [line.subject for line in lines],
            [line.channel for line in lines],
            [line.purpose for line in lines],
            [line.withdrawn for line in lines],
            [line.at for line in lines],
        )

    async def lines(self, subjects: Collection[str]) -> dict[str, list[ConsentLine]]:
        """Return the lines of each subject that has any."""
        found: dict[str, list[ConsentLine]] = {}
        for row in await self._conn.fetch(SQL["consents_list"], list(subjects)):
            found.setdefault(row["subject"], []).append(ConsentLine(**row))
        return found
