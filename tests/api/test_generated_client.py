"""A client that a stranger generates from the description does a day's work and meets the refusals it must know."""

import importlib
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from openapi_spec_validator import OpenAPIV31SpecValidator

from casework.clock import now
from tests.api.conftest import Running
from tests.api.server import serving
from tests.api.test_contacts import PHONE, begins, case
from tests.api.test_events import VISIT
from tests.api.test_openapi import described
from tests.api.test_session import PASSWORD, set_password

# What the generator cannot parse is bytes to it.
CONFIGURED = """content_type_overrides:
  application/vnd.openxmlformats-officedocument.spreadsheetml.sheet: application/octet-stream
  application/jsonl: application/octet-stream
  image/jpeg: application/octet-stream
  image/*: application/octet-stream
  image/svg+xml: application/octet-stream
  text/plain: application/octet-stream
post_hooks: []
"""
__all__ = ["begins", "case"]  # fixtures

NAME = "casework_client_of_a_stranger"


@pytest.mark.only("sqlite")
def test_the_description_is_valid_openapi(running: Running) -> None:
    found = [
        f"{list(error.absolute_path)}: {error.message}"
        for error in OpenAPIV31SpecValidator(described(running)).iter_errors()
    ]
    assert not found, found[:3]


@pytest.mark.only("sqlite")
def test_every_operation_has_a_name_of_its_own_and_says_what_it_takes(running: Running) -> None:
    operations = [
        (f"{method} {path}", one)
        for path, methods in described(running)["paths"].items()
        for method, one in methods.items()
    ]
    names = [one["operationId"] for _, one in operations]
    assert len(set(names)) == len(names)
    assert not [name for name in names if "Callable" in name]
    silent = {what for what, one in operations if what.startswith("post ") and "requestBody" not in one}
    assert silent == {"post /me/second-factor", "post /contact-permits/{permit_id}/dialling", "post /tasks/next"}


@pytest.fixture
def generated(running: Running, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The client's package, importable."""
    document, config = tmp_path / "openapi.json", tmp_path / "config.yaml"
    document.write_bytes(running.client.get("/schema/openapi.json").content)
    config.write_text(CONFIGURED)
    made = subprocess.run(
        [Path(sys.executable).with_name("openapi-python-client"), "generate", "--path", document, "--config", config,
         "--output-path", tmp_path / NAME, "--meta", "none", "--fail-on-warning"],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert made.returncode == 0, made.stdout + made.stderr
    monkeypatch.syspath_prepend(str(tmp_path))
    yield tmp_path / NAME
    for name in [name for name in sys.modules if name.partition(".")[0] == NAME]:
        del sys.modules[name]


def module(name: str) -> ModuleType:
    return importlib.import_module(f"{NAME}.{name}")


@pytest.mark.only("sqlite")
@pytest.mark.usefixtures("generated")
def test_it_logs_in_lists_asks_records_and_moves_and_meets_what_is_refused(
    running: Running,
    case: int,
    tmp_path: Path,  # the fixture's name
) -> None:
    set_password(running)
    models, clients = module("models"), module("client")
    with serving(running.started.settings, tmp_path) as server:
        client: Any = clients.Client(base_url=server.url)

        def ask(name: str, status: int, **given: Any) -> Any:
            answer = module(f"api.{name}").sync_detailed(client=client, **given)
            assert answer.status_code == status, answer.content
            return answer.parsed

        session = ask(
            "session.session_open_session",
            200,
            body=models.LogInBody.from_dict({"staff_no": "R1", "password": PASSWORD}),
        )
        client.get_httpx_client().close()
        client = clients.AuthenticatedClient(base_url=server.url, token=session.access_token)
        assert [one.id for one in ask("cases.cases_cases", 200, team="T1").items] == [case]
        options = ask("cases.cases_case_id_options_case_options", 200, case_id=case)
        assert {one.event for one in options.events if one.allowed} == {"start_visit"}

        at = now().astimezone(ZoneInfo(running.started.branch.time_zone)).isoformat(timespec="seconds")
        row = {"contact_ref": "C1", "loan_id": "L1", "party": "debtor", "phone": PHONE, "channel": "call",
               "started_at": at, "result": "no_answer"}  # fmt: skip
        recorded = ask(
            "contacts.contacts_record_contacts", 200, body=models.ContactsBody.from_dict({"contacts": [row]})
        )
        assert [(one.contact_ref, one.outcome) for one in recorded.results] == [("C1", "done")]

        fire, seen = "cases.cases_case_id_events_fire", f'"{options.version}"'
        visit, lost = (models.EventBody.from_dict(body) for body in (VISIT, {"event": "found"}))
        bad = models.EventBody.from_dict({"event": "start_visit", "data": {"visit_on": "soon"}})
        assert ask(fire, 428, case_id=case, body=visit).code == "version_required"
        assert ask(fire, 412, case_id=case, body=visit, if_match='"99"').code == "stale_version"
        assert ask(fire, 409, case_id=case, body=lost, if_match=seen).code == "refused"
        assert ask(fire, 422, case_id=case, body=bad, if_match=seen).code == "faulty_data"
        assert ask(fire, 200, case_id=case, body=visit, if_match=seen).state == "home_visit"
        client.get_httpx_client().close()
