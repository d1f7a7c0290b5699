"""Searching the log over HTTP, and taking what was found out as files."""

import csv
import hashlib
import io
import re
import zipfile
from datetime import date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import msgspec
import pytest
import sqlalchemy as sa
from python_calamine import CalamineWorkbook

from casework.clock import now
from casework.evidence.search.compare import differences
from casework.evidence.search.export import ENTRIES, Words, entry_cells
from casework.evidence.search.index import Indexer
from casework.evidence.search.tables import search_terms
from casework.lifecycle.commands import Fire, Note, Record
from casework.log.format.entry_line import EntryLine
from casework.log.tables import entries
from casework.log.write.seal import Sealer
from casework.people.staff.actor import Actor
from casework.settings import Settings
from casework.storage.database import reading
from casework.work.cases.rulebook import load_rulebook
from casework.work.cases.taking_out import Taker, file_of_list
from tests.api.conftest import BUSINESS_DATE, Running, findings
from tests.contacted import REPAIRED

PHONE = Actor("T1", "staff", "api", frozenset({"phone_collector"}), team="T1", region="R1")
PREFIX = "/audit/entries"


def story(running: Running) -> tuple[int, int]:
    """Two cases; calls, a note, and an event that is refused."""
    one, other = running.open("L1", "L2", days_past_due=9)
    running.do(
        Note(actor=PHONE, id=one, text="一"),
        Record(actor=PHONE, id=one, kind="information_repair", on=BUSINESS_DATE, evidence="rec:1",
               data=REPAIRED),
        Fire(actor=PHONE, id=other, event="mark_lost"),
    )  # fmt: skip
    return one, other


def index(running: Running) -> None:
    """Seal and index what there is."""
    branch, settings = running.started.branch, running.started.settings
    Sealer(running.started.engine, branch.mac_key, branch.vault, settings.keys_dir).round()
    Indexer(running.started.engine).catch_up()


def found(running: Running, **query: Any) -> list[str]:
    answer = running.get(PREFIX, "AUD1", params={"limit": 200, **query})
    assert answer.status_code == 200, answer.text
    return [entry["entry_id"] for entry in answer.json()["items"]]


def test_entries_are_found_by_every_part_of_the_filter(running: Running) -> None:
    """Before anything is sealed, and when all of it is in the index."""
    one, other = story(running)
    today = now().date()
    for indexed in (False, True):
        if indexed:
            index(running)
        refused = f"case:{other}:2"
        assert found(running, event="case.refused.*") == [refused]
        assert found(running, code="post_not_permitted") == [refused]
        assert refused in found(running, rule="1.*", event="case.*")
        assert found(running, actor="T1", order="newest") == [refused, f"case:{one}:3", f"case:{one}:2"]
        assert found(running, actor="T1", post="phone_collector") == [f"case:{one}:2", f"case:{one}:3"]
        assert found(running, subject="loan:L1") == [f"case:{one}:{number}" for number in (1, 2, 3)]
        assert found(running, subject="loan:Ｌ１") == found(running, subject="loan:L1")
        assert found(running, subject="borrower:B-L1", event="case.noted") == [f"case:{one}:2"]
        assert found(running, subject="staff:AUD1")[0] == "staff:AUD1:1"
        assert found(running, amount_fen_min=5_000_000, event="case.opened") == [f"case:{one}:1", f"case:{other}:1"]
        assert found(running, amount_fen_min=5_000_001, amount_fen_max=9_999_999) == []
        day_before, day_after = (today + timedelta(days=days) for days in (-2, 2))
        assert found(running, actor="T1", **{"from": str(day_before), "to": str(day_after)}) == found(
            running, actor="T1"
        )
        assert found(running, actor="T1", to=str(day_before)) == []
        assert found(running, actor="T1", **{"from": f"{day_after}T00:00:00Z"}) == []


@pytest.mark.only("sqlite")
def test_what_cannot_be_asked_is_told_by_name(running: Running) -> None:
    story(running)
    wrong: list[dict[str, Any]] = [
        {"from": "yesterday"}, {"from": "2026-01-01T00"}, {"to": "0001-01-01"}, {"to": "9999-12-31"},
        {"from": "2026-01-02", "to": "2026-01-01"}, {"subject": "nothing"}, {"subject": "loan:'x"}, {"actor": "张伟"},
        {"subject": "loan:L1", "stream": "case:1"}, {"amount_fen_min": 5, "amount_fen_max": 4}, {"rule": "%"},
    ]  # fmt: skip
    for query in wrong:
        for path in (PREFIX, f"{PREFIX}.csv"):
            answer = running.get(path, "AUD1", params=query)
            assert (answer.status_code, answer.json()["code"]) == (422, "filter_malformed"), query
    for query in ({"order": "sideways"}, {"amount_fen_min": -1}, {"limit": 201}, {"after": "x" * 2_000}):
        assert running.get(PREFIX, "AUD1", params=query).status_code == 422, query
    for subject in ("loan:L9", "borrower:B9", "case:999", "staff:nobody"):
        answer = running.get(PREFIX, "AUD1", params={"subject": subject})
        assert (answer.status_code, answer.json()["code"]) == (404, "unknown_subject")


def test_every_line_of_json_lines_hashes_to_its_leaf(running: Running) -> None:
    story(running)
    index(running)
    answer = running.get(f"{PREFIX}.jsonl", "AUD1", params={"event": "case.*"})
    assert (answer.status_code, answer.headers["casework-cut"]) == (200, "false")
    lines = answer.content.removesuffix(b"\n").split(b"\n")
    with reading(running.started.engine) as conn:
        held = conn.execute(
            sa.select(entries.c.leaf_hash).where(entries.c.event.startswith("case.")).order_by(entries.c.id)
        ).scalars()
        assert [hashlib.sha256(b"\x00" + line).digest() for line in lines] == [bytes(leaf) for leaf in held]


def test_each_export_is_on_record_with_its_filter_and_never_with_what_somebody_merely_typed(running: Running) -> None:
    story(running)
    index(running)
    digests = []
    for path, query in (
        ("jsonl", {"actor": "T1", "order": "newest"}), ("csv", {"subject": "loan:L1", "lang": "en"}),
        ("xlsx", {"actor": "13800138000", "from": "2026-01-01"}),
    ):  # fmt: skip
        answer = running.get(f"{PREFIX}.{path}", "AUD1", params=query)
        assert answer.status_code == 200
        digests.append(hashlib.sha256(answer.content).hexdigest())
    told = running.get(PREFIX, "AUD1", params={"stream": "exports:AUD1"}).json()["items"]
    assert [entry["body"]["event"] for entry in told] == ["audit.exported"] * 3
    assert [entry["body"]["data"] for entry in told] == [
        {"filter": {"actor": "T1", "order": "newest"}, "rows": 3, "format": "jsonl"},
        {"filter": {"subject": "loan:L1"}, "rows": 3, "format": "csv", "digest": digests[1]},
        {"filter": {"actor": True, "from": True}, "rows": 0, "format": "xlsx", "digest": digests[2]},
    ]
    for staff_no in ("R1", "B1", "ADM1"):
        assert running.get(f"{PREFIX}.csv", staff_no).json()["code"] == "post_not_permitted"
    assert findings(running.started) == []


def test_csv_and_workbook_say_what_an_entry_says_and_hold_no_formula(running: Running) -> None:
    _, other = story(running)
    index(running)
    table: list[dict[str, str]] = []
    for lang, header in (("zh", "分录编号"), ("en", "Entry")):
        text = running.get(f"{PREFIX}.csv", "AUD1", params={"actor": "T1", "lang": lang}).content.decode("utf-8-sig")
        *table, mark = csv.DictReader(io.StringIO(text))
        assert "AUD1" in mark[header]
        assert [line[header] for line in table][-1] == f"case:{other}:2"
    (refused,) = [line for line in table if line["Reason codes"]]
    assert (refused["Event"], refused["Reason codes"]) == ("case.refused.mark_lost", "post_not_permitted")
    assert refused["Reasons"] == "post_not_permitted"
    assert re.search("[一-鿿]", refused["Event in words"]) is None
    assert "reasons.1.code post_not_permitted" in refused["Data"]
    assert not [cell for line in table for cell in line.values() if cell[:1] in tuple("=+-@\t\r\n＝＋－＠")]
    answer = running.get(f"{PREFIX}.xlsx", "AUD1", params={"event": "case.*"})
    book = CalamineWorkbook.from_filelike(io.BytesIO(answer.content))
    _, (told, *_), head, *rows = book.get_sheet_by_name("审计分录").to_python()
    assert head[:3] == ["分录编号", "记录时间", "事件名称"]
    assert {type(cell) for row in rows for cell in row} == {str, date, datetime}
    assert "贷款余额 50000.00" in str(rows[0][head.index("金额（元）")])
    assert all(part in str(told) for part in ("AUD1", f"{len(rows)}行", "时间为Asia/Shanghai", "筛选：事件 case.*"))
    with zipfile.ZipFile(io.BytesIO(answer.content)) as parts:
        assert not [name for name in parts.namelist() if b"<f>" in parts.read(name)]


def test_no_text_of_an_entry_becomes_a_formula() -> None:
    """Whatever somebody might bring into a field of an entry; a body that cannot be read is told."""
    evil = "=HYPERLINK(1)"
    body = {
        "event": evil, "actor": {"id": "@x", "kind": "+1", "via": "-2"}, "reason_code": "\t=1", "rules": ["＝1"],
        "from": "=a", "to": None, "chart": None, "policy": None, "data": {"post": "\r=1", "reasons": []},
    }  # fmt: skip
    lines = [
        EntryLine(f"={n}", msgspec.Raw(raw), "ab", now(), n == 0)
        for n, raw in enumerate([msgspec.json.encode(body), b"{"])
    ]
    words = Words(load_rulebook(Settings.from_environment({}).statecharts).by_word, {}, ZoneInfo("Asia/Shanghai"))
    taker, cells = Taker("=x", now(), "Asia/Shanghai"), list(entry_cells(lines, words, "en"))
    text = file_of_list(ENTRIES, cells, "csv", "en", {"=1": "=2"}, taker, cut=True).body.decode("utf-8-sig")
    table = list(csv.reader(io.StringIO(text)))
    flat = [cell for row in table for cell in row]
    assert "'=HYPERLINK(1)" in flat
    assert not [cell for cell in flat if cell[:1] in tuple("=+-@\t\r\n＝＋－＠")]
    assert table[2][-1] == "(unreadable body)"
    assert "narrow the filter" in table[-1][0]
    assert [row[10] for row in table[:3]] == ["Written by this service", "yes", "no: forged"]
    made = file_of_list(ENTRIES, cells, "xlsx", "zh", {"=1": "=2"}, taker, cut=True).body
    with zipfile.ZipFile(io.BytesIO(made)) as parts:
        assert not [name for name in parts.namelist() if b"<f>" in parts.read(name)]


def test_every_term_of_a_branch_comes_from_a_field_that_may_be_searched(running: Running) -> None:
    """Entries of people, cases, requests and keys: terms are events, actors, rules, codes, posts, amounts."""
    story(running)
    index(running)
    allowed: dict[str, set[str]] = {
        "any": {""},
        "event": set(),
        "actor": set(),
        "rule": set(),
        "code": set(),
        "post": set(),
    }
    with reading(running.started.engine, snapshot=True) as conn:
        bodies = [msgspec.json.decode(body) for body in conn.execute(sa.select(entries.c.body)).scalars()]
        held = conn.execute(sa.select(search_terms.c.kind, search_terms.c.value)).all()
        assert list(differences(conn)) == []
    for body in bodies:
        allowed["event"].add(body["event"])
        allowed["actor"].add(body["actor"]["id"])
        allowed["rule"] |= set(body["rules"])
        allowed["code"] |= {body["reason_code"], *(reason["code"] for reason in body["data"].get("reasons", ()))}
        allowed["post"].add(body["data"].get("post"))
    families = {
        event[: event.index(".", place) + 1] for event in allowed["event"] for place in range(event.rindex(".") + 1)
    }
    assert len(allowed["event"]) > 8
    for kind, value in held:
        if kind == "family":
            assert value in families
        elif kind in allowed:
            assert value in allowed[kind]
        else:
            assert kind in ("amount", "octave", "octaves", "cell")
            assert 0 <= int(value) < 509
