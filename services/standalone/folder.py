"""The data folder: whose it is, which release wrote it, and whether there is room, asked before anything is touched."""

import contextlib
import fcntl
import json
import os
import secrets
import shutil
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from services.standalone.children import StandaloneError

FORMAT = 1
"""Raised whenever a release lays out the folder so that an older one would misread it."""

_ROOM_BYTES = 256 * 1024**2
_STAMP = "galw.json"
_LOCK = "lock"


@contextmanager
def opened(path: Path, room_bytes: int = _ROOM_BYTES) -> Generator[Path]:
    """Make *path* ours for as long as the block runs; refuse in one sentence what cannot be used, changing nothing."""
    path = path.absolute()
    try:
        if path.exists() and not path.is_dir():
            raise StandaloneError(f"{path} is a file; choose a folder with DATA=…")
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
        with _locked(path):
            _refuse_foreign(path)
            if (free := shutil.disk_usage(path).free) < room_bytes:
                raise StandaloneError(
                    f"Only {free // 1024**2} MB are free for {path}, and Galw needs {room_bytes // 1024**2}; "
                    f"free some disk space or choose another folder with DATA=…"
                )
            if not (path / _STAMP).exists():
                (path / _STAMP).write_text(json.dumps({"format": FORMAT}) + "\n")
            yield path
    except OSError as error:
        # The system's own words name the file and the reason: permission, read-only, no space, not a folder.
        raise StandaloneError(f"The data folder {path} cannot be used: {error}; choose another with DATA=…") from error


@contextmanager
def _locked(path: Path) -> Generator[None]:
    # The kernel gives the lock back when the process ends, however it ends, so there are no stale locks.
    with open(os.open(path / _LOCK, os.O_RDWR | os.O_CREAT, 0o600), "r+") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            owner = lock.read().strip() or "unknown"
            raise StandaloneError(
                f"Galw already runs on {path} (process {owner}); stop that one or choose another folder with DATA=…"
            ) from error
        lock.truncate(0)
        lock.write(str(os.getpid()))
        lock.flush()
        yield


def _refuse_foreign(path: Path) -> None:
    try:
        written = int(json.loads((path / _STAMP).read_text())["format"])
    except FileNotFoundError:
        if any(entry.name != _LOCK for entry in path.iterdir()):
            (path / _LOCK).unlink()
            raise StandaloneError(
                f"{path} is not empty and was not written by Galw; choose another folder with DATA=…"
            ) from None
        return
    except (ValueError, KeyError, TypeError) as error:
        raise StandaloneError(f"{path / _STAMP} is damaged; restore it or choose another folder with DATA=…") from error
    if written > FORMAT:
        raise StandaloneError(
            f"{path} was written by a newer Galw (format {written}, this one knows {FORMAT}); "
            f"use that release or choose another folder with DATA=… Nothing was changed."
        )


def secret(folder: Path, name: str) -> str:
    """Return the folder's random secret of that name, made the first time; only the folder's owner can read it."""
    path = folder / "secrets" / name
    path.parent.mkdir(mode=0o700, exist_ok=True)
    with (
        contextlib.suppress(FileExistsError),
        open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as new,
    ):
        new.write(secrets.token_urlsafe(32))
    return path.read_text()


def note(folder: Path, name: str, text: str) -> None:
    """Write what other programs of the folder's owner may need beside its secrets; only the owner can read it."""
    path = folder / "secrets" / name
    path.parent.mkdir(mode=0o700, exist_ok=True)
    path.unlink(missing_ok=True)
    with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as new:
        new.write(f"{text}\n")


def forget(path: Path) -> bool:
    """Remove the folder and all in it, when it is Galw's and nobody runs on it; tell whether there was one."""
    if not path.exists():
        return False
    with opened(path, room_bytes=0) as folder:
        shutil.rmtree(folder)
    return True
