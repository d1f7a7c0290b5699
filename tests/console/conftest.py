"""The furnished branch of the API, people with passwords, and somebody who looks at pages without any script."""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from html import unescape
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, expect
from pwdlib.hashers.argon2 import Argon2Hasher

from casework.clock import now
from casework.people.identity.passwords import keep_password
from casework.storage.database import writing
from tests.api.conftest import Running, assembled, begun, branch, database, furnished, running, settings
from tests.console.browser import Demo, chromium, code_of, months_copy, on_show

__all__ = ["assembled", "begun", "branch", "browse", "database", "furnished", "running", "settings"]
PASSWORD = "four plain words here"
expect.set_options(timeout=30_000)  # ms: what is waited for is whether it comes, on a busy machine too


@pytest.fixture(scope="module")
def branch_on_show(tmp_path_factory: pytest.TempPathFactory, run_folder: Path) -> Iterator[Demo]:
    """One demo for all of a file: nobody's journey is in another's way."""
    place = tmp_path_factory.mktemp("demo")
    with on_show(place, months_copy(run_folder, place)) as served:
        yield served


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """One browser; everybody has a context of their own."""
    with chromium() as started:
        yield started


class _Forms(HTMLParser):
    """Every form of a page by its action: the fields as they stand in it."""

    def __init__(self) -> None:
        super().__init__()
        self.forms: list[tuple[str, dict[str, str]]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        if tag == "form":
            self.forms.append((given.get("action") or "", {}))
        elif tag == "input" and self.forms and given.get("type") not in ("checkbox", "file"):
            self.forms[-1][1][given.get("name") or ""] = given.get("value") or ""


@dataclass
class Browsing:
    """Somebody with a cookie; `forms` of the last page can be filled in and sent."""

    running: Running
    cookies: dict[str, str] = field(default_factory=dict)
    page: Any = None

    def get(self, path: str, **headers: str) -> Any:
        """Look at a page."""
        return self._ask("GET", path, headers=headers)

    def post(self, path: str, data: dict[str, str] | None = None, **headers: str) -> Any:
        """Send a form that need not stand on any page."""
        return self._ask("POST", path, data=data or {}, headers=headers)

    def send(self, action: str, needs: dict[str, str] | None = None, /, **typed: str) -> Any:
        """Fill in the form of the last page with this action (and these hidden values), and send it."""
        forms = _Forms()
        forms.feed(self.page.text)
        for place, fields in forms.forms:
            if place == action and (needs or {}).items() <= fields.items():
                return self.post(place, {**fields, **{name.replace("__", "."): text for name, text in typed.items()}})
        raise AssertionError(f"no form for {action} among {[place for place, _ in forms.forms]}")

    def upload(self, path: str, content: bytes, typed: dict[str, str], **headers: str) -> Any:
        """Send a file with the token of the last page's forms."""
        token = self.page.text.split('name="form_token" value="')[1].split('"')[0]
        data, files = {"form_token": token, **typed}, {"file": ("a.jpg", content)}
        return self._ask("POST", path, data=data, files=files, headers=headers)

    def log_in(self, staff_no: str, **typed: str) -> Any:
        """With the password that everybody has."""
        self.get("/console/log-in")
        return self.send("/console/log-in", staff_no=staff_no, password=PASSWORD, **typed)

    def set_up_factor(self) -> None:
        """As whoever holds a post that asks for one does at the first log-in."""
        self.get("/console/second-factor")
        shown = re.search(r"<code[^>]*>([A-Z2-7]+)</code>", self.send("/console/second-factor").text)
        assert shown is not None
        answer = self.send("/console/second-factor/confirm", otp=code_of(shown[1]))
        assert answer.status_code == 303, self.text()

    def text(self) -> str:
        """The last page as it reads."""
        body = re.sub(r"<(script|style).*?</\1>", "", self.page.text.split("<main", 1)[-1], flags=re.DOTALL)
        return unescape(" ".join(re.sub(r"<[^>]+>", " ", body).split()))

    def _ask(self, method: str, path: str, **kwargs: Any) -> Any:
        headers = kwargs.pop("headers", {})
        if self.cookies:
            headers["Cookie"] = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
        self.running.client.cookies.clear()
        answer = self.running.client.request(method, path, headers=headers, follow_redirects=False, **kwargs)
        for cookie in answer.headers.get_list("set-cookie"):
            name, _, rest = cookie.partition("=")
            self.cookies[name] = rest.split(";")[0]
        self.cookies = {name: value for name, value in self.cookies.items() if value.strip('"')}
        self.running.client.cookies.clear()
        self.page = answer
        return answer


@pytest.fixture
def browse(running: Running, quick_passwords: Argon2Hasher) -> Callable[..., Browsing]:
    """Somebody new at a browser; with a staff number, logged in."""
    started, stored = running.started, quick_passwords.hash(PASSWORD)
    with writing(started.engine) as conn:
        trail = started.branch.trail(now())
        for staff_no in running.tokens:
            keep_password(conn, trail, staff_no, stored)
        trail.write(conn)

    def made(staff_no: str | None = None) -> Browsing:
        someone = Browsing(running)
        if staff_no is not None:
            answer = someone.log_in(staff_no)
            assert answer.status_code == 303, someone.text()
            if answer.headers["location"] == "/console/second-factor":
                someone.set_up_factor()
        return someone

    return made
