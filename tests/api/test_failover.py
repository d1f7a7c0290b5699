"""A primary that is lost under load: what a synchronous standby keeps, what an asynchronous one loses, and who says so.

Small here, and with more rounds, more clients and two processes of the service in `make check-long`.
"""

import base64
import itertools
import threading
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import httpx
import pytest
import sqlalchemy as sa
from click.testing import CliRunner, Result
from litestar.testing import TestClient

from api import health, readiness
from api.app import Assembled, create_app
from casework.cli import main
from casework.log.check.honoured import (
    KeptWord,
    kept,
    opened,
    trusted_keys,
)
from casework.log.format.entry import decode_strict
from casework.log.tables import entries
from casework.settings import Settings, shipped
from casework.storage.database import reading
from tests.api.conftest import Running, findings, furnish
from tests.api.server import ServerProcess, environment, serving
from tests.conftest import LONGER
from tests.contacted import repair
from tests.postgres_server import OWNER
from tests.replicated import Pair, replicated

LONG = LONGER > 1
ROUNDS, CLIENTS, WORKERS = (6, 12, "2") if LONG else (1, 4, "1")
BEFORE, AFTER = (1_500, 300) if LONG else (120, 40)
WITHIN_S = 60
FACT = repair("2026-01-10")


class House:
    """A furnished branch on two servers."""

    def __init__(self, pair: Pair, folder: Path) -> None:
        self.pair, self.folder = pair, folder
        pair.execute(pair.primary, f"CREATE DATABASE casework OWNER {OWNER}")
        self.settings = Settings(
            database_url=pair.url("casework"), database_owner_url=pair.url("casework", OWNER),
            keys_dir=folder / "keys", statecharts=shipped("statecharts"),
        )  # fmt: skip
        self.started, self.tokens = furnish(self.settings)

    def open(self, number: int) -> list[int]:
        """Cases to work on."""
        running = Running(None, self.started, self.tokens)  # type: ignore[arg-type]
        return running.open(*[f"L{n}" for n in range(number)])

    def shell(self, *words: str) -> Result:
        """A command as the operator types it."""
        given = {name: value for name, value in environment(self.settings).items() if name.startswith("CASEWORK_")}
        return CliRunner().invoke(main, words, env=given)

    def stored(self) -> Counter[int]:
        """How many facts each case has in the log."""
        wanted = sa.select(entries.c.stream, sa.func.count()).where(
            entries.c.stream.like("case:%"), entries.c.event == "case.fact.information_repair"
        )
        with reading(self.started.engine) as conn:
            rows = conn.execute(wanted.group_by(entries.c.stream)).all()
        return Counter({int(stream.removeprefix("case:")): number for stream, number in rows})

    def standings(self, receipts: list[str]) -> list[KeptWord]:
        """What became of what these receipts promise."""
        with reading(self.started.engine, snapshot=True) as conn:
            keys = trusted_keys(conn, self.settings.keys_dir)
            promised = [one for text in receipts for one in opened(base64.b64decode(text), keys).receipt.entries]
            return kept(conn, promised)


@pytest.fixture
def house(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[House]:
    with replicated(synchronous=request.param) as pair:
        made = House(pair, tmp_path)
        yield made
        made.started.engine.dispose()


waiting_for_the_standby = pytest.mark.parametrize("house", [True], indirect=True, ids=["synchronous"])
without_waiting = pytest.mark.parametrize("house", [False], indirect=True, ids=["asynchronous"])


class Client(threading.Thread):
    """Records facts of its own cases until it is told to stop, and repeats each under its key until it is answered."""

    numbers = itertools.count()

    def __init__(self, url: str, token: str, case_ids: list[int]) -> None:
        super().__init__(daemon=True)
        self.url, self.token, self.case_ids = url, token, case_ids
        self.stopping = threading.Event()
        self.versions: dict[int, list[int]] = {case_id: [] for case_id in case_ids}
        self.receipts: list[str] = []
        self.refused: Counter[object] = Counter()

    @property
    def answered(self) -> int:
        """Changes that it was told are done."""
        return sum(map(len, self.versions.values()))

    def run(self) -> None:
        """One change after the other."""
        headers = {"Authorization": f"Bearer {self.token}"}
        with httpx.Client(base_url=self.url, headers=headers, timeout=30) as client:
            for case_id in itertools.cycle(self.case_ids):
                if self.stopping.is_set():
                    return
                self._do(client, case_id, f"k{next(self.numbers)}")

    def _do(self, client: httpx.Client, case_id: int, key: str) -> None:
        while True:
            try:
                answer = client.post(f"/cases/{case_id}/facts", json=FACT, headers={"Idempotency-Key": key})
            except httpx.TransportError as error:
                self.refused[type(error).__name__] += 1
            else:
                if answer.status_code == 200:
                    self.versions[case_id].append(answer.json()["version"])
                    self.receipts.append(answer.headers["Receipt"])
                    return
                assert answer.status_code in (503, 409), answer.text
                self.refused[answer.json()["code"]] += 1
            time.sleep(0.02)


def wait_for(clients: list[Client], number: int) -> None:
    deadline = time.monotonic() + WITHIN_S
    begun = sum(client.answered for client in clients)
    while sum(client.answered for client in clients) < begun + number:
        assert time.monotonic() < deadline, [client.refused for client in clients]
        assert all(client.is_alive() for client in clients)
        time.sleep(0.02)


def reason(server: ServerProcess) -> str | None:
    answer = httpx.get(f"{server.url}/health/ready", timeout=20)
    return None if answer.status_code == 200 else str(answer.json()["reason"])


def until(server: ServerProcess, *wanted: str | None) -> str | None:
    """Wait until health says one of these; which."""
    deadline = time.monotonic() + WITHIN_S
    while (said := reason(server)) not in wanted:
        assert time.monotonic() < deadline, (said, wanted)
        time.sleep(0.1)
    return said


@waiting_for_the_standby
def test_a_synchronous_standby_that_takes_over_under_load_loses_nothing_and_doubles_nothing(house: House) -> None:
    case_ids = house.open(CLIENTS * 3)
    with serving(house.settings, house.folder, "--workers", WORKERS) as server:
        clients = [Client(server.url, house.tokens["T1"], case_ids[n::CLIENTS]) for n in range(CLIENTS)]
        for client in clients:
            client.start()
        for number in range(ROUNDS):
            wait_for(clients, BEFORE)
            house.pair.kill()
            time.sleep(0.3)  # nobody takes writes
            house.pair.promote()
            wait_for(clients, AFTER)
            if number < ROUNDS - 1:
                house.pair.rebuild(synchronous=True)
        for client in clients:
            client.stopping.set()
        for client in clients:
            client.join(WITHIN_S)
        until(server, None)
    refused = sum((client.refused for client in clients), Counter())
    assert {"database_gone", "outcome_unknown"} & set(refused), "somebody must have met it"

    acknowledged = {case_id: versions for client in clients for case_id, versions in client.versions.items()}
    assert house.stored() == Counter({case_id: len(versions) for case_id, versions in acknowledged.items()})
    for versions in acknowledged.values():
        assert versions == list(range(2, 2 + len(versions)))
    receipts = [receipt for client in clients for receipt in client.receipts]
    assert len(receipts) == sum(map(len, acknowledged.values()))
    assert house.shell("audit", "seal").exit_code == 0
    assert {one.standing for one in house.standings(receipts)} == {"included"}
    assert findings(house.started) == []
    verified = house.shell("audit", "verify", "--json")
    assert (verified.exit_code, '"signer_memory"' in verified.stdout) == (0, True), verified.output


@without_waiting
def test_an_asynchronous_standby_that_lacks_the_newest_entries_is_told_until_a_new_log_states_the_loss(
    house: House,
) -> None:
    (case_id,) = house.open(1)
    with serving(house.settings, house.folder) as server, server.client(house.tokens["T1"]) as client:

        def record(number: int) -> list[str]:
            """Receipts of changes that are done, sealed and signed."""
            answers = [client.post(f"/cases/{case_id}/facts", json=FACT, headers={"Prefer": "sealed, wait=20"})
                       for _ in range(number)]  # fmt: skip
            assert [answer.status_code for answer in answers] == [200] * number
            return [answer.headers["Receipt"] for answer in answers]

        both_have = record(3)
        house.pair.follow()
        house.pair.stop(house.pair.standby)
        primary_alone = record(3)
        house.pair.kill()
        house.pair.start(house.pair.standby)
        assert until(server, "database_gone") == "database_gone"
        house.pair.promote()

        assert until(server, "tree_shrank") == "tree_shrank"
        assert {one.standing for one in house.standings(both_have)} == {"included"}
        assert {one.standing for one in house.standings(primary_alone)} == {"receipt_not_honoured"}
        verified = house.shell("audit", "verify", "--json")
        assert (verified.exit_code, "memory_beyond_tree" in verified.stdout) == (1, True)

        for _ in range(20):  # work goes on, unsigned, and the log grows beyond what was signed: another history
            assert client.post(f"/cases/{case_id}/facts", json=FACT).status_code == 200
        assert until(server, "tree_not_consistent") == "tree_not_consistent"
        assert "memory_root_differs" in house.shell("audit", "verify", "--json").stdout

        printed = house.shell(
            "keys", "rotate", "--new-origin", "bank.example/loans/wuhan-2", "--reason", "standby_promoted", "--json"
        )
        assert printed.exit_code == 0, printed.output
        until(server, None)
        assert house.shell("audit", "verify").exit_code == 0
        with reading(house.started.engine) as conn:
            body = conn.execute(sa.select(entries.c.body).where(entries.c.stream == "log:2", entries.c.stream_seq == 1))
            stated = decode_strict(bytes(body.scalar_one())).data["succeeds"]
        assert (stated["reason"], stated["lost_leaves"] >= 1) == ("standby_promoted", True)
        assert stated["found_size"] > stated["signed_size"]


@waiting_for_the_standby
def test_while_a_commit_waits_for_a_standby_that_is_not_there_it_is_not_ready(
    house: House, assembled: Assembled, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(readiness, "STUCK_S", 0.5)
    monkeypatch.setattr(health, "READY_HELD_S", 0.0)
    (case_id,) = house.open(1)
    with TestClient(create_app(replace(house.settings, seal=False), assembled)) as client:
        running = Running(client, house.started, house.tokens)

        def why() -> str | None:
            answer = client.get("/health/ready")
            return None if answer.status_code == 200 else str(answer.json()["reason"])

        assert why() is None
        house.pair.stop(house.pair.standby)
        answers: list[int] = []

        def record() -> None:
            answers.append(running.post(f"/cases/{case_id}/facts", "T1", json=FACT).status_code)

        writer = threading.Thread(target=record)
        writer.start()
        deadline = time.monotonic() + WITHIN_S
        while why() != "writes_stuck":
            assert time.monotonic() < deadline
            time.sleep(0.05)
        assert answers == []
        house.pair.start(house.pair.standby)
        writer.join(WITHIN_S)
        assert answers == [200]
        assert why() is None
