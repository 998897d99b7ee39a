"""Where the command line keeps its sign-ins: one file that only its owner can read, one entry per Galw."""

import os
import stat
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Self

import click
import orjson


@dataclass(frozen=True, slots=True)
class SignIn:
    """Tokens of one session."""

    email: str
    access_token: str
    refresh_token: str
    expires_at: datetime
    """When the access token ends."""


class SignInFile:
    """`$XDG_CONFIG_HOME/galw/sign-in.json`, mode 0600; written whole or not at all."""

    def __init__(self, path: Path) -> None:
        """Use *path*, which need not exist."""
        self.path = path

    @classmethod
    def default(cls) -> Self:
        """Return the file of the person who runs this process."""
        configured = os.environ.get("XDG_CONFIG_HOME", "")
        # The specification wants relative paths ignored.
        base = Path(configured) if Path(configured).is_absolute() else Path.home() / ".config"
        return cls(base / "galw" / "sign-in.json")

    def load(self, url: str) -> SignIn | None:
        """Return the sign-in at *url*, None when there is none that can be read."""
        entry = self._entries().get(url)
        if not isinstance(entry, dict):
            return None
        try:
            expires_at = datetime.fromisoformat(entry["expires_at"])
            return SignIn(entry["email"], entry["access_token"], entry["refresh_token"], expires_at)
        except (KeyError, TypeError, ValueError):
            return None

    def save(self, url: str, sign_in: SignIn) -> None:
        """Remember the sign-in at *url* in place of an earlier one."""
        self._write({**self._entries(), url: sign_in})

    def forget(self, url: str) -> None:
        """Forget the sign-in at *url*."""
        entries = self._entries()
        if entries.pop(url, None) is not None:
            self._write(entries)

    def _entries(self) -> dict[str, Any]:
        try:
            mode = self.path.stat().st_mode
            if stat.S_IMODE(mode) & 0o077:
                raise click.ClickException(f"Others can read {self.path}. Run: chmod 600 {self.path}; galw sign-in")
            entries = orjson.loads(self.path.read_bytes())
        except (FileNotFoundError, orjson.JSONDecodeError):
            return {}
        return entries if isinstance(entries, dict) else {}

    def _write(self, entries: dict[str, Any]) -> None:
        self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        fresh = self.path.with_suffix(f".{os.getpid()}")
        with suppress(FileNotFoundError):
            fresh.unlink()
        # The mode is set before the first byte is written; a umask can only take away from it.
        descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(orjson.dumps(entries, option=orjson.OPT_INDENT_2))
        fresh.replace(self.path)
