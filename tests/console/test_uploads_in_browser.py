"""Files in a real browser: sent, left and found again, mended and sent again; and a feed that does not come is seen."""

from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from casework.operation.sweeping import sweep
from casework.storage.database import reading
from casework.work.cases.gather import business_dates
from tests.console.browser import CHROMIUM, STRANGE, UNTRANSLATED, Demo, somebody

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on this machine")
CONTACTS = "contact_ref,staff_no,loan_id,party,phone,channel,started_at,result,note"
CALLS = [f"u{n},S101,LNONE{n},debtor,12000000001,call,2026-01-09T10:00:00+08:00,busy," for n in range(300)]
PAID = "payment_id,loan_id,paid_on,amount,reverses"
STAFF = "工号,姓名,团队,上限"


def sent(page: Page, folder: Path, name: str, lines: Sequence[str], button: str = "button.main") -> None:
    """Choose a file and send it."""
    file = folder / name
    file.write_bytes("\n".join([*lines, ""]).encode("utf-8-sig"))
    page.set_input_files("main input[type=file]", file)
    page.click(f"main form[enctype] {button}")


def to_mend(page: Page) -> list[str]:
    """The file that the page offers, line by line."""
    with page.expect_download() as came:
        page.click("main a.button[href*='set-aside.csv']")
    return Path(came.value.path()).read_text(encoding="utf-8-sig").splitlines()


def test_a_contact_file_is_sent_its_page_left_and_found_again_with_what_is_to_be_mended(
    branch_on_show: Demo, browser: Browser, tmp_path: Path
) -> None:
    someone = somebody(browser, branch_on_show, "basic_risk_manager")
    page = someone.go("/console/contact-files")
    sent(page, tmp_path, "外呼.csv", [CONTACTS, *CALLS])
    page.wait_for_url("**/console/contact-files")
    someone.go("/console/cases")
    someone.go("/console/contact-files")
    for text in ("外呼.csv", "搁置行", "借据不在贷款台账中", "另有100处"):
        expect(page.locator("main")).to_contain_text(text)
    assert page.evaluate(UNTRANSLATED, STRANGE["zh"]) == []
    assert len(to_mend(page)) == len(CALLS) + 1
    someone.close()


def test_repayments_are_sent_mended_and_sent_again_in_english(
    branch_on_show: Demo, browser: Browser, tmp_path: Path
) -> None:
    someone = somebody(browser, branch_on_show, "basic_risk_manager", "en")
    page = someone.go("/console/repayment-files")
    sent(page, tmp_path, "paid.csv", [PAID, "X1,LNONE,2026-01-09,500.00,"])
    expect(page.locator("main table")).to_contain_text("loan_id")
    assert page.evaluate(UNTRANSLATED, STRANGE["en"]) == []
    header, *rows = to_mend(page)
    assert header.startswith(PAID)
    assert len(rows) == 1
    sent(page, tmp_path, "mended.csv", [header, *rows])
    expect(page.locator("main")).to_contain_text("mended.csv")
    someone.close()


def test_a_staff_list_is_looked_at_before_it_is_taken_in(
    branch_on_show: Demo, browser: Browser, tmp_path: Path
) -> None:
    someone = somebody(browser, branch_on_show, "administrator")
    page = someone.go("/console/staff")
    page.click("main a[href='/console/staff-lists']")
    lines = [STAFF, "S901,新来者,,50"]
    sent(page, tmp_path, "名册.csv", lines, "button[value=look]")
    for text in ("仅查看，未作更改", "S901", "新来者"):
        expect(page.locator("main")).to_contain_text(text)
    sent(page, tmp_path, "名册.csv", lines)
    expect(page.locator("main .good")).to_contain_text("已导入")
    someone.go("/console/staff/S901")
    someone.close()


TOLD = [("zh", "数据到达前不得委外；拨打不受影响"), ("en", "Nothing is placed until one comes")]


@pytest.mark.parametrize(("lang", "told"), TOLD)
def test_a_feed_that_does_not_come_is_seen_on_the_first_page_and_on_that_of_feeds(
    branch_on_show: Demo, browser: Browser, lang: str, told: str
) -> None:
    started = branch_on_show.started
    with reading(started.engine) as conn:
        fed = max(business_dates(conn).values())
    someone = somebody(browser, branch_on_show, "basic_risk_manager", lang)
    if lang == "zh":  # before the day is closed without its feed
        someone.go("/console")
        expect(someone.page.locator("main .hold")).to_have_count(0)
        swept = sweep(started.engine, started.branch)
        assert swept.without_feed == {}
        assert sweep(started.engine, started.branch, fed + timedelta(days=1)).without_feed
    for place in ("/console", "/console/feeds"):
        page = someone.go(place)
        expect(page.locator("main .hold").first).to_contain_text(told)
        assert page.evaluate(UNTRANSLATED, STRANGE[lang]) == []
    someone.close()
