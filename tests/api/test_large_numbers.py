"""A number in a path that no database can hold names nothing: every route answers it as a mistake, never as a bug."""

import re

import pytest

from api.permitted import pages_of, routes_of
from tests.api.conftest import POSTS_OF_EVERYBODY, Running

NUMBERS = (0, 2**53, 2**63, 10**23)


@pytest.mark.parametrize("number", NUMBERS)
def test_a_number_that_nothing_has_is_never_an_error_of_the_service(running: Running, number: int) -> None:
    app, wrong, asked = running.client.app, [], 0
    for route in sorted(routes_of(app) - set(pages_of(app))):
        method, path = route.split(" ", 1)
        if not re.search(r"\{[a-z_]+\}", path):
            continue
        for staff_no in POSTS_OF_EVERYBODY:
            body: dict[str, str] | None = None if method in ("GET", "HEAD", "DELETE") else {}
            answer = running.client.request(
                method, re.sub(r"\{[a-z_]+\}", str(number), path), json=body,
                headers=running.as_(staff_no, **{"If-Match": "*", "Idempotency-Key": f"{number}-{asked}"}),
            )  # fmt: skip
            asked += 1
            if answer.status_code >= 500:
                wrong.append((route, staff_no, answer.status_code))
                break
    assert asked > 100
    assert wrong == []
