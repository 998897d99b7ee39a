"""SQL in files: `services/<service>/sql/<noun>_<verb>.sql`, one statement each, loaded by name.

The first line of a file is a comment that says what the statement returns. Because every text comes from a file of the
package, nothing that a caller sends can become SQL.
"""

from collections.abc import Iterator, Mapping
from importlib.resources import files
from typing import LiteralString, cast


class SqlFiles(Mapping[str, LiteralString]):
    """The statements of one package; a missing name raises `KeyError` naming the file that was expected."""

    def __init__(self, package: str, texts: Mapping[str, LiteralString]) -> None:
        """Hold *texts* by file name without `.sql`; *package* is for messages."""
        self.package = package
        self._texts = dict(texts)

    def __getitem__(self, name: str) -> LiteralString:
        """Return the statement `<name>.sql`."""
        try:
            return self._texts[name]
        except KeyError:
            raise KeyError(f"{self.package}/sql/{name}.sql does not exist") from None

    def __iter__(self) -> Iterator[str]:
        """Iterate over the names."""
        return iter(self._texts)

    def __len__(self) -> int:
        """Return how many statements there are."""
        return len(self._texts)


def load_sql(package: str) -> SqlFiles:
    """Return the statements in `<package>/sql`, read once from disk."""
    folder = files(package) / "sql"
    # Text from the package's own files is as trusted as a literal in its code.
    texts: dict[str, LiteralString] = {
        entry.name.removesuffix(".sql"): cast("LiteralString", entry.read_text(encoding="utf-8"))
        for entry in folder.iterdir()
        if entry.name.endswith(".sql")
    }
    return SqlFiles(package, texts)
