"""A chart goes on to its next version: the log of the one before stays sound, and the same cases live under the new."""

import dataclasses

import msgspec
import sqlalchemy as sa

from casework.lifecycle.advance import advance
from casework.lifecycle.commands import Done, Fire, Outcome, Refused
from casework.log.check.findings import Report
from casework.log.format.entry import decode_strict
from casework.log.tables import entries
from casework.people.staff.actor import system
from casework.rules.statechart.chart import Chart
from casework.rules.statechart.parse import parse_chart
from casework.storage.database import reading, writing
from casework.work.cases.branch import Branch
from casework.work.cases.cited import Cited
from casework.work.cases.commands import Command
from casework.work.cases.publish import publish, published
from casework.work.cases.registry import REGISTRY
from casework.work.four_eyes.requests import Asked
from casework.work.requests import REQUEST
from tests.cases.worlds import CHART
from tests.four_eyes.conftest import World
from tests.statechart.small import RULEBOOK

FREED = 'effects = [{ effect = "grant_exception" }]'
GUARDED = f'guards = [{{ guard = "dpd_at_least", days = "@placement.from_dpd" }}]\n{FREED}'
MOVES = "".join(f'{name} = "{name}"\n' for name, state in CHART.states.items() if not state.final)


def next_version() -> Chart:
    """An invented version 2, under which an exception may be granted on any day."""
    text = CHART.text.decode()
    assert text.count(GUARDED) == 1
    text = text.replace(GUARDED, FREED)
    text = text.replace("version = 1\n", "version = 2\n", 1) + "\n[moves]\n" + MOVES
    return parse_chart(text.encode(), REGISTRY, RULEBOOK.policies, file="overdue_loan@2")


def test_a_log_of_one_version_is_sound_under_the_next_and_its_cases_go_on(world: World) -> None:
    """What version 1 refused is decided again by version 1 for ever; what comes after it by version 2.

    Under that the case then lives: its state has the same name there, so that it need not be moved.
    """
    now = world.started.branch
    later = Branch(
        dataclasses.replace(now.rulebook, charts={**now.rulebook.charts, "overdue_loan": next_version()}),
        now.vault,
        now.mac_key,
    )
    young, old = world.open(5), world.open(40)

    def grant(case_id: int, branch: Branch) -> Outcome:
        data = {"reason": "dispute", "expires_on": "2026-04-01"}
        command: Command = Fire(actor=world.actor("B1"), id=case_id, event="grant_exception", data=data)
        with writing(world.started.engine) as conn:
            (outcome,) = advance(conn, [command], branch, clock=world.clock)
        return outcome

    assert isinstance(grant(young, now), Refused)
    assert isinstance(grant(old, now), Done)
    with writing(world.started.engine) as conn:
        assert "chart overdue_loan@2" in publish(conn, later, system("cli"))
    assert isinstance(grant(young, later), Done)
    assert isinstance(grant(old, later), Done)
    assert (world.case(young).chart, world.case(old).chart) == ("overdue_loan@2", "overdue_loan@2")
    assert world.findings() == []


def test_of_entries_that_were_written_in_another_way_nothing_is_told(world: World) -> None:
    """Those that cite version 1 of the chart of requests: it cannot be used, and nobody is called a liar."""
    assert isinstance(world.ask("P1", world.suable(), "sue", claim_fen=5), Asked)
    now, text = world.started.branch, RULEBOOK.requests.text.decode()
    text = text.replace("version = 2\n", "version = 1\n", 1)
    before = parse_chart(text.replace(text[text.index("[moves]") : text.index("[groups]")], "").encode(),
                         REQUEST.registry, RULEBOOK.policies)  # fmt: skip
    then = dataclasses.replace(
        now, rulebook=dataclasses.replace(now.rulebook, charts={**now.rulebook.charts, "request": before})
    )
    with writing(world.started.engine) as conn:
        publish(conn, then, system("cli"), clock=world.clock)
    report = Report()
    with reading(world.started.engine) as conn:
        body = conn.execute(sa.select(entries.c.body).where(entries.c.event == "request.opened")).scalar_one()
        entry = decode_strict(bytes(body))
        cited = Cited(published(conn), report)
    assert cited.of(entry) is not None
    assert cited.of(msgspec.structs.replace(entry, chart=before.ref)) is None
    assert [(doubt.code, doubt.detail["chart"]) for doubt in report.doubts] == [("text_unreadable", before.ref)]
