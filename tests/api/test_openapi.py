"""The description of the API: complete, and true of what the server answers."""

import json
import time
from typing import Any

import msgspec
import pytest

from api.problems import MEDIA_TYPE
from tests.api.conftest import Running
from tests.declared import declared


def described(running: Running) -> dict[str, Any]:
    answer = running.client.get("/schema/openapi.json")
    assert answer.status_code == 200
    document: dict[str, Any] = json.loads(answer.content)
    return document


@pytest.mark.only("sqlite")
def test_every_error_is_described_as_a_problem_with_an_example(running: Running) -> None:
    document = described(running)
    assert document["openapi"].startswith("3.1")
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            assert operation.get("summary"), (path, method)
            for status, response in operation["responses"].items():
                if int(status) >= 400:
                    content = response["content"]
                    assert list(content) == [MEDIA_TYPE], (path, method, status)
                    assert content[MEDIA_TYPE].get("examples"), (path, method, status)


def test_every_example_is_one_of_what_it_is_an_example_of_with_its_nulls() -> None:
    whole = declared()
    examples = list(whole.examples())
    assert len(examples) > 4_000
    assert [fault for _, _, faults in examples for fault in faults] == []
    (case,) = [value["items"][0] for at, value, _ in examples if at[:2] == ("/cases", "get") and at[3] == "200"]
    assert case["closed_as"] is None


@pytest.mark.only("sqlite")
def test_every_route_but_health_asks_for_a_token(running: Running) -> None:
    document = described(running)
    assert document["security"] == [{"token": []}]
    open_paths = {
        path for path, methods in document["paths"].items() for one in methods.values() if one.get("security") == [{}]
    }
    ways_in = {"/session", "/session/refresh", "/session/password"}
    assert open_paths == {"/health/live", "/health/ready", *ways_in}


@pytest.mark.only("sqlite")
def test_it_is_the_same_in_both_forms_and_costs_little_to_whoever_asks_again(running: Running) -> None:
    """Strangers may ask for it, and while it is made nobody else is served."""
    first = running.client.get("/schema/openapi.yaml").content
    assert msgspec.yaml.decode(first) == described(running)
    began = time.monotonic()
    for _ in range(20):
        assert running.client.get("/schema/openapi.yaml").content == first
    assert time.monotonic() - began < 4


@pytest.mark.only("sqlite")
def test_a_path_below_the_description_that_leads_nowhere_is_a_problem_like_any_other(running: Running) -> None:
    """A stranger learns nothing from it; somebody known gets a problem, not a page of the framework."""
    assert running.client.get("/schema/nothing").status_code == 401
    answer = running.get("/schema/nothing")
    assert (answer.status_code, answer.headers["content-type"]) == (404, "application/problem+json")
