"""The API's own description as pages: whole, in both languages, read without a script, tried with one."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, expect

from api.console.described import parts
from api.console.frame.words import WORDS
from api.problems import status_of
from casework.codes import CODES
from casework.operation.startup import Started
from casework.settings import Settings
from tests.api.conftest import Running
from tests.api.server import serving
from tests.console.browser import CHROMIUM, PHONE, SIZE, STRANGE, UNTRANSLATED, chromium

pytestmark = pytest.mark.only("sqlite")


def document_of(running: Running) -> dict[str, Any]:
    found: dict[str, Any] = running.client.get("/schema/openapi.json").json()
    return found


def groups_of(document: dict[str, Any]) -> set[str]:
    return {one["tags"][0] for methods in document["paths"].values() for one in methods.values()}


def test_every_operation_stands_with_its_fields_its_examples_and_its_problems(running: Running) -> None:
    """Of each body its fields with their bounds; nothing is fetched from elsewhere."""
    document = document_of(running)
    index = running.client.get("/schema")
    assert index.status_code == 200
    assert index.headers["content-type"].startswith("text/html")
    assert "default-src 'none'" in index.headers["content-security-policy"]
    assert all(f"<code>{path}</code>" in index.text for path in document["paths"])
    for group in groups_of(document):
        page = running.client.get("/schema", params={"group": group, "lang": "en"}).text
        assert not re.search(r"(?:src|href)=.https?:|@import|<script(?! src=\"/console/assets/)", page), group
        for path, methods in document["paths"].items():
            for method, operation in methods.items():
                if operation["tags"] == [group]:
                    _stands(page, document, path, method, operation)


def _stands(page: str, document: dict[str, Any], path: str, method: str, operation: dict[str, Any]) -> None:
    at = page.index(f'id="{operation["operationId"]}"')
    part = page[at : page.find('<details class="card call"', at)] if 'class="card call"' in page[at:] else page[at:]
    assert f"<code>{path}</code>" in part
    assert all(f"<code>{one['name']}</code>" in part for one in operation.get("parameters", ()))
    for content in operation.get("requestBody", {}).get("content", {}).values():
        schema = content["schema"]
        for one in (schema, *schema.get("allOf", ())):
            named = document["components"]["schemas"].get(one.get("$ref", "").rpartition("/")[2], one)
            assert all(f"<code>{field}</code>" in part for field in named.get("properties", ())), (method, path)
    codes = {code for status, one in operation["responses"].items() if int(status) >= 400
             for content in one["content"].values() for code in content["examples"]}  # fmt: skip
    assert all(f'href="/problems/{code}?lang=en"' in part for code in codes)


def test_the_body_of_an_event_is_told_with_kinds_bounds_and_an_example(running: Running) -> None:
    page = running.client.get("/schema", params={"group": "cases", "lang": "en"}).text
    part = page[page.index('id="CasesCaseIdEventsFire"') :]
    part = part[: part.index('class="card call"')]
    assert re.search(
        r'<code>event</code> <span class="chip">needed</span></td>\s*<td>text · <span>≤ 64 characters</span>', part
    )
    assert "&#34;address_kind&#34;: &#34;home&#34;" in part
    zh = running.client.get("/schema", params={"group": "cases", "lang": "zh"}).text
    assert "办理案件事件" in zh
    assert "至多64个字符" in zh


def test_the_language_is_asked_for_chosen_before_or_chinese(running: Running) -> None:
    assert "接口说明" in running.client.get("/schema").text
    assert '<html lang="en"' in running.client.get("/schema", params={"lang": "en"}).text
    chosen = running.client.get("/schema", headers={"Cookie": "casework_lang=en"})
    assert '<html lang="en"' in chosen.text


@pytest.mark.parametrize(("accepted", "lang"), [
    ("en-GB,en;q=0.9", "en"), ("fr,en;q=0.3,zh;q=0.2", "en"), ("en;q=0.5,zh-CN", "zh-CN"), ("zh;q=0,en", "en"),
    ("fr", "zh-CN"), ("en;q=x", "en"), ("", "zh-CN"),
])  # fmt: skip
def test_else_it_is_the_one_that_the_browser_asks_for(running: Running, accepted: str, lang: str) -> None:
    """Below what is asked for and what was chosen before."""
    page = running.client.get("/schema", headers={"Accept-Language": accepted})
    assert f'<html lang="{lang}"' in page.text
    both = {"Accept-Language": accepted, "Cookie": "casework_lang=en"}
    assert '<html lang="en"' in running.client.get("/schema", headers=both).text


def test_every_operation_has_a_name_and_is_explained_in_chinese(running: Running) -> None:
    """`described/titles.toml` and `abouts.toml`: of each route, and no other."""
    document = document_of(running)
    nouns = groups_of(document) - set(parts.titles()["groups"])
    named = dict.fromkeys(nouns, "某")
    nameless = [
        f"{method.upper()} {path}"
        for path, methods in document["paths"].items() for method, one in methods.items()
        if not re.search(r"[\u4e00-\u9fff]", parts.title_of(method, path, one["summary"], named)["zh"])
    ]  # fmt: skip
    assert nameless == []
    silent = [
        f"{method.upper()} {path}" for path, methods in document["paths"].items() for method, one in methods.items()
        if one.get("description") and not parts.about_of(method, path, named)
    ]  # fmt: skip
    assert silent == []
    there = {f"{method.upper()} {path}" for path, methods in document["paths"].items() for method in methods}
    assert set(parts.titles()["operations"]) - there == set()


def test_the_type_of_every_problem_is_a_page_that_says_what_to_do(running: Running) -> None:
    answer = running.client.get("/cases")
    assert (answer.status_code, answer.json()["type"]) == (401, "/problems/not_authenticated")
    for lang, said in (("en", "Log in (POST /session)"), ("zh", "登录（POST /session）")):
        page = running.client.get(answer.json()["type"], params={"lang": lang})
        assert (page.status_code, said in page.text) == (200, True)
    assert "CasesCaseIdEventsFire" in running.client.get("/problems/stale_version").text
    assert running.client.get("/problems/unknown_promise").status_code == 200
    assert running.client.get("/problems/no_such_code").status_code == 404
    every = running.client.get("/problems").text
    assert [code for code in CODES if f'href="/problems/{code}?' not in every] == []


def test_every_status_of_a_code_has_words_for_what_to_do() -> None:
    assert {f"described.do_{status_of(code)}" for code in CODES} - WORDS.keys() == set()


# ── in a browser ────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.fixture
def served(
    branch: tuple[Started, dict[str, str]], settings: Settings, tmp_path: Path
) -> Iterator[tuple[str, dict[str, str]]]:
    """The application behind a real server, and everybody's tokens."""
    if CHROMIUM is None:
        pytest.skip("no Chromium on this machine")
    started, tokens = branch
    Running(None, started, tokens).open("L1", owner="T1")  # type: ignore[arg-type]  # no client is needed to open one
    with serving(settings, tmp_path) as server:
        yield server.url, tokens


def fill(page: Page, operation: str, **fields: str) -> Any:
    card = page.locator(f"details#{operation}")
    for name, value in fields.items():
        card.locator(f"form.try [name='{name.replace('_h_', '-')}']").fill(value)
    return card


def _try_calls(browser: Browser, url: str, tokens: dict[str, str]) -> None:
    """Status, headers and body as they came; the key stands in no command that is copied; no error, no other site."""
    asked: list[str] = []
    page = browser.new_page(viewport=SIZE)
    page.on("request", lambda one: asked.append(one.url))
    errors: list[str] = []
    page.on("pageerror", lambda one: errors.append(str(one)))
    page.goto(f"{url}/schema?group=cases&lang=en#CasesCaseIdCase")
    page.fill("#key", tokens["T1"])
    page.locator("#key").blur()
    card = fill(page, "CasesCaseIdCase", case_id="1")
    card.get_by_role("button", name="Send").click()
    shown = card.locator("pre.answer")
    shown.wait_for()
    assert card.get_by_role("status").inner_text().startswith("200")
    assert 'etag: "1-' in shown.inner_text()
    assert '"loan_id": "L1"' in shown.inner_text()
    event = page.locator("details#CasesCaseIdNotesNote")
    event.locator("summary").first.click()
    fill(page, "CasesCaseIdNotesNote", case_id="1", If_h_Match="*")
    event.locator("textarea").fill(json.dumps({"text": "it's a note"}))
    event.get_by_role("button", name="Copy as curl").click()
    told = event.locator("pre.answer").inner_text()
    assert "-X POST" in told
    assert "$CASEWORK_TOKEN" in told
    assert tokens["T1"] not in told
    assert "it'\\''s a note" in told
    event.get_by_role("button", name="Send").click()
    expect(event.get_by_role("status")).to_contain_text("200")
    assert (errors, [one for one in asked if not one.startswith(url)]) == ([], [])


def test_the_pages_are_read_and_tried_at_a_desk_and_on_a_phone(served: tuple[str, dict[str, str]]) -> None:
    """One server, one browser: trying a call; then no horizontal scroll, and no form for whoever has no script."""
    url, tokens = served
    with chromium() as browser:
        _try_calls(browser, url, tokens)
        for lang in ("zh", "en"):
            _fits(browser, url, lang)


def _fits(browser: Browser, url: str, lang: str) -> None:
    for size in (SIZE, PHONE):
        context = browser.new_context(viewport=size, java_script_enabled=True)
        page = context.new_page()
        for path in ("/schema", "/schema?group=cases", "/problems", "/problems/stale_version"):
            page.goto(f"{url}{path}{'&' if '?' in path else '?'}lang={lang}")
            page.evaluate("document.querySelectorAll('details').forEach((one, at) => { one.open = at < 12; })")
            if size is SIZE and lang == "en":
                found = Axe().run(page).response["violations"]
                assert [one["id"] for one in found if one["impact"] in ("serious", "critical")] == [], (path, found)
            wide = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
            assert wide <= 0, (path, size, wide)
            if lang == "en":
                assert page.evaluate(UNTRANSLATED, STRANGE["en"]) == [], path
        context.close()
    plain = browser.new_context(java_script_enabled=False).new_page()
    plain.goto(f"{url}/schema?group=cases&lang={lang}#CasesCaseIdEventsFire")
    assert plain.locator("form.try:visible").count() == 0
    assert plain.locator("noscript").count() == 1
