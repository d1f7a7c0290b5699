"""Health, docs and who may ask at all."""

import pytest

from tests.api.conftest import Running


def test_live_and_ready_answer_without_a_token(running: Running) -> None:
    assert running.client.get("/health/live").json() == {"status": "ok"}
    ready = running.client.get("/health/ready")
    assert (ready.status_code, ready.json()) == (200, {"status": "ok"})


@pytest.mark.parametrize("path", ["/metrics", "/cases/1", "/nowhere", "/consoles"])
def test_nothing_else_answers_without_one_not_even_that_it_does_not_exist(running: Running, path: str) -> None:
    answer = running.client.get(path)
    assert answer.status_code == 401
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.headers["www-authenticate"] == "Bearer"
    assert answer.json()["code"] == "not_authenticated"


def test_metrics_are_told_to_anybody_with_a_token(running: Running) -> None:
    answer = running.get("/metrics")
    assert answer.status_code == 200
    assert "casework_unsealed_entries_age_seconds" in answer.text
