"""Papers that wait for somebody are tasks: to be reviewed by a post, to be put right by whoever made them."""

from casework.settings import shipped
from casework.storage.database import reading
from casework.work.cases.rulebook import load_rulebook
from casework.work.tasks.own import told
from casework.work.tasks.papers import WAITING
from tests.dialler.test_learning import edit
from tests.feed.bank import DAY, Bank
from tests.work import test_disposals as forms
from tests.work import test_visits as visits
from tests.work.tasks.test_lists import close, listed, morning
from tests.work.test_disposals import owed
from tests.work.test_promises import day
from tests.work.test_visits import ordered

__all__ = ["ordered", "owed"]
EMPTY = (
    'empty_because = "the rulebook names no day; the branch enters the days that it gives, and until then the task has '
    'no deadline of its own"'
)
RISK, LED, FORMS = ("B9", "basic_risk_manager"), ("V1", "business_rep"), ("A1", "asset_preservation")
# Where somebody sees in the morning what waits in a state that no day ends: of each chart, every such state.
SEEN_IN = {
    ("visit", "reported"): "report_review",
    ("visit", "returned"): "report_returned",
    ("visit", "ended"): "visit_report",
    ("disposal", "filed"): "form_review",
    ("disposal", "returned"): "form_returned",
    ("repair", "under_way"): "repair",
    ("risk", "in_force"): "nobody owes anything: the flag says whose the cases are",
    ("handover", "planned"): "request",
}


def papers(bank: Bank, on: int, who: str, *posts: str) -> list[str]:
    """The papers of a morning's list, in short."""
    found = morning(bank, on, who, *posts)
    return [one for one in found if "report_re" in one or "form_re" in one]


def reported(bank: Bank) -> None:
    visits.order(bank)
    visits.visited(bank)
    visits.fire(bank, "report", **visits.REPORT)


def test_a_report_waits_on_the_list_of_the_post_that_reviews_and_not_of_whoever_went(ordered: Bank) -> None:
    reported(ordered)
    close(ordered, 0)
    assert papers(ordered, 1, *RISK) == ["L1 report_review: due_today"]
    (task,) = (one for one in listed(ordered, 1, *RISK) if one.task == "report_review")
    assert (task.ref, task.due_on, told(task)[1]) == ("1", DAY, f"a report handed in on {DAY} waits for its review")
    assert papers(ordered, 1, *LED, "basic_risk_manager") == [], "who went does not review"


def test_a_report_that_was_reviewed_is_off_the_list_at_once_and_on_that_of_the_morning_as_it_was(
    ordered: Bank,
) -> None:
    reported(ordered)
    close(ordered, 0)
    assert papers(ordered, 1, *RISK) == ["L1 report_review: due_today"]
    visits.fire(ordered, "send_back", visits.B9, on=1, reason="incomplete")
    assert papers(ordered, 1, *RISK) == []
    assert [one.task for one in listed(ordered, 1, *RISK, handed_out=True)] == ["report_review"]


def test_a_form_waits_for_another_who_reviews_it_and_once_returned_for_whoever_drew_it_up(owed: Bank) -> None:
    forms.draw_up(owed)
    close(owed, 0)
    assert papers(owed, 1, *FORMS) == ["L1 form_review: due_today"]
    assert papers(owed, 1, *LED, "asset_preservation") == []
    forms.fire(owed, "send_back", forms.A1, reason="limitation")
    assert papers(owed, 1, *FORMS) == []
    close(owed, 1)
    assert papers(owed, 2, *LED) == ["L1 form_returned: due_today"]
    forms.fire(owed, "correct", limitation_ends_on=day(800).isoformat())
    assert papers(owed, 2, *LED) == [], "put right"
    close(owed, 2)
    assert papers(owed, 3, *FORMS) == ["L1 form_review: due_today"]


def test_what_was_returned_is_due_when_the_branch_says_so_and_overdue_the_day_after(ordered: Bank) -> None:
    edit(ordered, EMPTY, "value = 2")
    reported(ordered)
    visits.fire(ordered, "send_back", visits.B9, reason="incomplete")
    seen = []
    for on in range(1, 4):
        close(ordered, on - 1)
        seen += papers(ordered, on, *LED)
    assert seen == ["L1 report_returned: expected", "L1 report_returned: due_today", "L1 report_returned: late"]
    (task,) = (one for one in listed(ordered, 3, *LED) if one.task == "report_returned")
    assert task.due_on == day(2)
    assert told(task)[1] == f"a report that was to be put right by {day(2)}"


def test_what_waits_is_read_by_the_index_of_its_state(ordered: Bank) -> None:
    """What is over, most in time, is not looked at."""
    for one in WAITING:
        table = one.kept.table
        (index,) = (index for index in table.indexes if index.name == f"ix_{table}_state")
        assert [column.name for column in index.columns] == ["state", "id"]
    with reading(ordered.started.engine) as conn:
        if conn.dialect.name == "sqlite":
            for one in WAITING:
                asked = f"EXPLAIN QUERY PLAN SELECT * FROM {one.kept.table} WHERE state = '{one.state}' ORDER BY id"
                (plan,) = conn.exec_driver_sql(asked).all()
                assert f"USING INDEX ix_{one.kept.table}_state" in plan[3]


def test_every_state_that_no_day_ends_is_seen_by_somebody_in_the_morning() -> None:
    """Of cases the duties say it. A new noun, or a state more, is to say who sees what waits in it."""
    rulebook = load_rulebook(shipped("statecharts"))
    waiting = {
        (name, code)
        for name, chart in rulebook.charts.items() if name != rulebook.chart.name
        for code, state in chart.states.items() if not state.closed and not state.dues
    }  # fmt: skip
    assert waiting == set(SEEN_IN)
    tasks = {*rulebook.tasks.tasks, *rulebook.duties.by_name}
    assert {said for said in SEEN_IN.values() if " " not in said} <= tasks
