"""Files of promises, holds and working days over HTTP: as repayments are taken, with every fault, tried or for good."""

from collections.abc import Iterator
from typing import Any, NamedTuple

import pytest
import sqlalchemy as sa
from litestar.testing import TestClient

from api.app import Assembled, create_app
from api.row_files import ROW_FILES
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


SAMPLES = [
    Sample("/promise-files", "ref,loan_id,made_on,pay_by,amount,staff_no", f"P1,L1,{DAY},2099-01-10,500.00,T1",
           f"P2,L1,{DAY},soon,much,", [("pay_by", "malformed_date", "soon"), ("amount", "malformed_amount", "much")],
           "T1"),
    Sample("/hold-files", "loan_id,hold,from,until", f"L1,hardship,{DAY},", f"L1,tired,{DAY},then",
           [("hold", "unknown_ground", "tired"), ("until", "malformed_time", "then")], "T1"),
    Sample("/calendar-files", "day,kind", "2126-05-01,off", "2126-13-02,maybe",
           [("day", "malformed_date", "2126-13-02"), ("kind", "unknown_kind", "maybe")], "AUD1"),
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


def send(running: Running, one: Sample, *rows: str, by: str = "B1", **form: str) -> Any:
    content = "\n".join([one.header, *rows, ""]).encode()
    return running.post(one.route, by, files={"file": ("sent.csv", content)}, data=form)


def entries(running: Running) -> int:
    with reading(running.started.engine) as conn:
        return int(conn.execute(sa.select(sa.func.count()).select_from(entries_)).scalar_one())


def test_every_kind_of_file_of_rows_is_tried_here() -> None:
    assert {one.route for one in ROW_FILES} == {one.route for one in SAMPLES} | {"/repayments"}


@samples
def test_a_sound_file_goes_in_by_whoever_sent_it_and_again_changes_nothing(sent: Running, one: Sample) -> None:
    for stored, repeated in ((1, 0), (0, 1)):
        answer = send(sent, one, one.sound)
        assert answer.status_code == 200, answer.text
        told = answer.json()
        assert (told["rows"], told["stored"], told["repeated"], told["set_aside"]) == (1, stored, repeated, [])
    with reading(sent.started.engine) as conn:
        by = conn.execute(sa.select(entries_.c.actor_id, entries_.c.event)).all()
    assert ("B1", "calendar.loaded" if one.route == "/calendar-files" else "feed.agreed_taken") in [
        (row.actor_id, row.event) for row in by
    ]


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
@pytest.mark.parametrize(
    ("form", "status", "code"), [({"dry_run": "perhaps"}, 422, "invalid_request"), ({}, 422, "column_missing")]
)
def test_what_is_no_such_file_is_refused(
    sent: Running, one: Sample, form: dict[str, str], status: int, code: str
) -> None:
    file = Sample(one.route, one.header if form else "a,b", one.sound, "", [], "")
    problem(send(sent, file, one.sound, **form), status, code)


def test_without_atomic_what_is_sound_goes_in_and_warnings_are_told(sent: Running) -> None:
    """A calendar is always taken whole; rows of the others stand alone."""
    promises, holds, calendar = SAMPLES
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
