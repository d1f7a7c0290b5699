"""Two PostgreSQL servers of which one is a streaming replica of the other, set up as docs/operations.md says.

`with replicated(synchronous=True) as pair:` gives a primary and its standby on ports of this machine; `pair.url` names
both. `pair.kill()` is the loss of the primary's machine, `pair.promote()` what the operator does then, `pair.rebuild()`
makes a new standby of the lost one. Commands are those of the chapter "High availability", read from its text: `db1` is
the server that was begun first, `db2` the other.
"""

import ctypes
import os
import re
import shlex
import shutil
import signal
import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import psycopg

from tests.postgres_server import APP, OWNER, QUICK, USUAL, Room, Server, room, running

_CHAPTER = Path(__file__).parents[1] / "docs" / "operations.md"
_STEP = re.compile(r"^```sh\n# (?P<title>[^\n]*)\n(?P<commands>.*?)^```$", re.MULTILINE | re.DOTALL)
# What a replica needs is the default of PostgreSQL; a commit waits for whoever it is to wait for.
_REPLICATING = ("synchronous_commit=on", "full_page_writes=on", "dynamic_shared_memory_type=mmap", "max_connections=40")


def steps(title: str) -> list[str]:
    """The commands of one step of the chapter, by what its first line says."""
    found = {step["title"]: step["commands"].splitlines() for step in _STEP.finditer(_CHAPTER.read_text())}
    return found[title]


@dataclass
class Node:
    """One of the two servers: where it lies and listens."""

    name: str
    folder: Path
    port: int
    server: Server | None = None
    stack: ExitStack = field(default_factory=ExitStack)

    @property
    def data(self) -> Path:
        """Its cluster."""
        return self.folder / "data"


class Pair:
    """A primary and its standby; `primary` and `standby` change places when one is promoted."""

    def __init__(self, place: Room) -> None:
        self._place = place
        self.db1, self.db2 = (Node(name, self._folder(name), _free_port()) for name in ("db1", "db2"))
        self.primary, self.standby = self.db1, self.db2

    def url(self, database: str, user: str = APP, **options: str) -> str:
        """Both servers, as an operator names them."""
        hosts = f"127.0.0.1:{self.db1.port},127.0.0.1:{self.db2.port}"
        given = {"target_session_attrs": "read-write", **options}
        return f"postgresql://{user}@{hosts}/{database}?{'&'.join(f'{key}={value}' for key, value in given.items())}"

    def begin(self) -> None:
        """The primary, with the roles of the service and of the replica."""
        self._place.initialise(self.primary.data)
        self.start(self.primary)
        self.execute(self.primary, f"CREATE ROLE {OWNER} LOGIN", f"CREATE ROLE {APP} LOGIN")
        self.take("once, on db1: the role that replicates")

    def take(self, title: str, **swapped: Node) -> str:
        """Do a step of the chapter; `swapped` are the servers that stand for `db1` and `db2`; what it printed."""
        nodes = {"db1": self.db1, "db2": self.db2, **swapped}
        printed = ""
        for command in steps(title):
            name, *arguments = shlex.split(command, comments=True)
            words = [_placed(word, nodes) for word in arguments]
            printed += self._place.tool(name, *words, PGUSER="postgres", PGDATABASE="postgres").stdout
        return printed

    def replicate(self, *, synchronous: bool) -> None:
        """Make the standby from the primary, and have commits wait for it where that is asked for."""
        swapped = {"db1": self.primary, "db2": self.standby}
        self.take("on db2: a copy of db1 that follows it", **swapped)
        self.start(self.standby)
        if synchronous:
            self.take("on db1: a commit waits until db2 has it on its disk", **swapped)
            self.wait("SELECT count(*) = 1 FROM pg_stat_replication WHERE sync_state IN ('sync', 'quorum')")

    def start(self, node: Node) -> None:
        """Start a server, or start it again."""
        settings = (*USUAL, *QUICK, *_REPLICATING, "listen_addresses=127.0.0.1", f"port={node.port}")
        node.server = node.stack.enter_context(running(self._place, node.data, settings, node.folder, node.port))

    def stop(self, node: Node) -> None:
        """Stop a server in order."""
        node.stack.close()
        node.server = None

    def kill(self) -> None:
        """The primary is gone from one moment to the next, all its processes."""
        assert self.primary.server is not None
        pid = self.primary.server.process_id
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        for each in (pid, *map(int, children)):
            with suppress(ProcessLookupError):
                os.kill(each, signal.SIGKILL)
        self.stop(self.primary)
        _forget_shared_memory(self.primary.data / "postmaster.pid")

    def promote(self) -> None:
        """The standby becomes the primary."""
        self.take("on db2: the standby takes over", db1=self.primary, db2=self.standby)
        self.primary, self.standby = self.standby, self.primary

    def rebuild(self, *, synchronous: bool) -> None:
        """The server that was lost comes back, as the standby of the other."""
        shutil.rmtree(self.standby.data)
        self.replicate(synchronous=synchronous)

    def wait(self, question: str, *, node: Node | None = None, within_s: float = 30) -> None:
        """Wait until the primary (or `node`) says yes to an SQL question."""
        deadline = time.monotonic() + within_s
        while not self.ask(node or self.primary, question):
            assert time.monotonic() < deadline, question
            time.sleep(0.02)

    def follow(self) -> None:
        """Wait until the standby has all that the primary has."""
        self.wait("SELECT bool_and(replay_lsn >= pg_current_wal_lsn()) FROM pg_stat_replication")

    def ask(self, node: Node, question: str) -> object:
        """The first value that a server answers with, asked by its superuser."""
        with self._superuser(node) as conn:
            row = conn.execute(question.encode()).fetchone()
        return row[0] if row else None

    def execute(self, node: Node, *statements: str) -> None:
        """Run statements as the superuser, each in its own transaction."""
        with self._superuser(node) as conn:
            for statement in statements:
                conn.execute(statement.encode())

    def close(self) -> None:
        """End both."""
        for node in (self.standby, self.primary):
            node.stack.close()

    def _superuser(self, node: Node) -> psycopg.Connection[tuple[object, ...]]:
        return psycopg.connect(f"postgresql://postgres@/postgres?host={node.folder}&port={node.port}", autocommit=True)

    def _folder(self, name: str) -> Path:
        folder = self._place.data / name
        folder.mkdir(mode=0o700)
        stat = self._place.data.stat()
        os.chown(folder, stat.st_uid, stat.st_gid)
        return folder


@contextmanager
def replicated(*, synchronous: bool) -> Iterator[Pair]:
    """A primary and a standby that follows it; `synchronous`: a commit waits for the standby."""
    with room() as place:
        pair = Pair(place)
        try:
            pair.begin()
            pair.replicate(synchronous=synchronous)
            yield pair
        finally:
            pair.close()


def _placed(word: str, nodes: dict[str, Node]) -> str:
    """A word of a command with the servers of this machine for those of the chapter."""
    for name, node in nodes.items():
        word = re.sub(rf"\bhost={name}\b", f"host=127.0.0.1 port={node.port}", word)
        word = word.replace(f"/srv/{name}", str(node.data))
    return word


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _forget_shared_memory(pid_file: Path) -> None:
    """What a killed server leaves with the kernel goes: the id of its segment is the last word of its seventh line."""
    with suppress(OSError, IndexError, ValueError):
        identifier = int(pid_file.read_text().splitlines()[6].split()[1])
        ctypes.CDLL(None).shmctl(identifier, 0, None)  # IPC_RMID
