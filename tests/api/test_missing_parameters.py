"""Who leaves out a parameter that a list needs is told which, on every route."""

import re

from tests.api.conftest import POSTS_OF_EVERYBODY, Running


def test_a_needed_parameter_that_is_left_out_is_named(running: Running) -> None:
    paths = running.client.app.openapi_schema.to_schema()["paths"]
    asked = 0
    for path, methods in paths.items():
        needed = {
            one["name"] for one in methods.get("get", {}).get("parameters", ())
            if one["in"] == "query" and one.get("required")
        }  # fmt: skip
        if not needed:
            continue
        answers = [running.get(re.sub(r"\{[^}]+\}", "1", path), staff_no) for staff_no in POSTS_OF_EVERYBODY]
        refused = [answer.json() for answer in answers if answer.status_code == 422]
        assert refused, path
        for problem in refused:
            told = {fault["field"] for fault in problem["faults"]}
            assert told, (path, problem)
            assert told <= needed, (path, problem)
        asked += 1
    assert asked > 3
