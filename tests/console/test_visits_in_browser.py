"""Visits on a phone in a real browser: from check-in to the report, with a bad connection, and reviewed by keys."""

import os
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
import sqlalchemy as sa
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Locator, Page, Route, expect

from casework.clock import now
from casework.storage.database import reading
from casework.work.photos.tables import photos
from tests.console.browser import CHROMIUM, PHONE, SIZE, STRANGE, UNTRANSLATED, Demo, Watched, somebody
from tests.console.visited import REPORT, fired, judged, ordered, repair_begun, reported, small_branch_on_show
from tests.test_pictures import camera, scene, written

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on this machine")


def taken(demo: Demo, folder: Path, number: int) -> Path:
    """A photo of today at 10:05, of another street for each number."""
    file, zone = folder / f"{number}.jpg", ZoneInfo(demo.started.branch.time_zone)
    at = datetime.now(zone).replace(hour=10, minute=5).astimezone(ZoneInfo("Asia/Shanghai"))
    file.write_bytes(written(scene(number, (800, 600)), exif=camera(f"{at:%Y:%m:%d %H:%M:%S}")))
    return file


def photos_kept(demo: Demo, visit: int) -> int:
    with reading(demo.started.engine) as conn:
        return int(conn.execute(sa.select(sa.func.count()).where(photos.c.visit_id == visit)).scalar_one())


def at(demo: Demo, page: Page, event: str, time: str) -> None:
    """Press its button, at this time of today."""
    form = page.locator(f"form[data-locate]:has(input[value={event}])")
    form.locator("[name='data.at']").fill(f"{demo.started.branch.today(now())} {time}")
    form.locator("button").click()
    page.wait_for_url(f"**/stop?done={event}")


def good(watched: Watched, lang: str) -> None:
    """As every page must be: nothing sideways, in one language, nothing serious for axe."""
    page = watched.page
    assert page.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth"), page.url
    assert page.evaluate(UNTRANSLATED, STRANGE[lang]) == [], page.url
    found = Axe().run(page).response["violations"]
    serious = [one for one in found if one["impact"] in ("serious", "critical")]
    assert [(one["id"], [node["html"][:160] for node in one["nodes"][:3]]) for one in serious] == [], page.url


@pytest.fixture(scope="module")
def small_branch(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demo]:
    """No demo: a few people and cases are enough."""
    with small_branch_on_show(tmp_path_factory.mktemp("branch")) as served:
        yield served


@pytest.fixture
def visiting(small_branch: Demo, browser: Browser, request: pytest.FixtureRequest) -> Iterator[tuple[Watched, int]]:
    """A rep with a phone, which may say where it is, and their visit of today."""
    visit = ordered(small_branch)
    watched = somebody(browser, small_branch, "business_rep", getattr(request, "param", "zh"), size=PHONE)
    watched.context.grant_permissions(["geolocation"])
    watched.context.set_geolocation({"latitude": 30.58, "longitude": 114.27})
    yield watched, visit
    watched.close()
    fired(small_branch, visit, "break_off", reason="other")  # if they are there still: nobody is on two visits at once


@pytest.mark.parametrize("visiting", ["zh", "en"], indirect=True)
def test_a_visit_goes_from_the_route_to_its_report_on_a_phone(
    small_branch: Demo, visiting: tuple[Watched, int], tmp_path: Path
) -> None:
    watched, visit = visiting
    lang = watched.page.evaluate("navigator.language")[:2]
    page = watched.go("/console/visits/today")
    good(watched, lang)
    page.locator(f"#address-{visit} button").click()
    expect(page.locator(f"#address-{visit} .clear")).to_have_text("江岸区示例路1号2单元301")
    page.locator(f"main a[href='/console/visits/{visit}/stop']").click()
    expect(page.locator(f"#address-{visit} .clear")).to_have_count(0)
    at(small_branch, page, "check_in", "10:00")
    good(watched, lang)
    page.set_input_files("#photo input[type=file]", taken(small_branch, tmp_path, visit))
    page.click("#photo button")
    expect(page.locator("#queue .sent")).to_have_count(1)
    at(small_branch, page, "check_out", "10:00")
    expect(page.locator("#queue li")).to_have_count(0)
    form = page.locator("details.offer[open] form")
    for name, code in REPORT.items():
        form.locator(f"[name='data.{name}']").select_option(code)
    good(watched, lang)
    form.locator(".act button").click()
    page.wait_for_url("**/stop?done=report")
    good(watched, lang)
    page.locator(".picture summary").click()
    expect(page.locator(".picture img")).to_have_js_property("naturalWidth", 600)
    assert photos_kept(small_branch, visit) == 1


@pytest.mark.parametrize("visiting", ["zh", "en"], indirect=True)
def test_photos_wait_sealed_while_there_is_no_connection_and_are_sent_once(
    small_branch: Demo, visiting: tuple[Watched, int], tmp_path: Path
) -> None:
    watched, visit = visiting
    page = watched.go(f"/console/visits/{visit}/stop")
    lang = page.evaluate("document.documentElement.lang")[:2]
    assert page.locator("#queue").get_attribute("data-key") is None, "the script took it off the page"
    at(small_branch, page, "check_in", "10:00")
    watched.context.set_offline(True)
    files = [taken(small_branch, tmp_path, visit * 1_000 + number) for number in (1, 2)]
    for file in files:
        page.set_input_files("#photo input[type=file]", file)
        page.click("#photo button")
    expect(page.locator("#queue .waiting")).to_have_count(2)
    good(watched, lang)
    kept = bytes.fromhex(page.evaluate(KEPT))
    assert not any(part in kept for part in (b"30.58", b"building", *(one.read_bytes()[1000:1016] for one in files)))
    assert photos_kept(small_branch, visit) == 0
    watched.context.set_offline(False)
    expect(page.locator("#queue .sent")).to_have_count(2)
    assert photos_kept(small_branch, visit) == 2


def test_a_photo_whose_answer_was_lost_is_sent_again_when_the_page_is_opened_and_kept_once(
    small_branch: Demo, visiting: tuple[Watched, int], tmp_path: Path
) -> None:
    watched, visit = visiting
    page = watched.go(f"/console/visits/{visit}/stop")
    at(small_branch, page, "check_in", "10:00")

    def lost(route: Route) -> None:
        route.fetch()
        route.abort()

    page.route("**/photos", lost)
    page.set_input_files("#photo input[type=file]", taken(small_branch, tmp_path, 110))
    with page.expect_event("requestfailed"):
        page.click("#photo button")
    page.unroute("**/photos")
    watched.go("/console/visits/today")
    expect(page.locator("#queue .sent")).to_have_count(1)
    assert photos_kept(small_branch, visit) == 1
    watched.faults = [one for one in watched.faults if "net::ERR_FAILED" not in one]  # that is how it was lost


def test_a_photo_that_is_refused_says_why_and_one_that_waited_a_day_is_dropped(
    small_branch: Demo, visiting: tuple[Watched, int], tmp_path: Path
) -> None:
    watched, visit = visiting
    page = watched.go(f"/console/visits/{visit}/stop")
    at(small_branch, page, "check_in", "10:00")
    script = tmp_path / "script.jpg"
    script.write_bytes(b"<script>alert(1)</script>")
    page.set_input_files("#photo input[type=file]", script)
    page.click("#photo button")
    expect(page.locator("#queue .refused")).to_contain_text("照片须为 JPEG")
    watched.faults = [one for one in watched.faults if "422" not in one]  # that it is told so is what is wanted
    watched.context.set_offline(True)
    page.set_input_files("#photo input[type=file]", taken(small_branch, tmp_path, 120))
    page.click("#photo button")
    expect(page.locator("#queue .waiting")).to_have_count(1)
    page.evaluate(LATER, 25 * 3600 * 1000)
    watched.context.set_offline(False)
    expect(page.locator("#queue .dropped")).to_have_count(1)
    assert photos_kept(small_branch, visit) == 0


def test_a_photo_of_days_ago_that_says_no_time_is_not_taken_for_one_of_now(
    small_branch: Demo, visiting: tuple[Watched, int], tmp_path: Path
) -> None:
    watched, visit = visiting
    page = watched.go(f"/console/visits/{visit}/stop")
    at(small_branch, page, "check_in", "10:00")
    old = tmp_path / "old.jpg"
    old.write_bytes(written(scene(130, (800, 600))))
    then = now().timestamp() - 3 * 24 * 3600
    os.utime(old, (then, then))
    page.set_input_files("#photo input[type=file]", old)
    page.click("#photo button")
    expect(page.locator("#queue .refused")).to_contain_text("照片拍摄于")
    watched.faults = [one for one in watched.faults if "409" not in one and "422" not in one]
    assert photos_kept(small_branch, visit) == 0


def test_what_waits_is_gone_when_whoever_took_it_logs_out(
    small_branch: Demo, visiting: tuple[Watched, int], tmp_path: Path
) -> None:
    watched, visit = visiting
    page = watched.go(f"/console/visits/{visit}/stop")
    at(small_branch, page, "check_in", "10:00")
    page.route("**/photos", lambda route: route.abort())
    page.set_input_files("#photo input[type=file]", taken(small_branch, tmp_path, 130))
    page.click("#photo button")
    expect(page.locator("#queue .waiting")).to_have_count(1)
    page.locator(".who summary").click()
    page.click("form[action='/console/log-out'] button")
    page.wait_for_url("**/console/log-in")
    assert page.evaluate("indexedDB.databases()") == []
    watched.faults = [one for one in watched.faults if "net::ERR_FAILED" not in one]  # that is why it waited


@pytest.mark.parametrize("lang", ["zh", "en"])
def test_reports_are_reviewed_by_keys(small_branch: Demo, browser: Browser, tmp_path: Path, lang: str) -> None:
    offset = {"zh": 200, "en": 210}[lang]
    visits = [
        reported(small_branch, taken(small_branch, tmp_path, offset + number).read_bytes()) for number in range(3)
    ]
    watched = somebody(browser, small_branch, "basic_risk_manager", lang)
    page = watched.go("/console/visits/review")

    def offering(visit: int, event: str) -> Locator:
        return page.locator(f".review:has(form[action='/console/visits/{visit}/review'] input[value={event}])")

    mine = [offering(visit, "accept") for visit in visits]
    while not mine[0].evaluate("one => one.classList.contains('at-row')"):
        page.keyboard.press("j")
    expect(mine[0].locator(".picture img")).to_have_js_property("naturalWidth", 600)
    good(watched, lang)
    page.keyboard.press("j")
    page.keyboard.press("r")
    expect(mine[1].locator("select")).to_be_focused()
    mine[1].locator("select").select_option("photo_unclear")
    page.keyboard.press("Control+Enter")
    expect(mine[1]).to_have_count(0)
    while not mine[2].evaluate("one => one.classList.contains('at-row')"):
        page.keyboard.press("j")
    page.keyboard.press("k")
    page.keyboard.press("a")
    expect(mine[0]).to_have_count(0)
    expect(mine[2]).to_have_count(1)
    back = offering(visits[1], "set_aside")
    while not back.evaluate("one => one.classList.contains('at-row')"):
        page.keyboard.press("j")
    good(watched, lang)
    page.keyboard.press("s")
    expect(back.locator("select")).to_be_focused()
    back.locator("select").select_option("not_redone")
    page.keyboard.press("Control+Enter")
    expect(back).to_have_count(0)
    watched.close()


@pytest.mark.parametrize("lang", ["zh", "en"])
@pytest.mark.parametrize("size", [SIZE, PHONE], ids=["desk", "phone"])
def test_a_verdict_is_put_right_by_keys(
    small_branch: Demo, browser: Browser, tmp_path: Path, lang: str, size: dict[str, int]
) -> None:
    number = 300 + 20 * (lang == "en") + 10 * (size is PHONE)
    visit = judged(small_branch, taken(small_branch, tmp_path, number).read_bytes(), "staged")
    watched = somebody(browser, small_branch, "basic_risk_manager", lang, size=size)
    page = watched.go("/console/visits/review")
    mine = page.locator(f".review:has(form[action='/console/visits/{visit}/verdict'])")
    while not mine.evaluate("one => one.classList.contains('at-row')"):
        page.keyboard.press("j")
    page.keyboard.press("v")
    verdict = mine.locator("[name='data.verdict']")
    expect(verdict).to_be_focused()
    good(watched, lang)
    verdict.select_option("genuine")
    page.keyboard.press("Tab")
    expect(mine.locator("[name='data.reason']")).to_be_focused()
    mine.locator("[name='data.reason']").select_option("explained")
    page.keyboard.press("Control+Enter")
    page.wait_for_load_state()
    expect(mine.locator("b")).to_have_text({"zh": "真实", "en": "genuine"}[lang])
    good(watched, lang)
    watched.close()


@pytest.mark.parametrize("lang", ["zh", "en"])
def test_an_information_repair_reads_well_and_its_sources_are_tried(
    small_branch: Demo, browser: Browser, lang: str
) -> None:
    repair = repair_begun(small_branch)
    watched = somebody(browser, small_branch, "business_rep", lang, size=PHONE)
    page = watched.go(f"/console/repairs/{repair}/work")
    good(watched, lang)
    page.select_option("[name='data.source']", "court")
    page.locator("form:has([name='data.source']) button").click()
    page.wait_for_url("**/work?done=try_source")
    expect(page.locator("[name='data.source'] option[value=court]")).to_have_count(0)
    good(watched, lang)
    watched.close()
    watched = somebody(browser, small_branch, "basic_risk_manager", lang)
    watched.go(f"/console/evening/unrepaired?on={small_branch.started.branch.today(now())}")
    good(watched, lang)
    watched.close()


KEPT = """
() => new Promise((done) => {
  const asked = indexedDB.open("casework", 1);
  asked.onsuccess = () => {
    asked.result.transaction("photos").objectStore("photos").getAll().onsuccess = (event) => {
      const hex = (bytes) => [...new Uint8Array(bytes)].map((one) => one.toString(16).padStart(2, "0")).join("");
      const text = (one) => hex(new TextEncoder().encode(JSON.stringify(one)));
      asked.result.close();
      done(event.target.result.map((one) => text(one) + hex(one.file.bytes) + hex(one.told.bytes)).join(""));
    };
  };
})
"""
"""All that waits, in hex: what is in clear, and what is sealed."""

LATER = """
(ms) => new Promise((done) => {
  const asked = indexedDB.open("casework", 1);
  asked.onsuccess = () => {
    const store = asked.result.transaction("photos", "readwrite").objectStore("photos");
    store.getAll().onsuccess = (event) => {
      for (const photo of event.target.result) store.put({ ...photo, at: photo.at - ms });
      asked.result.close();
      done();
    };
  };
})
"""
"""As if everything that waits had been taken so much earlier."""
