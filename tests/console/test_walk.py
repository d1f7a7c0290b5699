"""All pages, from link to link: each marks one place, fits, speaks one language, and heads figures where they stand."""

import pytest
from playwright.sync_api import Browser

from tests.console.browser import CHROMIUM, PHONE, SIZE, STRANGE, UNTRANSLATED, Demo, somebody
from tests.console.walk import PERSONAS, walked

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on this machine")
HEADED_OTHERWISE = """
() => [...document.querySelectorAll("main table")].flatMap((table) => {
  const heads = [...table.querySelectorAll("thead th")].map((one) => one.classList.contains("number"));
  const first = [...table.querySelectorAll("tbody tr")].find((one) => one.children.length === heads.length);
  if (!first) return [];
  return [...first.children].flatMap((one, place) =>
    one.tagName === "TD" && one.classList.contains("number") !== heads[place] ? [one.textContent.trim()] : []);
})
"""
"""Cells of a first row that stand to the right while their heading stands to the left, or the other way round."""
MARKED = "header :is(nav, .who) [aria-current=page]"


@pytest.mark.parametrize("lang", ["zh", "en"])
def test_every_page_that_a_link_leads_to_marks_one_place_fits_speaks_one_language_and_aligns_its_tables(
    branch_on_show: Demo, browser: Browser, lang: str
) -> None:
    """Each page at a desk, and then on a phone."""
    seen, wrong = set[str](), list[tuple[str, str, int, object]]()
    for post in PERSONAS:
        watched = somebody(browser, branch_on_show, post, lang)
        seen.discard("/console")  # everybody has a first page of their own
        for href, page in walked(watched, seen):
            for window in (PHONE, SIZE):  # the next page is asked for at a desk again
                page.set_viewport_size(window)
                marked = page.locator(MARKED).count()
                wide = page.evaluate("document.documentElement.scrollWidth")
                strange = page.evaluate(UNTRANSLATED, STRANGE[lang])
                askew = page.evaluate(HEADED_OTHERWISE)
                if (marked, wide <= window["width"], strange, askew) != (1, True, [], []):
                    wrong.append((post, href, window["width"], (marked, wide, strange, askew)))
        watched.close()
    assert wrong == []
    assert len(seen) > 50
