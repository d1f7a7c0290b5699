"""Many opened from one request or one sheet: a result for each, atomic or not, and no query for each."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from casework.storage.database import reading
from casework.work.cases.holds import HOLDS
from casework.work.cases.lifecycles import CALL_BACKS, PROMISES
from tests.api.conftest import Running, findings
from tests.api.test_events import problem
from tests.lifecycle.test_at_the_shell import shell
from tests.lifecycle.test_over_http import MADE, SET, case_id
from tests.round_trips import RoundTrips

__all__ = ["case_id", "shell"]

CONSENT = {
    "loan_id": "L1", "from_hour": 22, "until_hour": 24, "begins_at": "2026-01-10T00:00:00+08:00",
    "ends_at": "2026-12-01T00:00:00+08:00", "evidence": "rec:2026-0001",
}  # fmt: skip
CALL = {"party": "debtor", "due_at": "2026-12-20T10:05:00+08:00"}


def promise(case: int, **data: Any) -> dict[str, Any]:
    return {"of": case, "ground": "made", "data": MADE | data}


def hold(ground: str = "hardship", **data: Any) -> dict[str, Any]:
    return {"ground": "set", "data": SET | {"hold": ground} | data}


def many(running: Running, plural: str, *items: Mapping[str, Any], **more: Any) -> Any:
    headers = more.pop("headers", {})
    return running.post(f"/{plural}/openings", "R1", json={"items": list(items), **more}, headers=headers)


def outcomes(answer: Any) -> list[tuple[str, int, int | None]]:
    assert answer.status_code == 200, answer.text
    return [(one["outcome"], one["status"], one.get("id")) for one in answer.json()["results"]]


def stored(running: Running, table: sa.Table) -> int:
    with reading(running.started.engine) as conn:
        return int(conn.execute(sa.select(sa.func.count()).select_from(table)).scalar_one())


def test_each_opening_has_its_own_result_in_the_order_given(running: Running, case_id: int) -> None:
    answer = many(
        running, "promises", promise(case_id), promise(case_id, amount_fen=1), promise(case_id, pay_by="soon"),
        promise(999_999), {"of": case_id, "ground": "whim"}, promise(case_id),
    )  # fmt: skip
    assert outcomes(answer) == [
        ("done", 200, 1), ("refused", 409, None), ("faulty_data", 422, None), ("unknown_case", 404, None),
        ("unknown_ground", 422, None), ("done", 200, answer.json()["results"][-1]["id"]),
    ]  # fmt: skip
    body = answer.json()
    assert (body["items"], body["by_outcome"]["done"], body["by_reason"]["promises_enough"]) == (6, 2, 1)
    assert [one["code"] for one in body["results"][1]["reasons"]] == ["promises_enough"]
    assert [one["field"] for one in body["results"][2]["faults"]] == ["pay_by"]
    assert (stored(running, PROMISES.table), findings(running.started)) == (2, [])
    assert answer.headers["receipt"]


def test_one_after_the_other_is_decided_as_those_before_it_left_things(running: Running, case_id: int) -> None:
    """Three promises an episode and not a fourth; of two holds that overlap the second is refused."""
    told = outcomes(many(running, "promises", *[promise(case_id)] * 4))
    assert [one for one, _, _ in told] == ["done", "done", "done", "refused"]
    told = outcomes(many(running, "holds", hold(), hold(), hold("dispute")))
    assert [one for one, _, _ in told] == ["done", "refused", "done"]
    assert findings(running.started) == []


def test_atomic_opens_all_or_none_and_the_refusals_stand_in_the_log(running: Running, case_id: int) -> None:
    told = many(running, "promises", promise(case_id), promise(case_id, amount_fen=1), atomic=True)
    assert outcomes(told) == [("not_done", 409, None), ("refused", 409, None)]
    assert told.json()["results"][1]["entry_id"].startswith(f"case:{case_id}:")
    assert stored(running, PROMISES.table) == 0
    both = many(running, "promises", promise(case_id), promise(case_id), atomic=True)
    assert [one for one, _, _ in outcomes(both)] == ["done", "done"]
    assert findings(running.started) == []


@pytest.mark.parametrize(
    ("plural", "table", "data"),
    [("callbacks", CALL_BACKS.table, CALL), ("holds", HOLDS.table, SET | {"hold": "hardship"}),
     ("consents", None, CONSENT)],
)  # fmt: skip
def test_a_dry_run_says_the_same_and_opens_nothing(
    running: Running, case_id: int, plural: str, table: Any, data: dict[str, Any]
) -> None:
    (ground, *_) = [one["ground"] for one in running.get(f"/{plural}/openings").json()["items"] if one["allowed"]]
    item = {"ground": ground, "data": data} | ({"of": case_id} if plural == "callbacks" else {})
    forecast = many(running, plural, item, item | {"ground": "whim"}, dry_run=True)
    assert outcomes(forecast) == [("done", 200, None), ("unknown_ground", 422, None)]
    assert running.get(f"/{plural}", params={"all": True}).json()["items"] == []
    real = many(running, plural, item, item | {"ground": "whim"})
    assert real.json()["by_outcome"] == forecast.json()["by_outcome"]
    assert len(running.get(f"/{plural}", params={"all": True}).json()["items"]) == 1
    if table is not None:
        assert stored(running, table) == 1


def test_a_repeat_under_the_same_key_opens_nothing_more_of_many(running: Running, case_id: int) -> None:
    headers = {"Idempotency-Key": "many-1"}
    first, again = (many(running, "promises", promise(case_id), promise(case_id), headers=headers) for _ in range(2))
    assert first.json() == again.json()
    assert stored(running, PROMISES.table) == 2
    problem(many(running, "promises", promise(case_id), headers=headers), 422, "idempotency_mismatch")


def test_who_may_not_is_told_for_each_and_a_body_that_is_none_whole(running: Running, case_id: int) -> None:
    problem(running.post("/promises/openings", "AUD1", json={"items": [promise(case_id)]}), 403, "post_not_permitted")
    stranger = running.post("/promises/openings", "R2", json={"items": [promise(case_id)]})
    assert outcomes(stranger) == [("unknown_case", 404, None)]
    bodies: list[Any] = [{}, {"items": []}, {"items": [promise(case_id)] * 1_001}, {"items": [{"of": case_id}]}]
    for body in bodies:
        problem(running.post("/promises/openings", json=body), 422, "invalid_request")


@pytest.mark.only("postgresql")
def test_fifty_cost_as_many_statements_as_five(running: Running, case_id: int) -> None:
    counts = []
    for number in (5, 50):
        with RoundTrips() as statements:
            told = outcomes(many(running, "callbacks", *[{"of": case_id, "ground": "asked", "data": CALL}] * number))
            assert {one for one, _, _ in told} == {"done"}
            counts.append(len(statements))
    assert 5 < counts[1] <= counts[0] + 2


# ── at the shell ──────────────────────────────────────────────────────────────────────────────────────────────────

HEADER = "案件编号,ground,承诺金额,made_on,pay_by\n"
GOOD, POOR = "1,made,500.00,2026-01-10,2026-01-20\n", "1,made,0.01,2026-01-10,2026-01-20\n"


def sheet(tmp_path: Path, text: str) -> str:
    path = tmp_path / "many.csv"
    path.write_text(text, encoding="gb18030")
    return str(path)


def test_a_sheet_opens_a_row_each_and_says_of_every_line_what_became_of_it(shell: Any, tmp_path: Path) -> None:
    bad = "1,made,x,2026-01-10,2026-01-20\n,made,500,2026-01-10,2026-01-20\n1,whim,,,\n"
    told = shell("promise", "openings", sheet(tmp_path, HEADER + GOOD + POOR + bad), "--as", "R1", "--json")
    assert told.exit_code == 1, told.output
    results = json.loads(told.stdout)["results"]
    assert [(one["line"], one["outcome"]) for one in results] == [
        (2, "done"), (3, "refused"), (4, "faulty_data"), (5, "unknown_case"), (6, "unknown_ground"),
    ]  # fmt: skip
    fault = results[2]["faults"][0]
    assert (fault["field"], fault["file"], fault["cell"], fault["value"]) == ("amount_fen", "many.csv", "承诺金额", "x")
    said = shell("promise", "openings", sheet(tmp_path, HEADER + GOOD), "--as", "R1")
    assert (said.exit_code, said.stdout.startswith("line 2: done ")) == (0, True), said.output


@pytest.mark.parametrize(
    ("column", "cell"), [("承诺金额", "500"), ("承诺金额（元）", "500.00"), ("amount_fen", "50000")]
)
def test_an_amount_is_in_yuan_under_its_chinese_name_and_in_fen_under_its_own(
    shell: Any, tmp_path: Path, column: str, cell: str
) -> None:
    """Columns without a header, as spreadsheets leave them behind, say nothing."""
    text = f"case_id,ground,{column},made_on,pay_by,,\n1,made,{cell},2026-01-10,2026-01-20,,\n"
    told = shell("promise", "openings", sheet(tmp_path, text), "--as", "R1")
    assert told.exit_code == 0, told.output
    assert [one["amount_fen"] for one in json.loads(shell("promise", "list", "--all", "--json").stdout)] == [50_000]


def test_a_sheet_is_taken_whole_or_not_at_all_if_that_is_asked(shell: Any, tmp_path: Path) -> None:
    file = sheet(tmp_path, HEADER + GOOD + POOR)
    told = shell("promise", "openings", file, "--atomic", "--as", "R1", "--json")
    assert (told.exit_code, [one["outcome"] for one in json.loads(told.stdout)["results"]]) == (
        1, ["not_done", "refused"],
    )  # fmt: skip
    dry = shell("promise", "openings", file, "--dry-run", "--as", "R1", "--json")
    assert [one["outcome"] for one in json.loads(dry.stdout)["results"]] == ["done", "refused"]
    assert json.loads(shell("promise", "list", "--all", "--json").stdout) == []


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("case_id,pay_by\n1,2026-12-01\n", "column_missing"), ("", "column_missing"),
        ("ground,ground,case_id\nmade,made,1\n", "column_repeated"), (HEADER + GOOD * 1_001, "too_many_rows"),
    ],
    ids=["no ground", "empty", "two grounds", "too many"],
)  # fmt: skip
def test_a_sheet_that_is_none_is_refused_whole(shell: Any, tmp_path: Path, text: str, told: str) -> None:
    result = shell("promise", "openings", sheet(tmp_path, text), "--as", "R1")
    assert (result.exit_code, result.stderr.split(":")[0]) == (1, told), result.output
    assert json.loads(shell("promise", "list", "--all", "--json").stdout) == []
