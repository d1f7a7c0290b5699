"""Where the lines of task lists lead: each to a page that its reader may open, with what its task needs to be seen."""

from playwright.sync_api import Browser

from api.console.day.place import CALL_BY_HAND, CALLS
from casework.clock import now
from casework.operation.morning import make_lists
from casework.people.staff.actor import system
from casework.settings import shipped
from casework.storage.database import writing
from casework.work.cases.rulebook import load_rulebook
from tests.console.browser import Demo, somebody

NO_CALLS = {
    "visit", "visit_report", "repair", "place", "disposal_form", "hold_confirm", "hold_review", "hold_ends", "request",
    "breach_review", "contact_review", "report_review", "form_review", "report_returned", "form_returned",
}  # fmt: skip
NO_CALLS_BY_HAND = {
    "visit", "repair", "papers", "answer", "hold_check", "hardship_check", "photo_recheck", "early_placement_check",
    "other",
}  # fmt: skip
_LINKS = "#chosen tr[data-row] a"


def test_of_each_task_it_is_said_whether_it_is_done_by_calling() -> None:
    """A further duty or task has to be entered here, and a line says when somebody may be called of calls alone."""
    rulebook = load_rulebook(shipped("statecharts"))
    known = {*rulebook.duties.by_name, *rulebook.tasks.tasks}
    assert known == CALLS | NO_CALLS
    assert not CALLS & NO_CALLS
    assert rulebook.tasks.by_hand.keys() == NO_CALLS_BY_HAND | {CALL_BY_HAND}


def test_every_link_of_every_post_s_task_list_opens(branch_on_show: Demo, browser: Browser) -> None:
    """Nobody is shown a task about a case that they cannot open; of whatever post of the demo."""
    dead, followed = list[str](), 0
    branch = branch_on_show.started.branch
    with writing(branch_on_show.started.engine) as conn:
        make_lists(conn, branch, branch.today(now()), system("api"))
    permissions = branch_on_show.started.branch.rulebook.permissions
    posts = permissions.commands["task.read"].posts & branch_on_show.people.keys()
    for post in sorted(posts):
        watched = somebody(browser, branch_on_show, post)
        page = watched.go("/console/day")
        places = {link.get_attribute("href") or "" for link in page.locator(_LINKS).all()}
        for place in sorted(places):
            followed += 1
            status = page.request.get(branch_on_show.url + place).status
            dead += [f"{post} {place}: {status}"] if status != 200 else []
        watched.close()
    assert followed > len(posts)
    assert not dead
