"""What HTTP lets a client expect of every route: HEAD, OPTIONS, Allow, 304, gzip, `Link`, and calls across origins."""

import dataclasses
import re
from typing import Any

import pytest
from litestar.testing import TestClient

from api.app import Assembled, create_app
from api.permitted import routes_of
from casework.errors import CallerError
from casework.operation.startup import Started
from casework.people.staff.permission_table import plain_route
from casework.settings import Settings
from tests.api.conftest import Running

pytestmark = pytest.mark.only("sqlite")
NEXT = re.compile(r'<([^>]+)>; rel="next"')


def head(running: Running, path: str, staff_no: str = "R1", **headers: str) -> Any:
    return running.client.head(path, headers=running.as_(staff_no, **headers))


def methods_by_path(running: Running) -> dict[str, set[str]]:
    found: dict[str, set[str]] = {}
    for route in routes_of(running.client.app):
        method, path = route.split(" ", 1)
        found.setdefault(path, set()).add(method)
    return found


def test_options_tells_of_each_route_what_it_takes_and_head_wherever_there_is_get(running: Running) -> None:
    wrong = []
    for path, methods in methods_by_path(running).items():
        place = re.sub(r"\{[^}]*\}", "1", path)
        answer = running.client.options(place, headers=running.as_("R1"))
        if plain_route(f"GET {place}") in routes_of(running.client.app) and path != place:
            continue  # another route stands at this very place
        wanted = methods | {"OPTIONS"} | ({"HEAD"} if "GET" in methods else set())
        told = set(answer.headers.get("allow", "").split(", "))
        if path.startswith("/console") or path == "/":
            continue  # pages ask for a cookie first
        if answer.status_code != 204 or told != wanted:
            wrong.append((path, answer.status_code, told ^ wanted))
    assert wrong == []


def test_styles_and_scripts_of_pages_are_compressed_and_pages_are_not(running: Running) -> None:
    """A page has a form's token beside words from the query; an asset is the same to everybody."""
    asset = running.client.get("/console/assets/console.css", headers={"Accept-Encoding": "gzip"})
    assert asset.headers["content-encoding"] == "gzip"
    assert "immutable" in asset.headers["cache-control"]


@pytest.mark.parametrize("path", ["/health/live", "/schema/openapi.json", "/cases", "/cases/1", "/me", "/metrics"])
def test_head_is_answered_as_get_without_the_body(running: Running, path: str) -> None:
    running.open("L1")
    shown, told = (
        running.get(path, "ADM1" if path == "/metrics" else "R1"),
        head(running, path, "ADM1" if path == "/metrics" else "R1"),
    )
    assert (told.status_code, told.content) == (shown.status_code, b"")
    differing = {"x-request-id", *(["content-length"] if path == "/metrics" else [])}
    assert {name: value for name, value in told.headers.items() if name not in differing} == {
        name: value for name, value in shown.headers.items() if name not in differing
    }


def test_a_stranger_gets_the_head_of_health_and_of_nothing_else(running: Running) -> None:
    assert running.client.head("/health/ready").status_code in (200, 503)
    assert running.client.head("/cases").status_code == 401


def test_head_asks_the_permission_table_as_get_does(running: Running) -> None:
    assert running.get("/audit/entries", "R1").status_code == head(running, "/audit/entries", "R1").status_code == 403


def test_a_method_that_a_route_does_not_take_is_told_with_those_that_it_takes(running: Running) -> None:
    answer = running.client.delete("/cases/1", headers=running.as_("R1"))
    assert (answer.status_code, answer.json()["code"]) == (405, "method_not_allowed")
    assert answer.headers["allow"] == "GET, HEAD, OPTIONS"
    assert answer.json()["allowed"] == ["GET", "HEAD", "OPTIONS"]
    assert running.client.post("/health/live").headers["allow"] == "GET, HEAD, OPTIONS"


def test_whoever_has_a_case_as_it_is_is_not_sent_it_again(running: Running) -> None:
    (case_id,) = running.open("L1")
    seen = running.get(f"/cases/{case_id}").headers["etag"]
    for given in (seen, f"W/{seen}", f'"other", {seen}', "*"):
        again = running.get(f"/cases/{case_id}", headers={"If-None-Match": given})
        assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", seen)
        assert not {"content-length", "content-type"} & set(again.headers)
        assert again.headers["cache-control"] == "no-store"
    assert running.get(f"/cases/{case_id}", headers={"If-None-Match": '"1"'}).status_code == 200
    assert head(running, f"/cases/{case_id}", **{"If-None-Match": seen}).status_code == 304


def test_what_a_case_lets_one_person_do_is_no_answer_to_another(running: Running) -> None:
    """Options have the version of their case; the tag tells apart what is told of it."""
    (case_id,) = running.open("L1", owner="T1")
    seen = running.get(f"/cases/{case_id}/options", "T1").headers["etag"]
    assert running.get(f"/cases/{case_id}/options", "T1", headers={"If-None-Match": seen}).status_code == 304
    assert running.get(f"/cases/{case_id}/options", "B1", headers={"If-None-Match": seen}).status_code == 200


def test_the_tag_that_was_shown_is_what_a_change_names(running: Running) -> None:
    (case_id,) = running.open("L1", owner="T1")
    for zipped in ({}, {"Accept-Encoding": "gzip"}):
        seen = running.get(f"/cases/{case_id}", "T1", headers=zipped).headers["etag"]
        answer = running.post(
            f"/cases/{case_id}/notes", "T1", json={"text": "客户称月底还款"}, headers={"If-Match": seen}
        )
        assert answer.status_code == 200, answer.text
    stale = running.post(
        f"/cases/{case_id}/notes", "T1", json={"text": "…"}, headers={"If-Match": '"9-' + "0" * 16 + '"'}
    )
    assert (stale.status_code, stale.json()["code"]) == (412, "stale_version")


def test_a_long_answer_is_compressed_for_whoever_takes_it(running: Running) -> None:
    running.open(*[f"L{number}" for number in range(20)])
    plain = running.get("/cases", headers={"Accept-Encoding": "identity"})
    for refused in ("identity", "gzip;q=0", "br"):
        assert "content-encoding" not in running.get("/cases", headers={"Accept-Encoding": refused}).headers
    zipped = running.get("/cases", headers={"Accept-Encoding": "br, gzip;q=0.5"})
    assert (zipped.headers["content-encoding"], zipped.headers["vary"]) == ("gzip", "Accept-Encoding")
    assert zipped.json() == plain.json()
    assert int(zipped.headers["content-length"]) < int(plain.headers["content-length"]) / 5


@pytest.mark.parametrize("path", ["/health/live", "/cases.xlsx", "/console/log-in", "/cases/1/notes"])
def test_what_is_short_or_a_file_of_its_own_or_a_page_is_not_compressed(running: Running, path: str) -> None:
    running.open("L1")
    answer = running.get(path, "B1", headers={"Accept-Encoding": "gzip"})
    assert (answer.status_code, "content-encoding" in answer.headers) == (200, False), answer.text


def test_the_description_is_sent_once_and_small(running: Running) -> None:
    answer = running.client.get("/schema/openapi.json", headers={"Accept-Encoding": "gzip"})
    assert answer.headers["content-encoding"] == "gzip"
    assert int(answer.headers["content-length"]) < len(answer.content) / 8
    assert answer.headers["cache-control"] == "no-cache"
    seen = {"If-None-Match": answer.headers["etag"], "Accept-Encoding": "gzip"}
    assert running.client.get("/schema/openapi.json", headers=seen).status_code == 304


@pytest.mark.parametrize(
    ("path", "more"),
    [("/cases", {"team": "T1", "sort": "-id"}), ("/me/cases", {}), ("/audit/entries", {"order": "oldest"})],
)
def test_a_page_links_to_the_next_and_the_last_to_none(running: Running, path: str, more: dict[str, str]) -> None:
    running.open("L1", "L2", "L3")
    who = "AUD1" if path.startswith("/audit") else "R1"
    seen, place = [], path
    params: dict[str, str] | None = {**more, "limit": "2"}
    for _ in range(40):
        answer = running.get(place, who, params=params)
        assert answer.status_code == 200, answer.text
        seen += [one.get("id", one.get("entry_id")) for one in answer.json()["items"]]
        found = NEXT.fullmatch(answer.headers.get("link", ""))
        assert (found is None) == (answer.json()["next"] is None)
        if found is None:
            break
        place, params = found[1], None
    assert len(seen) == len(set(seen))
    assert len(seen) >= 3


def test_every_list_has_its_rows_in_items_and_tells_whether_there_are_more(running: Running) -> None:
    """Of the description: what is a list is no bare array, and whatever has `items` has `next`."""
    document = running.client.get("/schema/openapi.json").json()
    known = document["components"]["schemas"]
    wrong = []
    for path, methods in document["paths"].items():
        content = methods.get("get", {}).get("responses", {}).get("200", {}).get("content", {})
        schema = content.get("application/json", {}).get("schema", {})
        schema = known[schema["$ref"].rpartition("/")[2]] if "$ref" in schema else schema
        parts = schema.get("properties", {})
        if schema.get("type") == "array" or ("items" in parts) != ("next" in parts and "status" not in parts):
            wrong.append(path)
    assert sorted(wrong) == ["/cases/{case_id}/diff", "/portfolio/diff"]  # one thing each, with pages of its parts


@pytest.mark.parametrize(
    ("path", "body", "place"),
    [("/staff", {"staff_no": "N1", "name": "新人", "posts": []}, "/staff/N1"),
     ("/staff/T1/absences", {"from_on": "2099-01-05", "until_on": "2099-01-06"}, "/staff/T1"),
     ("/staff/T1/reset-code", {}, "/staff/T1")],
)  # fmt: skip
def test_what_was_made_is_told_with_its_place(running: Running, path: str, body: dict[str, Any], place: str) -> None:
    made = running.post(path, "ADM1", json=body)
    assert (made.status_code, made.headers.get("location")) == (201, place), made.text
    assert running.get(place, "ADM1").status_code == 200


@pytest.fixture
def across(settings: Settings, branch: tuple[Started, dict[str, str]], assembled: Assembled) -> Any:
    """The application for the pages of one other site."""
    started, issued = branch
    named = dataclasses.replace(settings, cors_origins=("https://desk.example.com",))
    with TestClient(create_app(named, assembled)) as client:
        yield Running(client, started, issued)


PREFLIGHT = {"Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "authorization, if-match"}


def test_only_pages_of_the_origin_that_is_named_may_call_and_never_with_a_cookie(across: Running) -> None:
    known, other = {"Origin": "https://desk.example.com"}, {"Origin": "https://desk.example.com.evil.example"}
    asked = across.client.options("/cases/1/events", headers=known | PREFLIGHT)
    assert (asked.status_code, asked.headers["access-control-allow-origin"]) == (204, "https://desk.example.com")
    assert "If-Match" in asked.headers["access-control-allow-headers"]
    answer = across.get("/me", headers=known)
    assert answer.headers["access-control-allow-origin"] == "https://desk.example.com"
    assert "ETag" in answer.headers["access-control-expose-headers"]
    assert "access-control-allow-credentials" not in {*asked.headers, *answer.headers}
    assert across.client.options("/cases/1/events", headers=other | PREFLIGHT).status_code == 401
    for headers in (other, {}):
        told = across.get("/me", headers=headers).headers
        assert ("access-control-allow-origin" in told, "Origin" in told["vary"]) == (False, True)
    assert "access-control-allow-origin" not in across.client.get("/console/log-in", headers=known).headers


def test_without_the_setting_no_other_site_is_let_in(running: Running) -> None:
    known = {"Origin": "https://desk.example.com"}
    assert running.client.options("/cases/1/events", headers=known | PREFLIGHT).status_code == 401
    assert not [name for name in running.get("/me", headers=known).headers if name.startswith("access-control")]


@pytest.mark.parametrize(
    "given", ["*", "https://a.example/", "http://a.example", "https://A.example", "a.example", "null"]
)
def test_an_origin_that_is_none_is_refused_at_the_start(given: str) -> None:
    with pytest.raises(CallerError) as refused:
        Settings.from_environment({"CASEWORK_CORS_ORIGINS": given})
    assert refused.value.facts["setting"] == "CASEWORK_CORS_ORIGINS"


def test_origins_are_named_with_commas() -> None:
    given = "https://a.example, http://localhost:5173"
    found = Settings.from_environment({"CASEWORK_CORS_ORIGINS": given}).cors_origins
    assert found == ("https://a.example", "http://localhost:5173")
