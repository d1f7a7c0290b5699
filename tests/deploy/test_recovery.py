"""Going back to a moment on PostgreSQL, by the commands of the handbook, and what the log says of it afterwards."""

import json
import os
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from casework.settings import Settings
from tests.api.server import CASEWORK, environment
from tests.deploy.blocks import ROOT, blocks
from tests.postgres_server import APP, OWNER, QUICK, USUAL, Room, Server, room, running

pytestmark = pytest.mark.skipif("CASEWORK_LONG" not in os.environ, reason="CASEWORK_LONG: a minute")
HANDBOOK = blocks(ROOT / "docs" / "operations.md")
DURABLE = (*USUAL, *QUICK, "synchronous_commit=on", "full_page_writes=on", "dynamic_shared_memory_type=mmap")


@dataclass(frozen=True)
class Host:
    """The database's host, and the service beside it."""

    place: Room
    keys: Path

    def take(self, title: str, **changes: str) -> None:
        """Do a step of the handbook, with this machine's folders."""
        commands = HANDBOOK[title].replace("/srv/", f"{self.place.data}/")
        for here, there in changes.items():
            assert here in commands
            commands = commands.replace(here, there)
        self.place.tool("/bin/bash", "-euc", commands, PGHOST=str(self.place.home), PGUSER="postgres")

    def casework(self, server: Server, *arguments: str) -> "subprocess.CompletedProcess[str]":
        """A command of the service."""
        settings = Settings(
            server.url("casework", APP), database_owner_url=server.url("casework", OWNER), keys_dir=self.keys,
            loans_dir=self.keys.with_name("loans"),
        )  # fmt: skip
        named = environment(settings, CASEWORK_DATABASE_OWNER_URL=str(settings.database_owner_url))
        return subprocess.run([*CASEWORK, *arguments], env=named, capture_output=True, text=True, check=False)

    def verified(self, server: Server) -> dict[str, Any]:
        """What verification finds."""
        report: dict[str, Any] = json.loads(self.casework(server, "audit", "verify", "--json").stdout)
        return report


@pytest.fixture
def host(tmp_path: Path) -> Iterator[Host]:
    with room() as place:
        place.initialise(place.data / "data")
        place.tool("/bin/mkdir", place.data / "archive")
        yield Host(place, tmp_path / "keys")


def hire(host: Host, server: Server, staff_no: str) -> None:
    """An entry of the log, sealed and signed."""
    assert host.casework(server, "staff", "add", staff_no, "某某", "--post", "auditor").returncode == 0
    assert host.casework(server, "audit", "seal").returncode == 0


def asked(server: Server, question: str) -> Any:
    """The first value of an answer."""
    row = server._superuser.execute(question.encode()).fetchone()
    return row[0] if row else None


def lived(host: Host) -> str:
    """A branch that hires W1 before the copy, W2 after it and W3 after the moment that is told."""
    data = host.place.data / "data"
    with running(host.place, data, DURABLE) as server:
        host.take("every change is archived, from the server's next start on")
        server.close()
    with running(host.place, data, DURABLE) as server:
        server.execute(f"CREATE ROLE {OWNER} LOGIN", f"CREATE ROLE {APP} LOGIN")
        server.create_database("casework")
        assert host.casework(server, "db", "upgrade").returncode == 0
        hire(host, server, "W1")
        host.take("each week: a copy to begin from")
        hire(host, server, "W2")
        moment = str(asked(server, "SELECT clock_timestamp()"))
        time.sleep(0.2)
        hire(host, server, "W3")
        server.execute("SELECT pg_switch_wal()")
        server.close()
    return moment


def test_a_server_goes_back_to_a_moment_and_the_log_says_what_was_lost(host: Host) -> None:
    """All that is there verifies, the signer tells of a shorter log, and a new log states the loss."""
    moment = lived(host)
    host.take("a server as it was at a moment", **{"2026-03-02 16:59:00+08": moment})
    with running(host.place, host.place.data / "restored", DURABLE) as server:
        while asked(server, "SELECT pg_is_in_recovery()"):
            time.sleep(0.1)
        assert host.casework(server, "db", "status").returncode == 0
        people = {one["staff_no"] for one in json.loads(host.casework(server, "staff", "list", "--json").stdout)}
        assert people == {"W1", "W2"}
        found = host.verified(server)
        assert {one["code"] for one in found["findings"]} == {"memory_beyond_tree"}
        assert found["verdict"] == "tampered"
        refused = host.casework(server, "audit", "seal")
        assert "tree_shrank" in refused.stdout + refused.stderr
        rotated = host.casework(
            server, "keys", "rotate", "--new-origin", "bank.example/loans/2", "--reason", "restored_backup"
        )
        assert rotated.returncode == 0, rotated.stderr
        assert host.casework(server, "audit", "seal").returncode == 0
        assert host.verified(server)["verdict"] == "sound"
        server.close()
