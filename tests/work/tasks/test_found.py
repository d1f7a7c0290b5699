"""Acts on task lists are found in the log by case and by person, whoever acted and whatever stream they lie in."""

import msgspec

from casework.evidence.dossier.heads import state_heads
from casework.evidence.dossier.make import make_dossier
from casework.evidence.list_acts import acts_of_case
from casework.evidence.search.find import page_of_entries
from casework.evidence.searching import SearchAsked, wanted_of
from casework.log.check.dossier import read_dossier
from casework.log.write import signer
from casework.operation.sealing import sealer_of
from casework.storage.database import reading, writing
from casework.work.cases.event_names import label_of
from casework.work.tasks.acts import Addition
from casework.work.tasks.own import take_list, tasks_of
from casework.work.tasks.strategies import start
from tests.feed.bank import Bank
from tests.feed.conftest import bank_after
from tests.work.tasks.test_acts import CALLER, REP, RISK, TODAY, desk, do, house
from tests.work.test_promises import at, day

__all__ = ["bank_after", "house"]


def found(bank: Bank, about: str) -> list[tuple[str, str]]:
    """Event and actor of what is about it, oldest first."""
    with reading(bank.started.engine, snapshot=True) as conn:
        wanted = wanted_of(conn, bank.started.branch, SearchAsked(about=about))
        page = page_of_entries(conn, bank.started.branch.mac_key, wanted)
    bodies = [msgspec.json.decode(bytes(line.body)) for line in page.items]
    return [(body["event"], body["actor"]["id"]) for body in bodies]


def test_what_was_taken_moved_put_off_begun_added_and_started_is_found_by_case_and_person(house: Bank) -> None:
    with writing(house.started.engine) as conn:
        first, second, *_ = tasks_of(conn, house.started.branch, TODAY, REP)
        take_list(conn, house.started.branch, TODAY, REP, at(TODAY)())
    assert first.case_id is not None
    assert second.case_id is not None
    assert do(house, "move", [first.id], RISK, to="P1", reason="workload") == ["done"]
    assert do(house, "postpone", [second.id], until=day(2), reason="debtor_asked") == ["done"]
    with writing(house.started.engine) as conn:
        opened = desk(house, conn, RISK)
        opened.add([Addition(first.case_id, "call", TODAY, to="P1")])
        opened.close()
        start(conn, house.started.branch, REP, [second.case_id], "phone", at(TODAY)())
    assert found(house, f"case:{first.case_id}") == [("tasks.moved", "B9"), ("tasks.added", "B9")]
    assert found(house, f"case:{second.case_id}") == [("tasks.postponed", "S1"), ("tasks.strategy", "S1")]
    assert found(house, "staff:P1") == [("tasks.moved", "B9"), ("tasks.added", "B9")]
    assert found(house, "staff:S1") == [("tasks.taken", "S1"), ("tasks.moved", "B9")]
    assert found(house, f"staff:{CALLER.id}x") == []
    for event in ("taken", "moved", "postponed", "begun", "added", "done", "strategy", "made"):
        zh, en = label_of(house.started.branch.rulebook, f"tasks.{event}")
        assert zh != f"tasks.{event}" != en


def test_a_case_tells_what_was_done_with_its_tasks_the_newest_first_with_reasons_in_words(house: Bank) -> None:
    with reading(house.started.engine) as conn:
        first, *_ = tasks_of(conn, house.started.branch, TODAY, REP)
    assert first.case_id is not None
    do(house, "move", [first.id], RISK, to="P1", reason="workload")
    do(house, "postpone", [first.id], CALLER, until=day(2), reason="debtor_asked")
    with reading(house.started.engine, snapshot=True) as conn:
        acts = acts_of_case(conn, house.started.branch, first.case_id)
        one = acts_of_case(conn, house.started.branch, first.case_id, limit=1)
        more = acts_of_case(conn, house.started.branch, first.case_id, limit=1, cursor=one.next)
    told = [(act.event, act.zh, act.actor, act.reason_zh, act.reason_en) for act in acts.items]
    assert [line[0] for line in told] == ["tasks.postponed", "tasks.moved"]
    assert [line[2:] for line in told] == [
        ("P1", "客户要求改期", "the debtor asked for another day"), ("B9", "工作量均衡", "to even out the load"),
    ]  # fmt: skip
    assert all(act.data["case"] == first.case_id and act.mac_holds for act in acts.items)
    assert [*one.items, *more.items] == acts.items


def test_the_dossier_of_a_case_proves_what_was_done_with_its_tasks(house: Bank) -> None:
    started = house.started
    with reading(started.engine) as conn:
        first, second, *_ = tasks_of(conn, house.started.branch, TODAY, REP)
    assert first.case_id is not None
    do(house, "move", [first.id], RISK, to="P1", reason="workload")
    do(house, "postpone", [second.id], until=day(2), reason="debtor_asked")
    sealer_of(started).round()
    state_heads(started.engine, started.branch, daily=False)
    sealer_of(started).round()
    do(house, "postpone", [first.id], CALLER, until=day(2), reason="debtor_asked")  # under no checkpoint yet
    keys = signer.known_keys(started.settings.keys_dir)
    with reading(started.engine, snapshot=True) as conn:
        data = make_dossier(conn, started.branch, first.case_id, keys).data
    shown = read_dossier(data, keys)
    assert shown.report.verdict == "sound"
    assert [(one.event, one.stream, one.actor.id) for one in shown.list_acts] == [
        ("tasks.moved", f"tasks:{first.id}", "B9")
    ]
