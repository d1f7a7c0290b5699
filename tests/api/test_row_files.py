"""Files of rows over HTTP, whatever is in them: taken as repayments are, with every fault, tried or for good."""

import base64
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import sqlalchemy as sa
from litestar.testing import TestClient

from api.app import Assembled, create_app
from api.row_files import ROW_FILES
from casework.intake.feed.sheet import read_rows
from casework.log.tables import entries as entries_
from casework.operation.startup import Started
from casework.settings import Settings
from casework.storage.database import reading
from tests.api.conftest import Running
from tests.api.test_events import problem
from tests.feed.bank import DAY, INSTITUTION, Bank, arrears, contact, loan


class Sample(NamedTuple):
    """A file: its header, a row that goes in, one that does not, and where it is told to be wrong."""

    route: str
    header: str
    sound: str
    faulty: str
    told: list[tuple[str | None, str, str | None]]
    may_not: str
    by: str
    event: str


SAMPLES = [
    Sample("/promise-files", "ref,loan_id,made_on,pay_by,amount,staff_no", f"P1,L1,{DAY},2099-01-10,500.00,T1",
           f"P2,L1,{DAY},soon,much,", [("pay_by", "malformed_date", "soon"), ("amount", "malformed_amount", "much")],
           "T1", "B1", "feed.agreed_taken"),
    Sample("/hold-files", "loan_id,hold,from,until", f"L1,hardship,{DAY},", f"L1,tired,{DAY},then",
           [("hold", "unknown_ground", "tired"), ("until", "malformed_time", "then")], "T1", "B1",
           "feed.agreed_taken"),
    Sample("/calendar-files", "day,kind", "2126-05-01,off", "2126-13-02,maybe",
           [("day", "malformed_date", "2126-13-02"), ("kind", "unknown_kind", "maybe")], "AUD1", "B1",
           "calendar.loaded"),
    Sample("/staff-lists", "工号,姓名,岗位,上限,离职日期", "N1,新来者,business_rep,50,-", "N2,又一人,国王,许多,昨天",
           [("posts", "unknown_post", "国王"), ("capacity", "malformed_capacity", "许多"),
            ("leaves_on", "malformed_date", "昨天")], "B1", "ADM1", "staff.added"),
    Sample("/roster-files", "日期,工号,班次", "2126-03-10,R1,白班", "2126-13-10,X9,假",
           [("day", "malformed_date", "2126-13-10"), ("shift", "unknown_shift", "假")], "R1", "B1", "roster.entered"),
]  # fmt: skip
samples = pytest.mark.parametrize("one", SAMPLES, ids=[one.route for one in SAMPLES])


@pytest.fixture
def sent(
    settings: Settings, branch: tuple[Started, dict[str, str]], tmp_path: Any, assembled: Assembled
) -> Iterator[Running]:
    """The application on a branch with one loan in arrears."""
    started, issued = branch
    bank = Bank(started, tmp_path / "feeds")
    bank.know(INSTITUTION)
    bank.send(DAY, [arrears(1)], loans=[loan(1)], contacts=[contact(1)])
    with TestClient(create_app(settings, assembled)) as client:
        yield Running(client, started, issued)
    bank.assert_sound()


def send(running: Running, one: Sample, *rows: str, by: str = "", **form: Any) -> Any:
    content = "\n".join([one.header, *rows, ""]).encode()
    return running.post(one.route, by or one.by, files={"file": ("sent.csv", content)}, data=form)


def entries(running: Running) -> int:
    with reading(running.started.engine) as conn:
        return int(conn.execute(sa.select(sa.func.count()).select_from(entries_)).scalar_one())


def test_every_kind_of_file_of_rows_is_tried_here() -> None:
    assert {one.route for one in ROW_FILES} == {one.route for one in SAMPLES} | {"/repayments"}


def test_operators_are_told_the_page_and_the_route_of_every_kind() -> None:
    told = Path("docs/operations.md").read_text()
    assert [one.word for one in ROW_FILES if f"| `{one.page}` | `POST {one.route}` |" not in told] == []


@samples
def test_a_sound_file_goes_in_by_whoever_sent_it_and_again_changes_nothing(sent: Running, one: Sample) -> None:
    for stored, repeated in ((1, 0), (0, 1)):
        answer = send(sent, one, one.sound)
        assert answer.status_code == 200, answer.text
        told = answer.json()
        assert (told["rows"], told["stored"], told["repeated"], told["set_aside"]) == (1, stored, repeated, [])
    with reading(sent.started.engine) as conn:
        by = conn.execute(sa.select(entries_.c.actor_id, entries_.c.event)).all()
    assert (one.by, one.event) in [(row.actor_id, row.event) for row in by]


@samples
def test_a_dry_run_tells_the_same_and_writes_nothing(sent: Running, one: Sample) -> None:
    before = entries(sent)
    answer = send(sent, one, one.sound, dry_run="true")
    told = answer.json()
    assert (told["dry_run"], told["stored"], "receipt" in answer.headers) == (True, 1, False)
    assert entries(sent) == before
    told = send(sent, one, one.sound).json()
    assert (told["dry_run"], told["stored"]) == (False, 1)


@samples
def test_every_fault_of_a_row_is_told_at_once_with_cell_value_and_what_is_expected(sent: Running, one: Sample) -> None:
    before = entries(sent)
    told = send(sent, one, one.sound, one.faulty, atomic="true").json()
    assert [(fault["column"], fault["code"], fault["value"]) for fault in told["set_aside"]] == one.told
    for fault in told["set_aside"]:
        assert (fault["file"], fault["line"]) == ("sent.csv", 3)
        assert fault["cell"]
        assert fault["expected_zh"]
        assert fault["expected_en"]
    assert (told["stored"], told["not_done"], told["set_aside_rows"], told["faults_in_all"]) == (0, 1, 1, len(one.told))
    assert entries(sent) == before, "all of it or nothing"


@samples
def test_only_a_post_that_its_row_of_permissions_names_may_send_it(sent: Running, one: Sample) -> None:
    problem(send(sent, one, one.sound, by=one.may_not), 403, "post_not_permitted")


@samples
@pytest.mark.parametrize("kind", ["csv", "xlsx"])
def test_the_file_to_mend_comes_with_the_answer_and_goes_in_once_it_is_mended(
    sent: Running, one: Sample, kind: str
) -> None:
    """It holds the rows that were set aside, all of them where a file is taken whole; without `mend` there is none."""
    whole = next(kind.whole for kind in ROW_FILES if kind.route == one.route)
    assert send(sent, one, one.sound, one.faulty, dry_run="true").json()["to_mend"] is None
    assert send(sent, one, one.sound, dry_run="true", mend=kind).json()["to_mend"] is None
    told = send(sent, one, one.sound, one.faulty, mend=kind).json()
    to_mend = base64.b64decode(told["to_mend"])
    header, *rows = [cells for _, cells in read_rows(to_mend, f"mend.{kind}")]
    width = len(one.header.split(","))
    assert header[:width] == one.header.split(",")
    assert [row[:width] for row in rows] == [row.split(",") for row in ([one.sound] if whole else []) + [one.faulty]]
    if kind == "csv":
        mended = to_mend.decode("utf-8-sig").replace(one.faulty, one.sound)
        lines = mended.splitlines()
        again = send(sent, Sample(one.route, lines[0], "", "", [], "", one.by, ""), lines[-1]).json()
        assert (again["set_aside_rows"], again["rows"]) == (0, 1), again


@samples
def test_a_field_of_the_form_that_is_unknown_wrong_or_there_twice_is_named_and_nothing_is_taken_in(
    sent: Running, one: Sample
) -> None:
    before = entries(sent)
    refused = problem(
        send(sent, one, one.sound, dryrun="true", mend="pdf", dry_run=["true", "false"]), 422, "invalid_request"
    )
    assert {(fault["field"], fault["code"]) for fault in refused["faults"]} == {
        ("dryrun", "unknown"), ("mend", "malformed"), ("dry_run", "repeated"),
    }  # fmt: skip
    allowed = {fault["field"]: fault.get("allowed") for fault in refused["faults"]}
    assert allowed["mend"] == ["csv", "xlsx"]
    assert "dry_run" in allowed["dryrun"]
    assert entries(sent) == before


def test_a_staff_list_tells_each_difference_and_asks_for_posts_with_four_eyes(sent: Running) -> None:
    people = next(one for one in SAMPLES if one.route == "/staff-lists")
    looked = send(sent, people, people.sound, dry_run="true").json()["differences"]
    taken = send(sent, people, people.sound).json()["differences"]
    assert [{**one, "request": None} for one in taken] == looked, "a request that nobody made has no number"
    assert [(one["field"], one["after"]) for one in taken] == [
        ("status", "active"), ("name", "新来者"), ("capacity", "50"), ("post", "business_rep"),
    ]  # fmt: skip
    assert taken[-1]["request"] is not None
    told = send(sent, people, people.sound.replace("50", "60")).json()
    assert (told["changed"], told["stored"], told["repeated"]) == (1, 0, 0)
    assert [(one["before"], one["after"]) for one in told["differences"]] == [("50", "60")]


def test_a_roster_tells_what_is_new_what_is_another_and_what_was_there(sent: Running) -> None:
    roster = next(one for one in SAMPLES if one.route == "/roster-files")
    send(sent, roster, roster.sound, "2126-03-11,R1,白班")
    told = send(sent, roster, roster.sound, "2126-03-11,R1,", "2126-03-12,R1,白班").json()
    assert (told["rows"], told["stored"], told["changed"], told["repeated"]) == (3, 1, 1, 1)


@pytest.mark.parametrize(("route", "code"), [("/calendar-files", "calendar_empty"), ("/roster-files", "roster_empty")])
def test_a_file_that_is_taken_whole_and_has_no_row_is_refused(sent: Running, route: str, code: str) -> None:
    problem(send(sent, next(one for one in SAMPLES if one.route == route)), 422, code)


@samples
@pytest.mark.parametrize(
    ("form", "status", "code"), [({"dry_run": "perhaps"}, 422, "invalid_request"), ({}, 422, "column_missing")]
)
def test_what_is_no_such_file_is_refused(
    sent: Running, one: Sample, form: dict[str, str], status: int, code: str
) -> None:
    file = Sample(one.route, one.header if form else "a,b", one.sound, "", [], "", one.by, "")
    problem(send(sent, file, one.sound, **form), status, code)


def test_without_atomic_what_is_sound_goes_in_and_warnings_are_told(sent: Running) -> None:
    """A calendar is always taken whole; rows of the others stand alone."""
    promises, holds, calendar, *_ = SAMPLES
    told = send(sent, promises, promises.sound, promises.faulty).json()
    assert (told["stored"], told["set_aside_rows"], told["not_done"]) == (1, 1, 0)
    assert "beyond_the_horizon" in [one["code"] for one in told["warnings"]]
    told = send(sent, holds, holds.sound, holds.faulty).json()
    assert (told["stored"], told["set_aside_rows"]) == (1, 1)
    assert [one["code"] for one in told["warnings"]] == ["review_missing"]
    told = send(sent, calendar, calendar.sound, calendar.faulty).json()
    assert (told["stored"], told["set_aside_rows"], told["not_done"]) == (0, 1, 1)
    told = send(sent, holds, f"L1,hardship,{DAY},2099-03-01").json()
    assert (told["changed"], told["stored"], told["repeated"]) == (1, 0, 0)
