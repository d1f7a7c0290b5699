"""Logging in on pages: the cookie, the forms that only our pages can send, idle time, the way out."""

import base64
import re
import time
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa
import time_machine
from cryptography.hazmat.primitives.hashes import SHA1
from cryptography.hazmat.primitives.twofactor.totp import TOTP

from api.console.frame.assets import PLACES
from casework.clock import now
from casework.log.tables import entries
from casework.storage.database import reading
from tests.api.conftest import Running
from tests.console.conftest import PASSWORD, Browsing

Browse = Callable[..., Browsing]


def test_a_stranger_is_led_to_the_log_in_and_then_where_he_wanted_to_go(browse: Browse) -> None:
    someone = browse()
    answer = someone.get("/console/cases?state=settled")
    assert (answer.status_code, answer.headers["location"]) == (
        303, "/console/log-in?next=%2Fconsole%2Fcases%3Fstate%3Dsettled",
    )  # fmt: skip
    someone.get(answer.headers["location"])
    answer = someone.send("/console/log-in", staff_no="R1", password=PASSWORD)
    assert (answer.status_code, answer.headers["location"]) == (303, "/console/cases?state=settled")
    assert someone.get("/").headers["location"] == "/console"
    assert someone.get("/console").status_code == 200


@pytest.mark.only("sqlite")
@pytest.mark.parametrize(
    "place", ["https://elsewhere.example/console/", "//elsewhere.example/console/x", "/cases", "/console/\\x", "x"]
)
def test_the_way_back_never_leads_elsewhere(browse: Browse, place: str) -> None:
    someone = browse()
    someone.get("/console/log-in")
    answer = someone.send("/console/log-in", staff_no="R1", password=PASSWORD, next=place)
    assert answer.headers["location"] == "/console"


def test_a_wrong_password_is_told_as_the_api_tells_it_and_keeps_the_number(browse: Browse) -> None:
    someone = browse()
    someone.get("/console/log-in")
    answer = someone.send("/console/log-in", staff_no="R1", password="not this one at all")
    assert answer.status_code == 401
    assert "工号、密码、一次性代码或动态码不正确" in someone.text()
    assert 'value="R1"' in answer.text
    assert "not this one" not in answer.text
    assert not someone.cookies


def test_the_cookie_is_out_of_reach_of_scripts_and_other_sites(browse: Browse) -> None:
    someone = browse()
    cookie = someone.log_in("R1").headers["set-cookie"]
    name, value = re.match(r"(\w+)=(cwp_[\w-]{43});", cookie).groups()  # type: ignore[union-attr]  # it matches
    assert name == "casework"
    assert "HttpOnly" in cookie
    assert "SameSite=strict" in cookie
    assert "Secure" not in cookie  # there is no TLS here
    assert value not in someone.get("/console").text


@pytest.mark.only("sqlite")
def test_behind_tls_the_cookie_is_for_tls_and_this_host_alone(
    browse: Browse, running: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("api.console.frame.cookies.is_encrypted", lambda *_: True)
    someone = browse()
    cookie = someone.log_in("R1").headers["set-cookie"]
    assert cookie.startswith("__Host-casework=cwp_")
    assert "Secure" in cookie
    assert someone.get("/console").status_code == 200
    someone.cookies = {"casework": someone.cookies["__Host-casework"]}  # set without TLS, by whoever was on the way
    assert someone.get("/console").status_code == 303


def test_a_page_takes_no_bearer_and_the_api_takes_no_cookie(browse: Browse, running: Running) -> None:
    someone = browse("R1")
    cookie = someone.cookies["casework"]
    assert running.client.get("/me", headers={"Cookie": f"casework={cookie}"}).status_code == 401
    assert running.client.get("/me", headers={"Authorization": f"Bearer {cookie}"}).status_code == 401
    stranger = browse()
    assert stranger.get("/console", Authorization=f"Bearer {running.tokens['R1']}").status_code == 303
    stranger.cookies = {"casework": running.tokens["R1"]}
    assert stranger.get("/console").status_code == 303


@pytest.mark.parametrize(
    "how",
    [
        {"form_token": ""},
        {"form_token": "0" * 32},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Origin": "https://elsewhere.example"},
        {"Origin": "null"},
    ],
)
@pytest.mark.only("sqlite")
def test_a_form_that_none_of_our_pages_made_changes_nothing(
    browse: Browse, running: Running, how: dict[str, str]
) -> None:
    (case_id,) = running.open("L1")
    someone = browse("R1")
    someone.get(f"/console/cases/{case_id}")
    token = re.search(r'name="form_token" value="(\w+)"', someone.page.text)[1]  # type: ignore[index]  # it is there
    with reading(running.started.engine) as conn:
        before = conn.execute(sa.select(sa.func.count()).select_from(entries)).scalar_one()
    headers = {name: value for name, value in how.items() if name != "form_token"}
    form = {"form_token": how.get("form_token", token), "text": "x"}
    answer = someone.post(f"/console/cases/{case_id}/notes", form, **headers)
    assert (answer.status_code, "form_not_ours" in answer.text) == (403, True)
    with reading(running.started.engine) as conn:
        assert conn.execute(sa.select(sa.func.count()).select_from(entries)).scalar_one() == before
    assert someone.post(f"/console/cases/{case_id}/notes", {"form_token": token, "text": "x"}).status_code == 303


@pytest.mark.only("sqlite")
def test_a_log_in_form_from_elsewhere_logs_nobody_in(browse: Browse) -> None:
    someone = browse()
    form = {"form_token": "", "staff_no": "R1", "password": PASSWORD}
    assert someone.post("/console/log-in", form, Origin="https://elsewhere.example").status_code == 403
    assert not someone.cookies


def test_a_log_in_goes_on_while_somebody_looks_and_ends_when_nobody_does(browse: Browse, running: Running) -> None:
    someone = browse("R1")
    with time_machine.travel(now(), tick=True) as clock:
        for _ in range(4):  # three quarters of an hour, ten minutes at a time
            clock.shift(timedelta(minutes=10))
            running.client.app.state["serving"].tokens._held.clear()
            assert someone.get("/console").status_code == 200
        clock.shift(timedelta(minutes=14))
        running.client.app.state["serving"].tokens._held.clear()
        # A script that looks for news keeps nobody logged in, but is answered.
        assert someone.get("/console", **{"Sec-Fetch-Mode": "cors"}).status_code == 200
        clock.shift(timedelta(minutes=2))
        running.client.app.state["serving"].tokens._held.clear()
        assert someone.get("/console").status_code == 303


def test_whoever_logs_out_is_out_at_once(browse: Browse) -> None:
    someone = browse("R1")
    kept = dict(someone.cookies)
    someone.get("/console")
    answer = someone.send("/console/log-out")
    assert (answer.status_code, someone.cookies) == (303, {})
    someone.cookies = kept
    assert someone.get("/console").status_code == 303


def test_sessions_are_looked_at_and_another_one_is_ended(browse: Browse) -> None:
    here, there = browse("R1"), browse("R1")
    here.get("/console/sessions")
    (other,) = re.findall(r"/console/sessions/(\d+)/end", here.page.text)
    assert here.send(f"/console/sessions/{other}/end").status_code == 303
    assert "/end" not in here.get("/console/sessions").text
    there.running.client.app.state["serving"].tokens._held.clear()
    assert there.get("/console").status_code == 303
    others = [browse("R1"), browse("R1")]
    assert here.get("/console/sessions").text.count('/end"') == 3
    assert here.send("/console/sessions/end").status_code == 303
    assert "/end" not in here.get("/console/sessions").text
    there.running.client.app.state["serving"].tokens._held.clear()
    assert [one.get("/console").status_code for one in others] == [303, 303]


def test_whose_post_asks_for_a_second_factor_sets_it_up_before_anything_else(browse: Browse) -> None:
    someone = browse()
    assert someone.log_in("V1").headers["location"] == "/console/second-factor"
    assert someone.get("/console/cases").headers["location"] == "/console/second-factor"
    someone.get("/console/second-factor")
    answer = someone.send("/console/second-factor")
    assert "<svg" in answer.text
    secret = re.search(r"<code[^>]*>([A-Z2-7]+)</code>", answer.text)[1]  # type: ignore[index]  # it is there
    wrong = someone.send("/console/second-factor/confirm", otp="000000")
    assert (wrong.status_code, "动态码不正确或已使用" in wrong.text) == (422, True)
    assert secret not in wrong.text
    answer = someone.send("/console/second-factor/confirm", otp=_code(secret))
    assert (answer.status_code, answer.headers["location"]) == (303, "/console")
    assert someone.get("/console/cases").status_code == 200
    again = browse()
    assert again.log_in("V1").status_code == 401
    with time_machine.travel(now() + timedelta(seconds=60), tick=True):
        assert again.log_in("V1", otp=_code(secret)).status_code == 303


def _code(secret: str) -> str:
    return TOTP(base64.b32decode(secret), 6, SHA1(), 30).generate(time.time()).decode()  # as phones do


def test_a_password_is_set_with_the_old_one_and_told_what_is_wrong_with_it(browse: Browse) -> None:
    someone = browse()
    someone.get("/console/password")
    given: dict[str, Any] = {"staff_no": "R1", "old_password": PASSWORD}
    answer = someone.send("/console/password", new_password="short", again="short", **given)
    assert (answer.status_code, "密码至少12个字符" in answer.text) == (422, True)
    answer = someone.send("/console/password", new_password="five other plain words", again="another", **given)
    assert "两次输入的新密码不一致" in answer.text
    words = "five other plain words here"
    answer = someone.send("/console/password", new_password=words, again=words, **given)
    assert answer.headers["location"] == "/console/log-in?done=password"
    assert someone.log_in("R1").status_code == 401
    someone.get("/console/log-in")
    assert someone.send("/console/log-in", staff_no="R1", password=words).status_code == 303


@pytest.mark.only("sqlite")
def test_whose_log_in_died_is_led_back_to_the_page_of_their_form(browse: Browse, running: Running) -> None:
    (case_id,) = running.open("L1")
    someone, place = browse("R1"), f"/console/cases/{case_id}"
    someone.get(place)
    here = {"referer": f"http://{running.client.base_url.host}{place}"}
    (name,) = (one for one in someone.cookies if one.startswith("casework") and one != "casework_lang")
    someone.cookies[name] += "x"
    answer = someone.post(f"{place}/notes", {"text": "客户来电"}, **here)
    assert answer.headers["location"] == f"/console/log-in?next=%2Fconsole%2Fcases%2F{case_id}"
    answer = someone.post(f"{place}/notes", {"text": "客户来电"}, referer="http://elsewhere.example/console/cases")
    assert answer.headers["location"] == "/console/log-in"


def test_the_language_is_chosen_and_stays(browse: Browse) -> None:
    someone = browse("R1")
    assert 'lang="zh-CN"' in someone.get("/console/cases?live=true").text
    answer = someone.send("/console/language", lang="en")
    assert answer.headers["location"] == "/console/cases?live=true"
    assert '<html lang="en">' in someone.get("/console").text
    assert "My cases" in someone.page.text


@pytest.mark.only("sqlite")
def test_styles_and_scripts_are_small_and_the_first_page_is_too(browse: Browse) -> None:
    someone = browse()
    sizes = {name: len(someone.get(place).content) for name, place in PLACES.items()}
    assert sum(sizes.values()) < 40_000, sizes
    someone.log_in("R1")
    assert len(someone.get("/console").content) + sum(sizes.values()) < 200_000


@pytest.mark.only("sqlite")
def test_every_page_is_compiled_before_anybody_looks(running: Running) -> None:
    environment: Any = running.client.app.template_engine.engine
    pages, deadline = set(environment.list_templates(extensions=["html"])), time.monotonic() + 30
    assert len(pages) > 20
    while pages - {name for _, name in environment.cache.keys()}:  # noqa: SIM118 - a cache that is no dict
        assert time.monotonic() < deadline
        time.sleep(0.05)


@pytest.mark.only("sqlite")
def test_no_page_has_anything_inline_that_the_policy_would_forbid(browse: Browse, running: Running) -> None:
    """Every page says the same strict policy, and has neither inline script nor style, nor anything from elsewhere."""
    (case_id,) = running.open("L1")
    someone = browse("B1")
    places = ["/console", "/console/cases", f"/console/cases/{case_id}", "/console/find", "/console/feeds",
              "/console/requests", "/console/staff", "/console/rules", "/console/nothing"]  # fmt: skip
    for place in places:
        answer = someone.get(place)
        policy = answer.headers["content-security-policy"]
        assert "default-src 'none'" in policy, place
        assert "unsafe" not in policy
        assert answer.headers["cache-control"] == "no-store"
        assert not re.search(r"<script(?![^>]*\bsrc=)|<style|\sstyle=|\son\w+=|https?://", answer.text), place


def test_what_goes_wrong_on_a_page_is_told_on_a_page(browse: Browse) -> None:
    someone = browse("R1")
    answer = someone.get("/console/cases/999999")
    assert (answer.status_code, answer.headers["content-type"]) == (404, "text/html; charset=utf-8")
    assert "没有这个案件，或您无权查看" in someone.text()
    assert someone.get("/console/feeds").status_code == 403
    assert "您的岗位无权执行此操作" in someone.text()
    assert someone.get("/console/cases?stat=settled").status_code == 422
