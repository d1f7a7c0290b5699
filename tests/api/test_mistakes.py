"""A caller's mistake is told whole: which field, what is wrong with it, and what it may be, in both languages."""

import re
from collections.abc import Iterator
from typing import Any

import pytest
import sqlalchemy as sa

from api.faults import taken
from api.wire import EventBody
from casework.errors import CallerError
from casework.log.tables import entries
from casework.storage.database import reading
from tests.api.conftest import Running
from tests.api.test_openapi import described
from tests.api.test_session import log_in, set_password

VISIT = {
    "event": "start_visit",
    "data": {"address_kind": "home", "address": "江岸区示例路1号", "visit_on": "2026-01-12"},
}
CONTACT = {"contact_ref": "C1", "loan_id": "L1", "party": "debtor", "phone": "13800000000", "channel": "call",
           "started_at": "2026-01-10T10:00:00+08:00", "result": "no_answer"}  # fmt: skip
EVENTS, FACTS, NOTES = "/cases/1/events", "/cases/1/facts", "/cases/1/notes"
NO_BODY = object()
Told = dict[str, tuple[str, str]]

MISTAKES: dict[str, tuple[str, str, Any, str, Told]] = {
    # what it is: who, where, what, code, fields with their fault and a part of the text
    "no body": ("R1", EVENTS, NO_BODY, "invalid_request", {"body": ("missing", "a body is needed")}),
    "null": ("R1", EVENTS, None, "invalid_request", {"body": ("malformed", "an object, not null")}),
    "a list": ("R1", NOTES, [], "invalid_request", {"body": ("malformed", "an object, not a list of 0")}),
    "a field that is needed": ("R1", EVENTS, {}, "invalid_request", {"event": ("missing", "needed")}),
    "a field that there is not": (
        "R1", NOTES, {"text": "x", "to": 1}, "invalid_request", {"to": ("unknown", "known are: text")}
    ),
    "every field at once": (
        "R1", FACTS, {"kind": 7, "on": "soon", "evidence": "", "dat": {}}, "invalid_request",
        {"kind": ("malformed", "text of at most 64 characters, as ^"), "on": ("malformed", "a date, as 2026-01-10"),
         "evidence": ("malformed", "text of 1 to 128 characters, not text of 0 characters"),
         "dat": ("unknown", "known are: data, evidence, kind, on")},
    ),
    "text in place of an object": (
        "R1", EVENTS, {"event": "reached", "data": "x"}, "invalid_request",
        {"data": ("malformed", "an object of at most 64 fields")},
    ),
    "an event that there is not": (
        "R1", EVENTS, {"event": "visit"}, "unknown_event", {"event": ("unknown", "start_visit")}
    ),
    "a fact that there is not": (
        "R1", FACTS, {"kind": "sighted", "on": "2026-01-10", "evidence": "rec:1"}, "unknown_fact",
        {"kind": ("unknown", "not sighted")},
    ),
    "a ground that there is not": (
        "T1", "/promises", {"of": 1, "ground": "whim"}, "unknown_ground", {"ground": ("unknown", "not whim")}
    ),
    "data of the event": (
        "R1", EVENTS, {"event": "start_visit", "data": {"address_kind": "boat", "who": 1}}, "faulty_data",
        {"address_kind": ("malformed", "one of"), "address": ("missing", "address to visit: is required"),
         "visit_on": ("missing", "is required"), "who": ("unknown", "known are: address_kind")},
    ),
    "in bulk, an event that there is not": (
        "B1", "/cases/events", {"event": "visit", "cases": [{"id": 1}]}, "unknown_event",
        {"event": ("unknown", "not visit")},
    ),
    "in bulk, 0 for false and text for a number": (
        "B1", "/cases/events", {"event": "reached", "cases": [{"id": "1"}, {"id": 0}], "atomic": 0}, "invalid_request",
        {"cases[0].id": ("malformed", "a whole number of 1 to 9007199254740991, not text"),
         "cases[1].id": ("malformed", "not a number"), "atomic": ("malformed", "true or false, not a number")},
    ),
    "in a filter, 0 for true": (
        "B1", "/cases/events", {"event": "reached", "filter": {"live": 0, "dpd_min": 1.0, "colour": "red"}},
        "invalid_request",
        {"filter.live": ("malformed", "true or false or null, not a number"),
         "filter.dpd_min": ("malformed", "not a number with a decimal point"), "filter.colour": ("unknown", "dpd_max")},
    ),
    "more than are taken": (
        "B1", "/cases/events", {"event": "reached", "cases": [{"id": 1}] * 1_001}, "invalid_request",
        {"cases": ("malformed", "a list of 1 to 1000 items")},
    ),
    "a field within a row": (
        "R1", "/contacts", {"contacts": [CONTACT, {"contact_ref": 7, "colour": "red"}]}, "invalid_request",
        {"contacts[1].contact_ref": ("malformed", "text"), "contacts[1].colour": ("unknown", "channel")},
    ),
    "a command that there is not": (
        "R1", "/me/keys", {"label": "x", "days": 0}, "invalid_request", {"days": ("malformed", "of 1 to 366")}
    ),
}  # fmt: skip
QUERIES: dict[str, tuple[str, str, str]] = {
    "/cases?limit=0": ("limit", "malformed", "a whole number of 1 to 200"),
    "/cases?sort=age": ("sort", "malformed", "one of: "),
    "/cases?dpd_min=few": ("dpd_min", "malformed", "a whole number of at most 36500"),
    "/cases?live=maybe": ("live", "malformed", "true or false"),
    f"/cases?{'&'.join(['state=a'] * 21)}": ("state", "malformed", "a list of at most 20 items"),
    "/cases/0": ("case_id", "malformed", "of 1 to"),
    "/charts/overdue_loan.svg?lang=fr": ("lang", "malformed", "one of: en, zh"),
    "/contact-breaches?to=2026-01-10": ("from", "missing", "needed"),
}
"""Of parameters: where, which, its fault, a part of the text."""


@pytest.fixture
def case(running: Running) -> None:
    running.open("L1")


@pytest.mark.only("sqlite")
@pytest.mark.usefixtures("case")
@pytest.mark.parametrize("name", MISTAKES)
def test_each_mistake_in_a_body_names_its_field_and_what_it_may_be(running: Running, name: str) -> None:
    staff_no, path, body, code, told = MISTAKES[name]
    given = {} if body is NO_BODY else {"json": body}
    if body is None:
        given = {"content": b"null", "headers": {"Content-Type": "application/json"}}
    given["headers"] = {"If-Match": "*", **given.get("headers", {})}
    answer = running.post(path, staff_no, **given)
    problem = answer.json()
    assert (answer.status_code, problem["code"]) == (422, code), problem
    found = {fault["field"]: fault for fault in problem["faults"]}
    assert found.keys() == told.keys()
    for field, (kind, text) in told.items():
        assert (found[field]["code"], text in found[field]["en"]) == (kind, True), found[field]
        assert re.search(r"[\u4e00-\u9fff]", found[field]["zh"]), found[field]
    # What is to be chosen from is there for programs too.
    for fault in found.values():
        if "one of" in fault["en"] and code != "faulty_data":
            assert fault["allowed"], fault
            assert all(one in fault["en"] for one in fault["allowed"]), fault


@pytest.mark.only("sqlite")
@pytest.mark.usefixtures("case")
def test_each_mistake_in_a_parameter_names_it_as_the_caller_does(running: Running) -> None:
    for path, (name, kind, text) in QUERIES.items():
        answer = running.get(path, "B1")
        (fault,) = answer.json()["faults"]
        assert (answer.status_code, fault["field"], fault["code"]) == (422, name, kind), path
        assert text in fault["en"], fault
        assert "null" not in fault["en"], fault


@pytest.mark.only("sqlite")
@pytest.mark.parametrize(
    ("path", "given"),
    [
        ("/roster-files", {"files": {"file": ("r.csv", b"day,staff_no,shift\n2126-01-01,R1,day\n")}}),
        ("/teams", {"json": {"code": "T9", "name": "nine"}}),
    ],
)
def test_a_change_takes_no_parameters_and_whoever_gives_some_has_nothing_done(
    running: Running, path: str, given: dict[str, Any]
) -> None:
    """`?dry_run=true` was passed over, and the file taken in."""
    answer = running.post(f"{path}?dry_run=true&x=1", "ADM1", **given)
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_request")
    assert [(one["field"], one["code"]) for one in answer.json()["faults"]] == [
        ("dry_run", "unknown"),
        ("x", "unknown"),
    ]
    assert "receipt" not in answer.headers
    assert running.post(path, "ADM1", **given).status_code in (200, 201)


@pytest.mark.only("sqlite")
@pytest.mark.parametrize(
    ("files", "code"),
    [
        ({"other": (None, "true")}, "missing"), ({"file": (None, "no file, but text")}, "missing"),
        ([("file", ("a.csv", b"a")), ("file", ("b.csv", b"b"))], "repeated"),
    ],
)  # fmt: skip
def test_a_form_without_its_one_file_says_which_field_lacks_it(running: Running, files: Any, code: str) -> None:
    answer = running.post("/roster-files", "B1", files=files)
    assert (answer.status_code, answer.json()["code"]) == (400, "malformed_request")
    assert [(one["field"], one["code"]) for one in answer.json()["faults"]] == [("file", code)]


def test_no_value_of_a_request_comes_back_in_its_faults() -> None:
    with pytest.raises(CallerError) as told:
        taken({"event": "13812345678 张三", "data": [["13812345678"]]}, EventBody)
    assert "138" not in str(told.value.facts)
    assert "张" not in str(told.value.facts)


@pytest.mark.only("sqlite")
def test_whose_second_factor_is_pending_is_told_so_and_what_to_do(running: Running) -> None:
    set_password(running, "V1")
    headers = {"Authorization": f"Bearer {log_in(running, 'V1')['access_token']}"}
    answer = running.client.get("/cases", headers=headers)
    problem = answer.json()
    assert (answer.status_code, problem["code"]) == (403, "second_factor_pending")
    assert all("/me/second-factor" in problem[text] for text in ("detail", "detail_zh"))
    assert running.client.post("/me/second-factor", headers=headers).status_code == 201


@pytest.mark.parametrize("chunked", [False, True], ids=["of a length", "in chunks"])
def test_a_body_where_none_is_taken_is_a_mistake_of_every_such_route_and_nothing_is_done(
    running: Running, chunked: bool
) -> None:
    """Who may do it is asked first, so everybody asks in turn; without a body, or with `{}`, they go on."""
    silent = [
        (method, re.sub(r"\{\w+\}", "1", path))
        for path, methods in described(running)["paths"].items()
        for method, operation in methods.items() if method != "get" and "requestBody" not in operation
    ]  # fmt: skip
    assert len(silent) >= 8
    before = entries_of(running)
    text = b'{"dry_run": true}'
    for method, path in silent:
        answers = [
            asked(running, method, path, who, iter([text]) if chunked else text) for who in sorted(running.tokens)
        ]
        told = [one.json() for one in answers if one.status_code != 403]
        assert told, path
        for one in told:
            assert (one["code"], [fault["field"] for fault in one["faults"]]) == ("invalid_request", ["body"]), path
            assert one["faults"][0]["en"] == "no body is taken here"
    assert entries_of(running) == before
    for nothing in (b"", b"{}"):
        said: Iterator[bytes] | bytes = iter([nothing]) if chunked else nothing
        assert asked(running, "post", "/tasks/next", "R1", said).json()["code"] != "invalid_request"


def asked(running: Running, method: str, path: str, who: str, body: bytes | Iterator[bytes]) -> Any:
    headers = running.as_(who, **{"Content-Type": "application/json"})
    return running.client.request(method, path, headers=headers, content=body)


def entries_of(running: Running) -> int:
    with reading(running.started.engine) as conn:
        return int(conn.execute(sa.select(sa.func.count()).select_from(entries)).scalar_one())
