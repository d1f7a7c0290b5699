"""A real browser on a demo branch: who logs in, what they see, and what a page must not do.

Debian's Chromium, driven by Playwright; where there is none, what needs it is skipped, visibly.
"""

import base64
import os
import re
import shutil
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final

from cryptography.hazmat.primitives.hashes import SHA1
from cryptography.hazmat.primitives.twofactor.totp import TOTP
from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright

from casework.clock import branch_date, now
from casework.demo.stage import DemoTold, before, perform
from casework.operation.startup import Started, start, upgrade
from casework.people.identity import passwords, resetting
from casework.people.identity.brake import Brake
from casework.people.identity.log_in import Attempt
from casework.people.identity.second_factor import SLACK, STEP_S
from casework.people.staff.actor import system
from casework.people.staff.listing import members
from casework.settings import Settings, default_loans_dir, ensure_keys, shipped
from casework.storage.database import reading, writing
from tests.api.server import serving
from tests.once import once

CHROMIUM: Final = shutil.which("chromium") or shutil.which("chromium-browser")
PASSWORD: Final = "four plain words here"
WIDTH, HEIGHT = 1366, 768
SIZE: Final[Any] = {"width": WIDTH, "height": HEIGHT}
ZONE: Final = "Asia/Shanghai"
PHONE: Final[Any] = {"width": 390, "height": 844}
_VIOLATIONS = """
window.violations = [];
document.addEventListener("securitypolicyviolation", (one) => window.violations.push(one.violatedDirective));
"""
UNTRANSLATED = """
(strange) => {
  const found = [], walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walk.nextNode()) {
    const node = walk.currentNode;
    if (node.parentElement.closest("[translate=no], script, style, pre, code")) continue;
    if (new RegExp(strange).test(node.textContent)) found.push(node.textContent.trim());
  }
  for (const one of document.querySelectorAll("[alt], [title], [aria-label], [placeholder]"))
    for (const name of ["alt", "title", "aria-label", "placeholder"])
      if (!one.closest("[translate=no]") && new RegExp(strange).test(one.getAttribute(name) || ""))
        found.push(one.getAttribute(name));
  return found;
}
"""
UNITLESS = """
() => {
  const amount = /^-?[0-9,]+[.][0-9]{2}$/, unit = /yuan|元|¥/, found = [];
  for (const one of document.querySelectorAll("dd, td")) {
    if (!amount.test(one.textContent.trim())) continue;
    const heads = one.closest("table")?.querySelectorAll("thead th");
    const label = one.matches("dd") ? one.previousElementSibling : heads?.[one.cellIndex];
    const row = one.parentElement.querySelector("th");
    if (![label, row].some((each) => each && unit.test(each.textContent)))
      found.push(`${label?.textContent}: ${one.textContent.trim()}`);
  }
  return found;
}
"""
"""Amounts whose unit neither they nor their label say."""
STRANGE: Final = {
    "en": "[\\u4e00-\\u9fff]",
    "zh": "(?!TOTP|XLSX|manifest|json|tlog|proof|system|case)\\b[A-Za-z]{4,}",
}
"""What no page in that language has outside of names, numbers and codes."""


@dataclass
class Demo:
    """The branch behind a server, and whom to log in as: the first of each post."""

    url: str
    started: Started
    told: DemoTold
    people: dict[str, str]
    factors: dict[str, str] = field(default_factory=dict)
    """Secrets of the second factors that were set up."""
    cookies: dict[str, Any] = field(default_factory=dict)
    """Of whoever has logged in."""


def performed(settings: Settings, place: Path, *, loans: int = 1_000) -> DemoTold:
    """What came of a demo whose month ends today, made as `casework demo` makes it; its feeds lie in the folder."""
    today = branch_date(now(), ZONE)
    upgrade(settings, system("cli"), clock=lambda: before(today))
    started = start(settings)
    told = perform(started, place / "feeds", seed=1, loans_number=loans, today=today, progress=lambda *_: None)
    started.engine.dispose()
    return told


def _month(place: Path) -> DemoTold:
    settings = _settings(place)
    ensure_keys(settings.keys_dir)
    told = performed(settings, place)
    with closing(sqlite3.connect(place / "casework.db")) as raw:  # all of it in the one file, for whoever copies it
        raw.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    return told


def months_copy(run_folder: Path, place: Path) -> DemoTold:
    """The same on SQLite, made once in this run and day, copied into the folder."""
    made = run_folder / f"month-{branch_date(now(), ZONE)}"
    told = once(made, _month)
    shutil.copytree(made, place, dirs_exist_ok=True)
    return replace(told, next_feed=place / told.next_feed.relative_to(made))


def _settings(place: Path) -> Settings:
    url = f"sqlite:///{place / 'casework.db'}"
    return Settings(
        database_url=url, database_owner_url=url, keys_dir=place / "keys", statecharts=shipped("statecharts"),
        loans_dir=default_loans_dir(url, os.environ),
    )  # fmt: skip


@contextmanager
def demo(place: Path, *, loans: int = 1_000) -> Iterator[Demo]:
    """Such a demo, with a password for everybody, served."""
    ensure_keys(place / "keys")
    with on_show(place, performed(_settings(place), place, loans=loans)) as served:
        yield served


@contextmanager
def on_show(place: Path, told: DemoTold) -> Iterator[Demo]:
    """The demo that was made in this folder, with a password for everybody, served."""
    settings = _settings(place)
    started = start(settings)
    people = _with_passwords(started)
    with serving(settings, place) as server:
        yield Demo(server.url, started, told, people)
    started.engine.dispose()


def _with_passwords(started: Started) -> dict[str, str]:
    stored, people = passwords.hash_password(PASSWORD), dict[str, str]()
    with writing(started.engine) as conn:
        trail = started.branch.trail(now())
        policy = started.branch.rulebook.policies.at(trail.today)
        for member in members(conn, trail.today):
            if member.status != "active":
                continue
            for post in member.posts:
                people.setdefault(post, member.staff_no)
            code = resetting.issue_code(conn, trail, policy, system("cli"), staff_no=member.staff_no).code
            attempt = Attempt(member.staff_no, Brake.of(policy, started.branch.vault, member.staff_no, "demo"), None)
            assert resetting.set_by_code(conn, trail, attempt, code=code, password_hash=stored) is None
        trail.write(conn)
    return people


@contextmanager
def chromium() -> Iterator[Browser]:
    """The browser."""
    with sync_playwright() as driver:
        # Nothing here comes from elsewhere, and CI is root, as whom Chromium starts without its sandbox alone.
        browser = driver.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        try:
            yield browser
        finally:
            browser.close()


@dataclass
class Watched:
    """Somebody at the browser; what went wrong while they looked is in `faults`."""

    demo: Demo
    context: BrowserContext
    page: Page
    faults: list[str] = field(default_factory=list)

    def go(self, path: str) -> Page:
        """Look at a page, which must be there."""
        answer = self.page.goto(self.demo.url + path)
        assert answer is not None
        assert answer.status == 200, (path, answer.status, self.page.inner_text("main"))
        return self.page

    def close(self) -> None:
        """Nothing may have gone wrong."""
        self.faults += [f"{self.page.url}: {one}" for one in self.page.evaluate("window.violations")]
        self.context.close()
        assert self.faults == [], self.faults


def somebody(
    browser: Browser, demo: Demo, post: str | None = None, lang: str = "zh", *, scripts: bool = True,
    size: Any = SIZE,
) -> Watched:  # fmt: skip
    """At a browser of their own; with a post, logged in as its first holder, on the first page.

    They log in once in a demo: a code of the second factor is good once, and the next one comes after half a minute.
    Without scripts they log in anew.
    """
    context = browser.new_context(
        viewport=size, locale={"zh": "zh-CN", "en": "en-GB"}[lang], timezone_id=ZONE,
        java_script_enabled=scripts,
    )  # fmt: skip
    context.add_cookies([{"name": "casework_lang", "value": lang, "url": demo.url}])
    page = context.new_page()
    watched = Watched(demo, context, page)
    page.add_init_script(_VIOLATIONS)
    page.on("console", lambda said: watched.faults.append(f"console: {said.text}") if said.type == "error" else None)
    page.on("pageerror", lambda error: watched.faults.append(f"script: {error}"))
    page.on("request", lambda asked: _check_place(watched, asked.url))
    if post is not None and not (scripts and _still_in(watched, demo.people[post])):
        log_in(watched, demo.people[post])
    return watched


def _still_in(watched: Watched, staff_no: str) -> bool:
    """Whether the log-in of before still holds."""
    if staff_no not in watched.demo.cookies:
        return False
    watched.context.add_cookies([watched.demo.cookies[staff_no]])
    watched.page.goto(watched.demo.url + "/console")
    return watched.page.url == watched.demo.url + "/console"


def _check_place(watched: Watched, url: str) -> None:
    if not url.startswith((watched.demo.url, "blob:", "about:")):
        watched.faults.append(f"asked elsewhere: {url}")


def log_in(watched: Watched, staff_no: str) -> None:
    """With the password, and the second factor of whoever has one; who has to set one up does so."""
    page, factors = watched.page, watched.demo.factors
    page.goto(watched.demo.url + "/console/log-in")
    page.fill("#staff_no", staff_no)
    page.fill("#password", PASSWORD)
    if staff_no in factors:
        page.fill("#otp", _next_code(factors[staff_no]))
    page.click("main button.main")
    page.wait_for_url(re.compile(r"/console(/second-factor)?$"))
    if page.url.endswith("/second-factor"):
        page.click("main button")
        factors[staff_no] = page.inner_text("main code")
        page.fill("#otp", _next_code(factors[staff_no]))
        page.click("main button.main")
        page.wait_for_url(re.compile(r"/console$"))
    (cookie,) = (one for one in watched.context.cookies() if one["name"] == "casework")
    watched.demo.cookies[staff_no] = cookie


_used: Final[dict[str, int]] = {}


def _next_code(secret: str) -> str:
    """One that was not taken yet: the present one or, as clocks differ, the one after it; then that is waited for."""
    step = max(int(now().timestamp()) // STEP_S, _used.get(secret, 0) + 1)
    while step > int(now().timestamp()) // STEP_S + SLACK:
        time.sleep(0.5)
    _used[secret] = step
    return code_of(secret, step * STEP_S)


def code_of(secret: str, at: float | None = None) -> str:
    """What an authenticator shows now, or at an instant (Unix seconds)."""
    return TOTP(base64.b32decode(secret), 6, SHA1(), STEP_S).generate(at or now().timestamp()).decode()


OUT_OF_SIGHT: Final = """
(wanted) => wanted.flatMap((selector) => {
  const found = [...document.querySelectorAll(selector)];
  if (!found.length) return [`no ${selector}`];
  return found.filter((one) => {
    const at = one.getBoundingClientRect();
    let bottom = innerHeight;
    for (let box = one.parentElement; box; box = box.parentElement)
      if (getComputedStyle(box).overflowY !== "visible") bottom = Math.min(bottom, box.getBoundingClientRect().bottom);
    return !at.height || at.top < 0 || at.bottom > bottom;
  }).map((one) => `${selector} ends at ${one.getBoundingClientRect().bottom}`);
})
"""
"""What of these is not wholly in the window as it was opened, and not scrolled out of the box that it is in."""


def case_in(demo: Demo, state: str, owner: str | None = None) -> int:
    """A case of the demo in this state."""
    from casework.work.cases.tables import cases  # noqa: PLC0415  # one look at the database

    wanted = cases.select().where(cases.c.state == state).order_by(cases.c.id)
    with reading(demo.started.engine) as conn:
        found = conn.execute(wanted if owner is None else wanted.where(cases.c.owner == owner)).first()
    assert found is not None, state
    return int(found.id)
