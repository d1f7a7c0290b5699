"""Every answer that the suite gets is held against the API's description; here is what that would find."""

from typing import Any

import httpx
import pytest

from api.every_operation import SENT
from tests.api.conftest import Running
from tests.api.test_openapi import described
from tests.declared import Declared

PROBLEM = "application/problem+json"
DOCUMENT: dict[str, Any] = {
    "paths": {
        "/loans/{loan_id}": {
            "get": {
                "responses": {
                    "200": {
                        "headers": {"ETag": {"schema": {"type": "string"}}},
                        "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Loan"}}},
                    },
                    "204": {},
                    "404": {"content": {PROBLEM: {"schema": {"$ref": "#/components/schemas/Problem"}}}},
                }
            }
        },
        "/loans/first": {"get": {"responses": {"204": {}}}},
    },
    "components": {
        "schemas": {
            "Loan": {"type": "object", "required": ["loan_id", "due_on"],
                     "properties": {"loan_id": {"type": "string"}, "due_on": {"type": "string", "format": "date"}}},
            "Problem": {"type": "object", "required": ["code"], "properties": {"code": {"type": "string"}}},
        }
    },
}  # fmt: skip
JSON = "application/json"
TAG = {"ETag": '"1"'}
LOAN = {"loan_id": "L1", "due_on": "2026-01-10"}


@pytest.mark.parametrize(
    ("status", "headers", "body", "found"),
    [
        (200, TAG, LOAN, []),
        (204, {}, None, []),
        (404, {"content-type": PROBLEM}, {"code": "unknown_loan", "loan_id": "L1"}, []),
        (403, {}, {}, ["the status is not declared"]),
        (200, {}, LOAN, ["the header etag is declared and was not sent"]),
        (200, TAG | {"Link": "<>"}, LOAN, ["the header link is not declared"]),
        (200, TAG | {"content-type": "text/csv"}, LOAN, ["the media type text/csv is not declared"]),
        (200, TAG, {"loan_id": 1, "due_on": "2026-01-10"}, ["loan_id: "]),
        (200, TAG, {"loan_id": "L1"}, ["due_on"]),
        (200, TAG, {**LOAN, "due_on": "soon"}, ["due_on: "]),
        (200, TAG, {**LOAN, "phone": "1"}, ["phone"]),
        (200, TAG, None, ["the media type (none) is not declared"]),
    ],
)
def test_a_status_a_header_a_media_type_and_a_member_that_are_not_declared_are_found(
    status: int, headers: dict[str, str], body: Any, found: list[str]
) -> None:
    answer = httpx.Response(status, headers=headers, json=body) if status != 204 else httpx.Response(204)
    faults = list(Declared(DOCUMENT).faults("GET", "/loans/L1", answer))
    assert len(faults) == len(found), faults
    assert all(what in fault for what, fault in zip(found, faults, strict=True)), faults


def test_a_path_without_a_parameter_is_meant_before_one_with() -> None:
    told = Declared(DOCUMENT)
    assert [told.path_of(path) for path in ("/loans/first", "/loans/2", "/loans", "/loans/2/x")] == [
        "/loans/first", "/loans/{loan_id}", None, None,
    ]  # fmt: skip


@pytest.mark.only("sqlite")
def test_the_suite_itself_notices_a_header_that_nobody_declared(
    running: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tests.declared.Declared.faults", lambda *_: iter(["the header x-new is not declared"]))
    with pytest.raises(AssertionError, match="the header x-new is not declared"):
        running.get("/cases")


@pytest.mark.only("sqlite")
def test_what_clients_rely_on_is_declared_where_it_comes(running: Running) -> None:
    """By kind: versions, places, files, waiting, receipts; and what is taken in headers."""
    document = described(running)

    def headers(method: str, path: str, status: int) -> set[str]:
        return set(document["paths"][path][method]["responses"][str(status)]["headers"])

    def taken(method: str, path: str) -> set[str]:
        return {one["name"] for one in document["paths"][path][method]["parameters"] if one["in"] == "header"}

    of_a_change = {"ETag", "Receipt", "Receipt-Omitted", "Preference-Applied", "Sealed-In", "Idempotent-Replay"}
    assert headers("post", "/cases/{case_id}/events", 200) >= of_a_change
    assert headers("post", "/cases", 201) >= of_a_change | {"Location"}
    assert headers("get", "/cases/{case_id}", 200) >= {"ETag"}
    assert headers("get", "/cases.xlsx", 200) >= {"Content-Disposition", "Casework-Cut"}
    assert headers("post", "/session", 429) >= {"Retry-After"}
    assert headers("get", "/cases", 401) >= {"WWW-Authenticate"}
    assert taken("post", "/cases/{case_id}/events") == {"If-Match", "Idempotency-Key", "Prefer"}
    assert taken("post", "/me/keys") == {"Prefer"}
    assert taken("get", "/cases") == set()
    assert set(document["components"]["headers"]) == {sent.name for sent in SENT}
