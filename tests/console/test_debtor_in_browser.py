"""Work one debtor in a real browser: everything a call needs in one window, each key, ten calls without a mouse."""

import re
import time
from collections.abc import Iterator
from datetime import timedelta
from typing import Any, Final

import pytest
import sqlalchemy as sa
from playwright.sync_api import Browser, Page, expect

from casework.clock import now
from casework.lifecycle.advance import advance
from casework.lifecycle.commands import Done, Open
from casework.people.staff.acting import actor_for
from casework.storage.database import reading, writing
from casework.work.cases.tables import cases
from casework.work.tasks.tables import tasks
from tests.console.browser import CHROMIUM, HEIGHT, OUT_OF_SIGHT, Demo, Watched, somebody

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on this machine")
POST: Final = "phone_collector"
BEFORE: Final = (
    "h1", ".budget", ".next", ".figures", ".numbers tbody tr:first-child", ".numbers .gate", "button[data-press=d]",
    "[data-press-focus=p]", "form[action$='/promises'] button", "[data-press-focus=c]",
    "form[action$='/callbacks'] button", "[data-press-focus=n]", ".agreed .links a", ".numbers + .take summary",
)  # fmt: skip
MEANWHILE: Final = (
    ".budget", ".next", ".figures", ".calling .number", ".calling .identity", ".results button",
    ".calling [data-press-focus=n]", "#call-next", "[data-press-focus=p]", "[data-press-focus=c]", ".numbers .at-row",
)  # fmt: skip


def opened(demo: Demo, noun: str, ground: str, each: list[dict[str, Any]]) -> None:
    """By the collector, one of this noun with each of these data."""
    started = demo.started
    with writing(started.engine) as conn:
        actor = actor_for(conn, demo.people[POST], "api", today=started.branch.today(now()))
        commands = [Open(actor=actor, noun=noun, ground=ground, data=data) for data in each]
        done = advance(conn, commands, started.branch)
    assert all(isinstance(one, Done) for one in done), done


@pytest.fixture(scope="module")
def own_cases(branch_on_show: Demo) -> list[int]:
    """Debtors of the collector; with all on their list, whoever's, they may be called at any hour: it may be night."""
    staff_no = branch_on_show.people[POST]
    listed = sa.select(tasks.c.loan_id).where(tasks.c.list_of == staff_no)
    theirs = cases.select().where(cases.c.owner == staff_no, cases.c.state == "phone_collection")
    with reading(branch_on_show.started.engine) as conn:
        found = conn.execute(theirs.order_by(cases.c.oldest_due_date, cases.c.id)).all()
        loans = dict.fromkeys([*(one.loan_id for one in found), *conn.execute(listed).scalars()])
    agreed = {"from_hour": 21, "until_hour": 9, "evidence": "rec:2026-0001",
              "begins_at": (now() - timedelta(hours=1)).isoformat(),
              "ends_at": (now() + timedelta(days=2)).isoformat()}  # fmt: skip
    opened(branch_on_show, "consent", "given", [agreed | {"loan_id": loan_id} for loan_id in loans])
    return [one.id for one in found]


@pytest.fixture
def collector(branch_on_show: Demo, browser: Browser) -> Iterator[Watched]:
    """At a browser of their own."""
    watched = somebody(browser, branch_on_show, POST)
    yield watched
    watched.close()


def free(watched: Watched, numbers: list[int], without: str = ".calling") -> Page:
    """The page of the first of these debtors that may be called now, on which this is not shown."""
    for number in numbers:
        page = watched.go(f"/console/debtors/{number}")
        if page.locator("button[data-press=d]").count() and not page.locator(without).count():
            return page
    raise AssertionError("nobody may be called")


@pytest.mark.parametrize("lang", ["zh", "en"])
def test_everything_that_a_call_needs_is_in_the_window_before_and_during_it(
    branch_on_show: Demo, browser: Browser, own_cases: list[int], lang: str
) -> None:
    """At 1366 by 768, without scrolling; the words of the debt are unfolded once it is known who it is."""
    watched = somebody(browser, branch_on_show, POST, lang)
    page = free(watched, own_cases)
    assert page.evaluate("document.documentElement.scrollHeight") <= HEIGHT
    assert page.evaluate(OUT_OF_SIGHT, BEFORE) == []
    page.keyboard.press("d")
    expect(page.locator(".calling .number")).to_be_visible()
    assert page.evaluate("document.documentElement.scrollHeight") <= HEIGHT
    assert page.evaluate(OUT_OF_SIGHT, MEANWHILE) == []
    expect(page.locator(".identity p")).not_to_be_visible()
    page.keyboard.press("i")
    expect(page.locator(".identity p")).to_be_visible()
    assert page.evaluate(OUT_OF_SIGHT, MEANWHILE) == []
    page.keyboard.press("3")
    page.wait_for_url("**?saved=*")
    watched.close()


def test_a_hold_stands_above_the_numbers_in_the_window(
    collector: Watched, branch_on_show: Demo, own_cases: list[int]
) -> None:
    number, today = own_cases[-1], branch_on_show.started.branch.today(now())
    with reading(branch_on_show.started.engine) as conn:
        loan_id = conn.execute(cases.select().where(cases.c.id == number)).one().loan_id
    data = {"loan_id": loan_id, "hold": "complaint", "begins_at": now().isoformat(),
            "review_by": (today + timedelta(days=3)).isoformat()}  # fmt: skip
    opened(branch_on_show, "hold", "set", [data])
    page = collector.go(f"/console/debtors/{number}")
    assert page.evaluate(OUT_OF_SIGHT, [".hold", ".budget", ".numbers .gate", "[data-press-focus=n]"]) == []
    expect(page.locator("button[data-press=d]")).to_have_count(0)


def test_an_unanswered_call_takes_two_keys_and_the_next_debtor_comes(
    collector: Watched, own_cases: list[int]
) -> None:  # fmt: skip
    page = free(collector, own_cases)
    here = page.url
    page.keyboard.press("d")
    expect(page.locator(".calling .number")).to_be_visible()
    page.keyboard.press("3")
    page.wait_for_url("**?saved=*")
    assert page.url.partition("?")[0] != here.partition("?")[0]
    expect(page.locator(".saved")).to_contain_text("无人接听")
    page.keyboard.press("u")
    page.wait_for_url("**/console/contacts/one?**")
    page.keyboard.press("4")
    page.wait_for_url(re.compile(r"^[^?]*/console/debtors/\d+$"))


def test_a_call_whose_page_was_left_is_found_again_with_its_outcome_to_say(
    collector: Watched, own_cases: list[int]
) -> None:  # fmt: skip
    page = free(collector, own_cases)
    here = page.url
    page.keyboard.press("d")
    expect(page.locator(".calling .number")).to_be_visible()
    page.goto(here)
    expect(page.locator(".calling")).to_be_visible()
    expect(page.locator(".calling .number")).to_have_count(0)
    page.keyboard.press("d")
    expect(page.locator(".calling .number")).to_be_visible()
    page.keyboard.press("n")
    page.keyboard.type("响铃")
    page.reload()  # nothing is lost by it
    expect(page.locator("#call-note")).to_have_value("响铃")
    page.locator("#call-note").press_sequentially("很久")
    page.keyboard.press("Control+Enter")  # what came of it is still to be said
    page.keyboard.press("5")
    page.wait_for_url("**?saved=*")
    page.goto(here)
    expect(page.locator(".calling")).to_have_count(0)


@pytest.mark.parametrize(
    ("key", "field"),
    [
        ("p", "input[name='data.amount_fen']"), ("c", "input[name='data.due_at']"), ("n", "#debtor-note"),
        ("r", "input[name=phone]"),
    ],
)  # fmt: skip
def test_a_key_leads_to_what_it_is_printed_beside(
    collector: Watched, own_cases: list[int], key: str, field: str
) -> None:
    page = free(collector, own_cases)
    page.keyboard.press(key)
    expect(page.locator(field)).to_be_focused()
    page.keyboard.press("Escape")
    expect(page.locator(field)).not_to_be_focused()
    page.keyboard.press("?")
    expect(page.locator("#keys")).to_be_visible()
    expect(page.locator("#keys")).to_contain_text({"p": "还款承诺", "c": "约定回拨"}.get(key, ""))


def test_a_promise_a_call_back_a_note_and_a_number_are_entered_by_keys_alone(
    collector: Watched, own_cases: list[int], branch_on_show: Demo
) -> None:
    """`Ctrl+Enter` saves and goes to the next debtor; a promise of nobody who was reached is refused and kept."""
    day = branch_on_show.started.branch.today(now()) + timedelta(days=1)
    page = free(collector, own_cases, without=".calling, .agreed .plain")
    here = page.url.partition("?")[0]
    following = page.locator("a.next").get_attribute("href")
    page.keyboard.press("n")
    page.keyboard.type("客户称周五发薪")
    page.keyboard.press("Control+Enter")
    page.wait_for_url(f"**{following}")
    page.goto(here)
    expect(page.locator(".line")).to_contain_text("客户称周五发薪")
    page.keyboard.press("c")
    page.keyboard.type(f"{day} 10:30")
    page.keyboard.press("Enter")
    page.wait_for_url("**?agreed=callback**")
    expect(page.locator(".agreed .plain")).to_contain_text(f"{day} 10:30")
    page.keyboard.press("p")
    page.keyboard.type("1,234.50")
    with page.expect_response(lambda answer: answer.request.method == "POST") as told:
        page.keyboard.press("Control+Enter")
    assert told.value.status == 409
    expect(page.locator("#errors")).to_contain_text("没有与客户本人的接通记录")
    expect(page.locator("input[name='data.amount_fen']")).to_have_value("1,234.50")
    collector.faults = [one for one in collector.faults if "409" not in one]  # that it is told so is what is wanted
    page.goto(here)
    for key in ("d", "1"):
        page.keyboard.press(key)
        page.wait_for_selector({"d": ".calling .number", "1": ".saved"}[key])
    page.keyboard.press("p")
    page.keyboard.press("Control+Enter")
    page.wait_for_url(f"**{following}?agreed=promise**")
    expect(page.locator(".saved")).to_contain_text("还款承诺")
    page.goto(here)
    expect(page.locator(".agreed .plain").first).to_contain_text("还款承诺")
    page.keyboard.press("r")
    page.keyboard.type("12100000001")
    page.keyboard.press("Tab")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Tab")
    page.keyboard.type("虚构人")
    page.keyboard.press("Tab")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Control+Enter")
    page.wait_for_url(here)
    expect(page.locator(".numbers")).to_contain_text("121****0001")


def test_ten_calls_are_logged_by_keys_alone_in_under_a_minute(collector: Watched, own_cases: list[int]) -> None:
    page = free(collector, own_cases)
    began, logged = time.monotonic(), 0
    for _ in range(30):
        if page.locator("button[data-press=d]").count():
            page.keyboard.press("d")
            page.wait_for_selector(".calling .number")
            page.keyboard.press("4")
            page.wait_for_selector(".saved")
            logged += 1
        else:
            here = page.url
            page.keyboard.press("s")
            page.wait_for_function("(here) => location.href !== here", arg=here)
        if logged == 10:
            break
    assert (logged, time.monotonic() - began < 60) == (10, True)
