"""Journeys in a real browser on a demo: pages in both languages, by keys, without scripts, from asking to deciding."""

from typing import Final
from zoneinfo import ZoneInfo

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, expect

from casework.clock import now
from tests.console.browser import (
    CHROMIUM,
    PHONE,
    STRANGE,
    UNITLESS,
    UNTRANSLATED,
    WIDTH,
    Demo,
    Watched,
    case_in,
    somebody,
)  # fmt: skip

TWO_LINES = 60  # px
CUT_AMOUNTS = """
() => [...document.querySelectorAll("td.number")].filter((one) => one.offsetWidth
  && /[.][0-9]{2}$/.test(one.textContent.trim())
  && one.getBoundingClientRect().right > document.documentElement.clientWidth).map((one) => one.textContent)
"""
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on this machine")
COMMON = ("/console", "/console/cases", "/console/requests", "/console/staff", "/console/rules",
          "/console/sessions", "/console/second-factor", "/console/password", "/console/keys")  # fmt: skip
PLACES = {
    "phone_collector": (
        *COMMON, "/console/day", "/console/find", "/console/promises?all=true", "/console/holds?all=true",
    ),
    "basic_risk_manager": (
        "/console", "/console/feeds", "/console/feeds/1", "/console/rules/charts/overdue_loan",
        "/console/rules/charts/promise", "/console/requests?box=open", "/console/promises/1", "/console/holds/1",
        "/console/staff?status=left", "/console/evening", "/console/handovers", "/console/handovers/1",
        "/console/roster", "/console/distribution", "/console/risks?all=true", "/console/risks/new?loan_id=L1",
        "/console/contact-files", "/console/repayment-files", "/console/promise-files", "/console/hold-files",
        "/console/calendar-files", "/console/roster-files",
    ),
    "auditor": ("/console/log", "/console/log/questions", "/console/log/questions?ask=requests",
                "/console/log/checkpoint", "/console/rules/charts/promise/moves",
                "/console/log?event=case.refused.*", "/console/log/entries/case:1:1",
                "/console/log/verification", "/console/requests/1"),
    "administrator": ("/console", "/console/staff", "/console/staff/S101", "/console/staff?status=unverified",
                      "/console/staff-lists"),
}  # fmt: skip


def check(watched: Watched, path: str, lang: str) -> None:
    """A page as it must be: nothing serious for axe, no word of the other language, no scrolling sideways, small."""
    page = watched.go(path)
    assert page.evaluate("document.documentElement.scrollWidth") <= WIDTH, path
    assert page.evaluate(UNTRANSLATED, STRANGE[lang]) == [], path
    assert page.evaluate(UNITLESS) == [], path
    assert len(page.content()) < 160_000, path
    if lang != "zh" and path != "/console":
        return  # what axe looks at is the same in both languages
    found = Axe().run(page).response["violations"]
    serious = [one for one in found if one["impact"] in ("serious", "critical")]
    told = [(one["id"], [node["html"][:160] for node in one["nodes"][:3]]) for one in serious]
    assert told == [], path


@pytest.mark.parametrize("lang", ["zh", "en"])
@pytest.mark.parametrize("post", sorted(PLACES))
def test_every_page_reads_well_for_everybody(branch_on_show: Demo, browser: Browser, post: str, lang: str) -> None:
    watched = somebody(browser, branch_on_show, post, lang)
    for path in PLACES[post]:
        check(watched, path, lang)
    if post == "phone_collector":
        owner = branch_on_show.people[post]
        check(watched, f"/console/debtors/{case_in(branch_on_show, 'phone_collection', owner)}", lang)
    if post != "administrator":
        for state in ("phone_collection", "litigation", "written_off", "closed"):
            number = case_in(branch_on_show, state)
            if watched.page.request.get(f"{branch_on_show.url}/console/cases/{number}").ok:
                for part in ("", "/history", f"/then?at={branch_on_show.started.branch.today(now())}"):
                    check(watched, f"/console/cases/{number}{part}", lang)
    watched.close()


@pytest.mark.parametrize("lang", ["zh", "en"])
def test_the_menu_of_every_post_stays_on_one_line(branch_on_show: Demo, browser: Browser, lang: str) -> None:
    for post in sorted(branch_on_show.people):
        watched = somebody(browser, branch_on_show, post, lang)
        page = watched.go("/console")
        assert page.evaluate("document.querySelector('.top').offsetHeight") < TWO_LINES, (post, page.inner_text(".top"))
        watched.close()


@pytest.mark.parametrize("lang", ["zh", "en"])
def test_on_a_phone_no_amount_is_cut_and_the_day_can_be_handed_in(
    branch_on_show: Demo, browser: Browser, lang: str
) -> None:
    watched = somebody(browser, branch_on_show, "phone_collector", lang)
    watched.page.set_viewport_size(PHONE)
    for path in ("/console", "/console/cases", "/console/day"):
        page = watched.go(path)
        assert page.evaluate(CUT_AMOUNTS) == [], path
    hand_in = watched.go("/console/evening").locator("form[action$='/hand-ins'] button").first
    box = hand_in.bounding_box()
    assert box is not None
    assert box["x"] + box["width"] <= PHONE["width"], box
    watched.close()


@pytest.mark.parametrize("lang", ["zh", "en"])
def test_on_a_phone_a_list_of_tasks_shows_its_amounts_without_scrolling_and_none_of_what_is_no_case(
    branch_on_show: Demo, browser: Browser, lang: str
) -> None:
    watched = somebody(browser, branch_on_show, "basic_risk_manager", lang)
    watched.page.set_viewport_size(PHONE)
    amounts = watched.go("/console/day").locator("tr[data-row] td.number:nth-child(6):not(:empty)")
    boxes = [one.bounding_box() for one in amounts.all()]
    assert boxes
    assert [one for one in boxes if one is None or one["x"] + one["width"] > PHONE["width"]] == []
    assert "0.00" not in amounts.all_inner_texts(), "what is about no case has no amount"
    watched.close()


@pytest.mark.parametrize("lang", ["zh", "en"])
def test_the_way_in_reads_well_too(branch_on_show: Demo, browser: Browser, lang: str) -> None:
    watched = somebody(browser, branch_on_show, None, lang)
    check(watched, "/console/log-in", lang)
    check(watched, "/console/password", lang)
    watched.close()


def test_a_list_is_walked_by_keys_and_a_note_written_without_the_mouse(branch_on_show: Demo, browser: Browser) -> None:
    watched = somebody(browser, branch_on_show, "phone_collector")
    page = watched.go("/console/cases?live=true")
    for key in ("?", "Escape", "j", "j", "k"):
        page.keyboard.press(key)
    rows = page.locator("[data-row]")
    expect(rows.nth(0)).to_have_class("at-row")
    page.keyboard.press("j")
    wanted = rows.nth(1).locator("a").first.get_attribute("href")
    page.keyboard.press("Enter")
    page.wait_for_url(f"**{wanted}")
    page.focus("#note")
    page.keyboard.type("客户称周五发薪后还款")
    page.keyboard.press("Control+Enter")
    page.wait_for_url("**?done=noted")
    expect(page.locator(".line").first).to_contain_text("客户称周五发薪后还款")
    page.goto(f"{branch_on_show.url}/console/cases")
    page.keyboard.press("/")
    expect(page.locator("[data-find]")).to_be_focused()
    watched.close()


def test_a_debtor_is_worked_by_keys_alone(branch_on_show: Demo, browser: Browser) -> None:
    """By day the call begins and one key says what came of it; by night the gate says why not, and `s` goes on."""
    watched = somebody(browser, branch_on_show, "phone_collector")
    number = case_in(branch_on_show, "phone_collection", branch_on_show.people["phone_collector"])
    page = watched.go(f"/console/debtors/{number}")
    zone = ZoneInfo(branch_on_show.started.branch.time_zone)
    by_day = page.locator("button[data-press=d]").count() > 0
    assert by_day or not 8 <= now().astimezone(zone).hour < 21
    if by_day:
        page.keyboard.press("d")
        expect(page.locator(".calling .number")).to_be_visible()
        page.keyboard.press("n")
        page.keyboard.type("无人接听，晚些再拨")
        page.keyboard.press("Escape")
        page.locator("body").press("3")
        page.wait_for_url("**/console/debtors/*")
        expect(page.locator(".calling")).to_have_count(0)
    else:
        expect(page.locator(".gate").first).to_contain_text("不得联系")
        page.keyboard.press("s")
        page.wait_for_function(f"!location.pathname.endsWith('/{number}')")
    watched.close()


def test_everything_works_without_scripts(branch_on_show: Demo, browser: Browser) -> None:
    watched = somebody(browser, branch_on_show, "phone_collector", scripts=False)
    page = watched.page
    page.goto(f"{branch_on_show.url}/console/cases?state=phone_collection&live=true")
    page.locator("[data-row] a").first.click()
    page.fill("#note", "没有脚本也能写")
    page.click("form.note button")
    assert "没有脚本也能写" in page.inner_text(".line")
    page.locator(".reveal button").click()
    assert "已显示明文" in page.inner_text("main")
    watched.context.close()
    assert watched.faults == []


def test_a_number_is_shown_in_place_and_hidden_again_when_the_page_is_left(
    branch_on_show: Demo, browser: Browser
) -> None:
    watched = somebody(browser, branch_on_show, "phone_collector")
    page = watched.go("/console/cases?live=true")
    page.locator("[data-row] a").first.click()
    here = page.url
    expect(page.locator("#people .clear")).to_have_count(0)
    page.locator(".reveal button").click()
    expect(page.locator("#people .clear").first).to_be_visible()
    assert page.url == here
    page.goto(f"{branch_on_show.url}/console")
    page.go_back()
    expect(page.locator("#people .clear")).to_have_count(0)
    watched.close()


def test_what_was_typed_wrong_is_told_on_top_and_beside_and_looked_at_first(
    branch_on_show: Demo, browser: Browser
) -> None:
    watched = somebody(browser, branch_on_show, "phone_collector")
    page = watched.go("/console/cases?state=phone_collection&live=true")
    page.locator("[data-row] a").first.click()
    page.locator("main summary .what").get_by_text("信息修复", exact=True).first.click()
    form = page.locator("details.offer[open] form")
    form.locator("input[name=evidence]").fill("没有编号")
    for select in form.locator("select").all():
        select.select_option(index=1)
    with page.expect_response(lambda answer: answer.request.method == "POST") as told:
        form.locator(".act button").click()
    assert told.value.status == 422
    expect(page.locator("#errors")).to_be_focused()
    expect(page.locator("details.offer[open] .fault")).to_have_count(1)
    expect(page.locator("details.offer[open] input[name=evidence]")).to_have_value("没有编号")
    watched.faults = [one for one in watched.faults if "422" not in one]  # that it is told so is what is wanted
    watched.close()


def test_a_correction_is_asked_for_reviewed_and_approved_by_three_people(
    branch_on_show: Demo, browser: Browser
) -> None:
    number = case_in(branch_on_show, "written_off")
    asking = somebody(browser, branch_on_show, "asset_preservation")
    page = asking.go(f"/console/cases/{number}")
    offer = page.locator("details.offer:not(.off)").filter(has_text="提出申请").first
    offer.locator("summary").click()
    offer.locator("input[type=text]").first.fill("doc:2026-0001")
    offer.locator(".act button").click()
    page.wait_for_url("**/console/requests/*")
    request = page.url.removeprefix(branch_on_show.url)
    asking.close()
    for post, event in (("basic_risk_manager", "review"), ("approver", "approve")):
        deciding = somebody(browser, branch_on_show, post)
        page = deciding.go("/console/requests")
        page.locator(f"[data-row] a[href='{request}']").click()
        form = page.locator(f"form[action$='/{event}']")
        form.locator("textarea").fill("材料齐全")
        form.get_by_role("button").click()
        page.wait_for_url(f"**{request}?done={event}")
        expect(page.locator("p.good")).to_be_visible()
        deciding.close()
    watched = somebody(browser, branch_on_show, "auditor")
    page = watched.go(f"/console/cases/{number}")
    expect(page.locator("h1 .chip")).not_to_have_text("已核销")
    watched.close()


def test_an_auditor_finds_who_was_shown_a_number_and_verifies(branch_on_show: Demo, browser: Browser) -> None:
    watched = somebody(browser, branch_on_show, "auditor")
    page = watched.go("/console/log")
    page.get_by_role("link", name="常见审计问题").click()
    page.get_by_role("link", name="谁查看过个人信息明文").click()
    rows = page.locator("main table tbody tr")
    expect(rows.first).to_be_visible()
    rows.first.locator("a").first.click()
    expect(page.locator("pre").first).to_contain_text("personal.revealed")
    page = watched.go("/console/log/verification")
    page.get_by_role("button", name="开始验证").click()
    expect(page.locator(".chip.good")).to_have_text("完好", timeout=60_000)
    watched.close()


def test_a_feed_is_tried_uploaded_and_followed_until_it_is_applied(branch_on_show: Demo, browser: Browser) -> None:
    watched = somebody(browser, branch_on_show, "basic_risk_manager")
    page = watched.go("/console/feeds")
    files = sorted(branch_on_show.told.next_feed.iterdir())
    page.set_input_files("input[type=file]", files)
    page.get_by_role("button", name="仅查看结果").click()
    page.wait_for_url("**/console/feeds/dry-runs/*")
    expect(page.get_by_text("未作更改")).to_be_visible(timeout=60_000)
    expect(page.locator("h1 .chip")).to_have_text("已导入")
    page = watched.go("/console/feeds")
    page.set_input_files("input[type=file]", files)
    page.get_by_role("button", name="导入").click()
    page.wait_for_url("**/console/feeds/*")
    expect(page.locator("h1 .chip")).to_have_text("已导入", timeout=60_000)
    watched.close()


def test_a_departure_goes_from_plan_to_receipts(branch_on_show: Demo, browser: Browser) -> None:
    """Planned by one with what each receiver gets, approved by another, carried out behind, a receipt each."""
    planning = somebody(browser, branch_on_show, "basic_risk_manager")
    page = planning.go("/console/handovers")
    page.get_by_text("拟定移交计划").first.click()
    page.locator("input[name=staff_no]").fill(branch_on_show.people["business_rep"])
    page.locator("form[action='/console/handovers'] .act button").click()
    page.wait_for_url("**/console/handovers/*")
    place = page.url.removeprefix(branch_on_show.url)
    expect(page.locator("h1 .chip")).to_have_text("尚未审批")
    approving = somebody(browser, branch_on_show, "approver")
    page = approving.go(place)
    page.get_by_role("button", name="审批").click()
    expect(page.locator("h1 .chip")).to_have_text("已审批")
    approving.close()
    page = planning.go(place)
    page.get_by_role("button", name="执行移交").click()
    expect(page.locator("h1 .chip")).to_have_text("已执行", timeout=60_000)
    expect(page.locator("main")).to_contain_text("每件均有回执")
    planning.close()


FOLDED: Final = (
    "/console/requests?box=open", "/console/handovers", "/console/handovers/1", "/console/roster", "/console/promises",
    "/console/visits", "/console/feeds", "/console/day", "/console/task-lists", "/console/work-lists?name=phone",
    "/console/staff", "/console/sessions", "/console/evening", "/console/evening/duties", "/console/rules",
)  # fmt: skip
WIDER: Final = "all => all.filter(one => one.scrollWidth > one.clientWidth).map(one => one.innerText.slice(0, 80))"


@pytest.mark.parametrize("lang", ["zh", "en"])
def test_on_a_phone_a_folded_list_shows_all_of_a_row_without_scrolling_each_figure_under_its_heading(
    branch_on_show: Demo, browser: Browser, lang: str
) -> None:
    watched = somebody(browser, branch_on_show, "basic_risk_manager", lang, size=PHONE)
    for path in FOLDED:
        tables = watched.go(path).locator("table.fold")
        assert tables.evaluate_all(WIDER) == [], path
        assert tables.locator("tbody td[data-th]").count(), path
    watched.close()


LATE: Final = """
all => all.flatMap(row => {
  const told = [...row.cells].filter(one => one.offsetWidth && !one.querySelector(".pick"));
  const places = new Map(told.map(one => [one, one.getBoundingClientRect()]));
  const before = (one, other) => one.top < other.top - 1 || (one.top < other.top + 1 && one.left < other.left);
  const first = told.filter(one => one.matches(".first")), rest = told.filter(one => !one.matches(".first"));
  return first.filter(one => rest.some(other => before(places.get(other), places.get(one))))
    .map(one => `${row.innerText.slice(0, 60)}: ${one.innerText}`);
})
"""
"""What is to stand first in a card, and something else stands before it."""
LOW: Final = """
all => all.map(one => [one.getBoundingClientRect().height, one.outerHTML.slice(0, 120)])
  .filter(one => one[0] && one[0] < 40)
"""
"""What a thumb misses: lower than 40 px."""


@pytest.mark.parametrize("lang", ["zh", "en"])
def test_on_a_phone_a_task_begins_with_what_whose_how_much_and_until_when_and_is_ticked_by_a_thumb(
    branch_on_show: Demo, browser: Browser, lang: str
) -> None:
    """Once one is ticked, what is done with the ticked is in sight, however long the list is."""
    collector = branch_on_show.people["phone_collector"]
    lists = ("phone_collector", "/console/day"), ("basic_risk_manager", f"/console/task-lists?whose={collector}")
    for post, path in lists:
        watched = somebody(browser, branch_on_show, post, lang, size=PHONE)
        page = watched.go(path)
        tasks = page.locator("table.fold tr:has(.pick)")
        assert tasks.locator("td.first.number:not(:empty)").count(), path
        assert tasks.evaluate_all(LATE) == [], path
        assert page.locator("main :is(button:not(.plain), .pick)").evaluate_all(LOW) == [], path
        tasks.first.locator(".pick").click()
        expect(tasks.first.locator("input")).to_be_checked()
        for button in page.locator(".fold + .filters button").all():
            expect(button).to_be_in_viewport(ratio=1)
        watched.close()


@pytest.mark.parametrize("lang", ["zh", "en"])
def test_every_page_fits_a_phone(branch_on_show: Demo, browser: Browser, lang: str) -> None:
    watched = somebody(browser, branch_on_show, "basic_risk_manager", lang, size=PHONE)
    places = (*COMMON, *PLACES["basic_risk_manager"], f"/console/cases/{case_in(branch_on_show, 'phone_collection')}")
    for path in places:
        page = watched.go(path)
        assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"], path
    watched.close()
