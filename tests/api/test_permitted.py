"""Who gets through which route to which case: every post × route × scope, asked for real, against the approved table.

`approved_permissions.txt` is what people approved. After a change of permissions.toml, of the chart's posts or of the
routes, make it anew with `CASEWORK_APPROVE=1 .venv/bin/python -m pytest tests/api/test_permitted.py -n 0 -k approved`
and read the difference line by line: that is the approval.
"""

import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from litestar import Litestar, Request, Router, get, post
from litestar.params import FromPath

from api import app as app_module
from api.permitted import Permitted, routes_of
from casework.clock import now
from casework.errors import RulesBroken
from casework.log.tables import entries
from casework.operation.startup import Started
from casework.people.staff.actor import system
from casework.people.staff.tokens import new_key
from casework.settings import Settings
from casework.storage.database import reading, writing
from tests.api.conftest import Running
from tests.api.product import NO_POST, RELATIONS, Product, number_of, product

APPROVED = Path(__file__).with_name("approved_permissions.txt")
SCOPED = ("{case_id}", "{loan_id}", "{borrower_id}")
LISTS = {"GET /cases": "/cases", "GET /me/cases": "/me/cases"}
_HEAD = """\
# Who gets through which route, to which case. Made by tests/api/test_permitted.py from real requests, approved by hand.
# ·  refused (401 or 403)   y  let through, no case in question
# o  his own   t  of his team   r  of his region   p  of the product that operations collects   e  elsewhere
"""
_SHORT = {
    "business_rep": "rep", "phone_collector": "tel", "operations_collector": "ops", "post_loan_officer": "plo",
    "basic_risk_manager": "brm", "agency_post": "agency", "asset_preservation": "asset", "approver": "appr",
    "auditor": "audit", "administrator": "admin", "customer_service": "cs", "channel_post": "chan", NO_POST: "none",
}  # fmt: skip


@pytest.fixture
def everybody(running: Running) -> Product:
    """Every post with a case of every relation."""
    return product(running)


def is_scoped(route: str) -> bool:
    return route == "POST /cases" or any(part in route for part in SCOPED)


def line(title: str, cells: list[str]) -> str:
    return f"{title:<58}" + "".join(f"{cell or '·':<7}" for cell in cells).rstrip()


def routes_table(everybody: Product) -> Iterator[str]:
    public = everybody.permissions.public
    for row in everybody.permissions.commands.values():
        yield f"\n# {row.name}: {row.en}"
        for route in everybody.routes(row.name):
            cells = []
            for post_ in everybody.posts:
                if route in LISTS:
                    cells.append(everybody.seen(post_, LISTS[route]))
                elif is_scoped(route):
                    cells.append("".join(one for one in RELATIONS if everybody.ask(post_, route, one)))
                else:
                    cells.append("y" if everybody.ask(post_, route) else "")
            yield line(route, cells)
    yield "\n# without a token"
    yield from sorted(public)


def test_no_route_tells_somebody_that_what_he_may_not_see_is_there(everybody: Product) -> None:
    """Every post × route × case: beyond sight, the answer is that of a number that nobody has; nothing is written."""

    def told(answer: Any) -> Any:
        if "html" in answer.headers.get("content-type", ""):
            told = [re.sub(r"[0-9a-f]{12}-[0-9a-f]+", "", answer.text.split("<main")[1])]
            return answer.status_code, re.sub(r"\b\d+\b", "", told[0]), [*answer.headers]
        return answer.status_code, {**answer.json(), "instance": "", "case_id": ""}, [*answer.headers]

    with reading(everybody.running.started.engine) as conn:
        before = conn.execute(sa.select(sa.func.count()).select_from(entries)).scalar_one()
    asked = 0
    for post_ in everybody.posts:
        hidden = set(RELATIONS) - set(everybody.seen(post_, "/cases"))
        for row in everybody.permissions.commands.values():
            for route in filter(is_scoped, everybody.routes(row.name)):
                absent = told(everybody.answer(post_, route, 999_999, "L999"))
                for relation in sorted(hidden):
                    loan = everybody.loan(post_, relation)
                    there = everybody.answer(post_, route, everybody.cases[post_, relation], loan)
                    assert told(there) == absent, (post_, route, relation)
                    assert there.status_code in (403, 404), (post_, route, relation)
                    asked += 1
    assert asked > 300
    with reading(everybody.running.started.engine) as conn:
        assert conn.execute(sa.select(sa.func.count()).select_from(entries)).scalar_one() == before


def chart_table(everybody: Product) -> Iterator[str]:
    """Events and facts by what the options of a case say, guards aside."""
    found: dict[str, dict[str, str]] = {}
    for post_ in everybody.posts:
        for relation in RELATIONS:
            case_id = everybody.cases[post_, relation]
            headers = {"Authorization": f"Bearer {everybody.tokens[post_]}"}
            answer = everybody.running.client.get(f"/cases/{case_id}/options", headers=headers)
            if answer.status_code in (403, 404):
                continue
            body = answer.json()
            for offer in [*body["events"], *body["facts"]]:
                name = f"event {offer['event']}" if "event" in offer else f"fact {offer['kind']}"
                codes = {reason["code"] for reason in offer["reasons"]}
                may = not codes & {"post_not_permitted", "out_of_reach", "key_not_permitted"}
                found.setdefault(name, {}).setdefault(post_, "")
                found[name][post_] += relation if may else ""
    for name, cells in found.items():
        yield line(name, [cells.get(post_, "") for post_ in everybody.posts])


@pytest.mark.only("sqlite")
def test_every_post_route_and_scope_is_as_the_approved_table_says(everybody: Product) -> None:
    header = line("", [_SHORT[post_] for post_ in everybody.posts])
    made = [_HEAD, header, *routes_table(everybody), "\n# the chart: what the options of a case offer", header]
    text = "\n".join([*made, *chart_table(everybody)]) + "\n"
    if os.environ.get("CASEWORK_APPROVE"):
        APPROVED.write_text(text, encoding="utf-8")
    assert text == APPROVED.read_text(encoding="utf-8")


@pytest.mark.only("sqlite")
def test_whoever_holds_no_post_gets_nothing_but_what_is_his_own(everybody: Product) -> None:
    for row in everybody.permissions.commands.values():
        for route in everybody.routes(row.name):
            assert everybody.ask(NO_POST, route) is row.everybody, route


@pytest.mark.only("sqlite")
def test_an_auditor_changes_nothing_but_his_own_access(everybody: Product) -> None:
    """Whatever he sends: not one entry that is not his reading or about himself, no case of another version."""
    with reading(everybody.running.started.engine) as conn:
        before = {row.id for row in conn.execute(sa.select(entries.c.id))}
    for row in everybody.permissions.commands.values():
        for route in everybody.routes(row.name):
            for relation in RELATIONS if is_scoped(route) else "e":
                everybody.ask("auditor", route, relation)
    with reading(everybody.running.started.engine) as conn:
        made = [row for row in conn.execute(sa.select(entries)) if row.id not in before]
    left = [
        (row.stream, row.event)
        for row in made
        # What he took out stands in a stream of its own, under his number.
        if row.event not in ("personal.read", "personal.revealed")
        and row.stream not in ("staff:auditor5", "exports:auditor5")
    ]
    assert left == []


@pytest.mark.only("sqlite")
def test_a_key_made_for_one_command_does_nothing_else(everybody: Product) -> None:
    with writing(everybody.running.started.engine) as conn:
        trail = everybody.running.started.branch.trail(now())
        limited = new_key(conn, trail, system("cli"), staff_no=number_of("basic_risk_manager"), commands=["case.read"])
        trail.write(conn)
    token = everybody.tokens["basic_risk_manager"] = limited.token
    for row in everybody.permissions.commands.values():
        for page in set(everybody.routes(row.name)) - set(row.routes):
            assert not everybody.ask("basic_risk_manager", page, token=token), page  # a key opens no page
        for route in row.routes:
            assert everybody.ask("basic_risk_manager", route) is (row.name == "case.read"), route
    headers = {"Authorization": f"Bearer {token}"}
    answer = everybody.running.client.get("/audit/entries", headers=headers)
    assert (answer.status_code, answer.json()["code"]) == (403, "key_not_permitted")
    case_id = everybody.cases["basic_risk_manager", "o"]
    offers = everybody.running.client.get(f"/cases/{case_id}/options", headers=headers).json()
    assert not [offer for offer in [*offers["events"], *offers["facts"]] if offer["allowed"]]
    forecast = {"cases": [case_id], "events": ["place"]}
    (totals,) = everybody.running.client.post("/cases/options", headers=headers, json=forecast).json()["events"]
    assert totals["reasons"]["key_not_permitted"] == 1


# ── the table and the application name the same routes ───────────────────────────────────────────────────────────────


@get("/nobody/approved")
async def unapproved() -> None:
    """A route without a row."""


@post("/cases")
async def open_() -> None:
    """A route with one."""


@pytest.mark.only("sqlite")
def test_a_route_without_a_row_keeps_the_service_from_starting(
    settings: Settings, branch: tuple[Started, dict[str, str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    routes = app_module._routes
    monkeypatch.setattr(app_module, "_routes", lambda given: [*routes(given), unapproved])
    with pytest.raises(RulesBroken) as told:
        app_module.create_app(settings)
    assert told.value.faults == ["rules/permissions.toml: the route GET /nobody/approved belongs to no command"]


@pytest.mark.only("sqlite")
def test_a_row_without_a_route_is_told_too(branch: tuple[Started, dict[str, str]]) -> None:
    permissions = branch[0].branch.rulebook.permissions
    with pytest.raises(RulesBroken) as told:
        Permitted(permissions).check_routes(Litestar([open_], openapi_config=None))
    assert "rules/permissions.toml: there is no route GET /cases" in told.value.faults
    assert "rules/permissions.toml: there is no route POST /cases" not in told.value.faults


@pytest.mark.only("sqlite")
def test_a_route_with_a_hook_of_its_own_asks_nothing_and_keeps_the_service_from_starting(
    settings: Settings, branch: tuple[Started, dict[str, str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    async def own(_: Request[Any, Any, Any]) -> None:
        """Takes the place of the application's."""

    hooked = Router("/", route_handlers=[unapproved], before_request=own)
    routes = app_module._routes
    monkeypatch.setattr(app_module, "_routes", lambda given: [*routes(given), hooked])
    with pytest.raises(RulesBroken) as told:
        app_module.create_app(settings)
    assert any(fault.startswith("rules/permissions.toml: /nobody/approved") for fault in told.value.faults)


def test_routes_are_named_without_the_types_of_their_parameters() -> None:
    @get("/cases/{case_id:int}/history")
    async def history(case_id: FromPath[int]) -> int:
        return case_id

    assert routes_of(Litestar([history], openapi_config=None)) == {"GET /cases/{case_id}/history"}
