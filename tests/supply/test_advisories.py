"""Known vulnerabilities are asked for where they can be reached: a real pip-audit asks a server of the test's own."""

import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import date
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import pytest

from supply import advisories
from supply.advisories import ALLOWED, LOCKS, Allowed, Known, NotAsked, check, judge, read_allowed
from supply.lock import pins
from tests.small_server import SmallHTTPServer

TODAY = date(2027, 1, 15)
Answer = Callable[[str, int], tuple[int, bytes]]
"""A package's name and how many questions came before → status and body."""

VULNERABILITY = {
    "id": "PYSEC-2027-1", "aliases": ["CVE-2027-0001"], "summary": "a stranger stops it",
    "affected": [
        {
            "package": {"name": "victim", "ecosystem": "PyPI"},
            "ranges": [{"type": "ECOSYSTEM", "events": [{"introduced": "0"}, {"fixed": "1.1"}]}],
        }
    ],
}  # fmt: skip


def knows_victim(package: str, _before: int) -> tuple[int, bytes]:
    return 200, json.dumps({"vulns": [VULNERABILITY]} if package == "victim" else {}).encode()


@contextmanager
def answering(answer: Answer) -> Iterator[tuple[str, list[str]]]:
    """A server in the manner of osv.dev: its address, and the packages that it was asked about."""
    asked: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            question: dict[str, Any] = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            asked.append(question["package"]["name"])
            status, body = answer(asked[-1], len(asked) - 1)
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    with SmallHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}/v1/query", asked
        finally:
            server.shutdown()
            thread.join()


@pytest.fixture
def lock(tmp_path: Path) -> Path:
    path = tmp_path / "lock.txt"
    hashed = f"    --hash=sha256:{'0' * 64}\n"
    path.write_text(f"sound==2.0 \\\n{hashed}victim==1.0 \\\n{hashed}")
    return path


def allowing(folder: Path, until: str) -> Path:
    path = folder / "allowed.toml"
    path.write_text(
        f'[[allowed]]\nid = "CVE-2027-0001"\npackage = "victim"\nreason = "we never call it"\nuntil = {until}\n'
    )
    return path


def test_a_known_vulnerability_fails_the_check_and_is_named(lock: Path) -> None:
    with answering(knows_victim) as (url, asked):
        outcome = check([lock], ALLOWED, url, TODAY)
    assert outcome.code == 1
    assert outcome.lines[0] == ("known: victim 1.0: CVE-2027-0001, PYSEC-2027-1: a stranger stops it (mended in 1.1)")
    assert sorted(set(asked)) == ["pip", "sound", "victim"]


@pytest.mark.parametrize(("until", "code", "begin"), [
    ("2027-01-15", 0, "accepted until 2027-01-15: victim 1.0: CVE-2027-0001, PYSEC-2027-1: we never call it"),
    ("2027-01-14", 1, "accepted until 2027-01-14, and no longer: victim 1.0"),
])  # fmt: skip
def test_one_that_is_accepted_with_a_reason_fails_it_from_the_day_after_the_last(
    tmp_path: Path, until: str, code: int, begin: str
) -> None:
    known = Known("victim", "1.0", frozenset({"CVE-2027-0001", "PYSEC-2027-1"}), "a stranger stops it")
    outcome = judge([known], read_allowed(allowing(tmp_path, until)), TODAY)
    assert outcome.code == code
    assert outcome.lines[0].startswith(begin)


def test_what_is_accepted_of_another_package_accepts_nothing_and_is_told() -> None:
    known = Known("victim", "1.0", frozenset({"PYSEC-2027-1"}), "a stranger stops it")
    outcome = judge([known], [Allowed("PYSEC-2027-1", "other", "why not", TODAY)], TODAY)
    assert outcome.code == 1
    assert "accepted though not known: other: PYSEC-2027-1" in outcome.lines


def test_nothing_known_passes(lock: Path) -> None:
    with answering(lambda *_: (200, b"{}")) as (url, _):
        outcome = check([lock], ALLOWED, url, TODAY)
    assert (outcome.code, outcome.lines) == (0, ("advisories: 0 that nobody accepted, 0 known",))


def nobody(_package: str, _before: int) -> tuple[int, bytes]:
    return 404, b"no such page"


def slow(_package: str, _before: int) -> tuple[int, bytes]:
    time.sleep(1)
    return 200, b"{}"


def a_page(_package: str, _before: int) -> tuple[int, bytes]:
    return 200, b"<html>log in to go on</html>"


def gone_meanwhile(_package: str, before: int) -> tuple[int, bytes]:
    return (200, b"{}") if before == 0 else (503, b"")


UNREACHED: dict[str, Answer] = {
    "a mirror that knows no advisories": nobody, "no answer in time": slow, "a page that asks to log in": a_page,
    "gone in the middle": gone_meanwhile,
}  # fmt: skip


@pytest.mark.parametrize("way", UNREACHED)
def test_where_nobody_can_be_asked_that_is_said_and_nothing_fails(
    lock: Path, monkeypatch: pytest.MonkeyPatch, way: str
) -> None:
    monkeypatch.setattr(advisories, "ANSWER_S", 0.3)
    with answering(UNREACHED[way]) as (url, _):
        outcome = check([lock], ALLOWED, url, TODAY)
    assert outcome.code == 0
    assert outcome.lines[0].startswith(f"advisories: NOT ASKED, {url} cannot be reached: ")


def test_where_nobody_listens_that_is_said(lock: Path) -> None:
    with answering(nobody) as (url, _):
        pass
    assert "NOT ASKED" in check([lock], ALLOWED, url, TODAY).lines[0]


def test_all_answers_together_have_a_time_limit(lock: Path) -> None:
    def dawdling(_package: str, before: int) -> tuple[int, bytes]:
        time.sleep(0 if before == 0 else 20)
        return 200, b"{}"

    begun = time.monotonic()
    with pytest.raises(NotAsked, match="not all had been answered"), answering(dawdling) as (url, _):
        advisories.ask([lock], url, answer_s=30, whole_s=3)
    assert time.monotonic() - begun < 30


def test_pip_audit_without_an_answer_is_no_pass(tmp_path: Path) -> None:
    lock = tmp_path / "lock.txt"
    lock.write_text("victim>=1.0\n")  # not pinned
    with answering(knows_victim) as (url, _):
        outcome = check([lock], ALLOWED, url, TODAY)
    assert outcome.code == 1
    assert outcome.lines[0].startswith("advisories: no answer: ")


MISTAKEN = {
    "no reason": '[[allowed]]\nid = "X-1"\npackage = "p"\nuntil = 2027-01-01\n',
    "an empty reason": '[[allowed]]\nid = "X-1"\npackage = "p"\nreason = " "\nuntil = 2027-01-01\n',
    "no last day": '[[allowed]]\nid = "X-1"\npackage = "p"\nreason = "r"\n',
    "a text for a day": '[[allowed]]\nid = "X-1"\npackage = "p"\nreason = "r"\nuntil = "for ever"\n',
    "an unknown key": '[[allowed]]\nid = "X-1"\npackage = "p"\nreason = "r"\nuntil = 2027-01-01\nuntill = 1\n',
}


@pytest.mark.parametrize("mistake", MISTAKEN)
def test_an_entry_without_reason_or_last_day_accepts_nothing(tmp_path: Path, mistake: str) -> None:
    path = tmp_path / "allowed.toml"
    path.write_text(MISTAKEN[mistake])
    with pytest.raises(ValueError, match=r"allowed\.toml"):
        read_allowed(path)


def test_what_is_asked_about_is_all_that_is_installed() -> None:
    audited = {(pin.name, pin.version) for path in LOCKS for pin in pins(path)}
    root = LOCKS[0].parent
    assert {(pin.name, pin.version) for name in root.glob("requirements*.txt") for pin in pins(name)} <= audited
    assert read_allowed(ALLOWED) == []
