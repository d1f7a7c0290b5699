"""Requests made from the API's description: none is refused for its shape, and none is answered as nobody declared.

That each answer is declared, the suite's clients hold by themselves (`tests/declared.py`).
"""

from typing import Any

import httpx
import pytest
import schemathesis
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings

from casework.clock import now
from casework.people.staff import tokens
from casework.people.staff.actor import system
from casework.storage.database import writing
from tests.api.conftest import POSTS_OF_EVERYBODY, Running
from tests.api.test_openapi import described
from tests.conftest import LONGER

EXAMPLES_EACH = 8 * LONGER
OF_SHAPE = frozenset(
    {"invalid_request", "malformed_request", "malformed_json", "malformed_header", "unsupported_media_type"}
)
"""Codes that a request cannot get which is as the description has it.

What a schema does not say has codes of its own: `filter_malformed` names the parameter and what it needs (of two
exactly one, a state of that noun, an id as institutions write them, a day that one can reckon from),
`cursor_malformed` a cursor of another list.
"""
_REACHED = 250
"""Operations, at least."""


def whole(value: Any) -> Any:
    """1.0 is an integer to a schema; the server takes none with a decimal point (`0` is no `false` either)."""
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, dict):
        return {name: whole(one) for name, one in value.items()}
    return [whole(one) for one in value] if isinstance(value, list) else value


def sent(running: Running, case: Any, staff_no: str) -> httpx.Response:
    """The request as somebody's."""
    told = case.as_transport_kwargs(base_url="http://testserver.local")
    headers = [
        (name, str(value).encode("latin-1"))
        for name, value in (told.get("headers") or {}).items()
        if name.lower() not in ("authorization", "content-length", "content-type")
        or (name.lower() == "content-type" and "multipart" not in value)
    ]
    body: dict[str, Any] = {}
    if "json" in told:
        body["json"] = whole(told["json"])
    elif told.get("files"):
        body["files"] = [
            (name, (at, value if isinstance(value, bytes) else str(value).encode()))
            for name, (at, value) in told["files"]
        ]
    elif isinstance(told.get("data"), bytes | str):
        body["content"] = told["data"]
    return running.client.request(
        told["method"], told["url"], params=told.get("params"),
        headers=[*headers, ("Authorization", f"Bearer {running.tokens[staff_no]}".encode())], **body,
    )  # fmt: skip


def renew(running: Running) -> None:
    """Tokens anew: a generated request may have ended those of its sender."""
    with writing(running.started.engine) as conn:
        trail = running.started.branch.trail(now())
        for staff_no in POSTS_OF_EVERYBODY:
            running.tokens[staff_no] = tokens.issue(conn, trail, system("cli"), staff_no=staff_no)
        trail.write(conn)


def answered(running: Running, case: Any, whose: dict[str, str]) -> httpx.Response:
    """By whoever of them may; they stay with the operation."""
    label, answer = case.operation.label, httpx.Response(403)
    for staff_no in [whose[label]] if label in whose else POSTS_OF_EVERYBODY:
        answer = sent(running, case, staff_no)
        if answer.status_code == 401 and not case.path.startswith("/session"):
            renew(running)
            answer = sent(running, case, staff_no)
        if answer.status_code != 403:
            whose[label] = staff_no
            return answer
    return answer  # of the last one, who may not either


@pytest.mark.only("sqlite")
def test_a_request_as_the_description_has_it_is_not_refused_for_its_shape(running: Running) -> None:
    running.open("L1", "L2", "L3")
    schema = schemathesis.openapi.from_dict(described(running))
    schema.config.generation.update(with_security_parameters=False)
    refused: dict[tuple[str, str], str] = {}
    whose: dict[str, str] = {}
    for found in schema.get_all_operations():
        operation: Any = found.ok()  # type: ignore[union-attr]  # an invalid one fails the test

        @hypothesis_settings(
            max_examples=EXAMPLES_EACH, deadline=None, database=None, derandomize=True,
            suppress_health_check=list(HealthCheck),
        )  # fmt: skip
        @given(case=operation.as_strategy())
        def is_taken(case: Any) -> None:
            answer = answered(running, case, whose)
            code = answer.json()["code"] if answer.status_code >= 400 and answer.content else ""
            if code in OF_SHAPE or answer.status_code == 500:
                refused.setdefault((case.operation.label, code), answer.text[:400])

        is_taken()
    assert not refused, refused
    assert len(whose) >= _REACHED
