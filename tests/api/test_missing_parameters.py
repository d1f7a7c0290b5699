"""Who leaves out a parameter that a list needs is told which, on every route."""

import re
from typing import Any

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


def test_a_parameter_that_is_given_twice_is_named_where_it_is_no_list(running: Running) -> None:
    paths = running.client.app.openapi_schema.to_schema()["paths"]
    asked = 0
    for path, methods in paths.items():
        for one in methods.get("get", {}).get("parameters", ()):
            if one["in"] != "query":
                continue
            twice = "&".join([f"{one['name']}={_value(one['schema'])}"] * 2)
            answer = running.get(f"{re.sub(r'{[^}]+}', '1', path)}?{twice}", "AUD1")
            said = one["name"] in answer.text and "given once" in answer.text
            if _is_list(one["schema"]):
                assert not said, path
            else:
                assert said or answer.status_code != 200, (path, one["name"])
            asked += said
    assert asked > 50


def test_what_one_list_takes_twice_another_refuses(running: Running) -> None:
    both = "state=lost_contact&state=phone_collection"
    assert running.get(f"/cases?{both}", "B1").status_code == 200
    for path in ("/promises?state=open&state=kept", "/promises.csv?state=open&state=kept"):
        answer = running.get(path, "B1")
        assert (answer.status_code, answer.json()["detail"]) == (422, "state must be given once")


def test_a_number_in_a_path_is_taken_only_as_numbers_are_written(running: Running) -> None:
    (case,) = running.open("L1")
    assert running.get(f"/cases/{case}", "B1").status_code == 200
    for text in (f"{case}%0A", f"%20{case}", f"%2B{case}", f"0{case}", f"{case}_0", "%D9%A1", "%EF%BC%91"):
        answer = running.get(f"/cases/{text}", "B1")
        assert (answer.status_code, answer.json()["code"]) == (404, "not_found"), text


def _is_list(schema: dict[str, Any]) -> bool:
    return schema.get("type") == "array" or any(map(_is_list, schema.get("oneOf", ())))


def _value(schema: dict[str, Any]) -> Any:
    """One that the parameter takes, mostly."""
    if "enum" in schema:
        return schema["enum"][0]
    if "oneOf" in schema:
        return _value(schema["oneOf"][0])
    return {"date": "2026-01-10", "date-time": "2026-01-10T00:00:00Z"}.get(schema.get("format", ""), "1")
