"""The description of the API: complete, and true of what the server answers."""

import json
import time
from pathlib import Path
from typing import Any

import msgspec
import pytest
import schemathesis
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from schemathesis.checks import CHECKS, load_all_checks

from api.problems import MEDIA_TYPE
from casework.operation.startup import Started
from casework.settings import Settings
from tests.api.conftest import Running
from tests.api.server import serving

EXAMPLES_EACH = 12


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
def test_what_the_server_answers_is_what_it_says_it_answers(
    branch: tuple[Started, dict[str, str]], settings: Settings, tmp_path: Path
) -> None:
    load_all_checks()
    wanted = (
        "not_a_server_error",
        "status_code_conformance",
        "content_type_conformance",
        "response_schema_conformance",
    )
    checks = CHECKS.get_by_names(wanted)
    started, tokens = branch
    Running(None, started, tokens).open("L1", "L2", "L3")  # type: ignore[arg-type]
    headers = {"Authorization": f"Bearer {tokens['B1']}"}
    with serving(settings, tmp_path) as server:
        schema = schemathesis.openapi.from_url(f"{server.url}/schema/openapi.json")
        tried = 0
        for found in schema.get_all_operations():
            operation: Any = found.ok()  # type: ignore[union-attr]  # an invalid one fails the test

            @hypothesis_settings(
                max_examples=EXAMPLES_EACH, deadline=None, database=None, derandomize=True,
                suppress_health_check=list(HealthCheck),
            )  # fmt: skip
            @given(case=operation.as_strategy())
            def conforms(case: Any) -> None:
                response = case.call(headers=headers)
                case.validate_response(response, checks=checks)

            conforms()
            tried += 1
    assert tried >= 7


@pytest.mark.only("sqlite")
def test_a_path_below_the_description_that_leads_nowhere_is_a_problem_like_any_other(running: Running) -> None:
    """A stranger learns nothing from it; somebody known gets a problem, not a page of the framework."""
    assert running.client.get("/schema/nothing").status_code == 401
    answer = running.get("/schema/nothing")
    assert (answer.status_code, answer.headers["content-type"]) == (404, "application/problem+json")
