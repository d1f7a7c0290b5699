"""A forged row where the log goes on: changes of that stream are refused by name, all others go on, and a way out."""

import re
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from casework.clock import now
from casework.errors import CallerError
from casework.log.tables import entries, unsealed
from casework.people.staff.actor import system
from casework.settings import Settings
from casework.storage.database import open_engine, reading, writing
from casework.work.cases.commands import Measure
from casework.work.cases.tables import cases
from tests.api.conftest import Running, findings, measure
from tests.api.test_every_event import GIVEN

OPERATIONS = Path(__file__).parents[2] / "docs" / "operations.md"


def forge(running: Running, stream: str, seq: int, *, queued: bool = False, **changes: bytes) -> None:
    """A row as the service's own role may insert one: another entry's, or one with a MAC by a guess."""
    with writing(running.started.engine) as conn:
        last = conn.execute(sa.select(entries).order_by(entries.c.id.desc()).limit(1)).one()._mapping
        number = last["id"] + 1_000
        conn.execute(entries.insert().values({**last, "id": number, "stream": stream, "stream_seq": seq, **changes}))
        if queued:
            conn.execute(unsealed.insert().values(entry=number))


def visit(running: Running, case_id: int) -> Any:
    body = {"event": "start_visit", "data": GIVEN["start_visit"]}
    return running.post(f"/cases/{case_id}/events", json=body, headers={"If-Match": "*"})


def way_out(running: Running, settings: Settings) -> None:
    """What the page for operators says, word for word, with the owner's rights."""
    dialect = {"sqlite": "SQLite", "postgresql": "PostgreSQL"}[running.started.engine.dialect.name]
    (block,) = re.findall(r"```sql\n(-- PostgreSQL\n.*?)```", OPERATIONS.read_text(), re.DOTALL)
    lines = block.partition(f"-- {dialect}\n")[2].partition("-- ")[0].splitlines()
    assert len(lines) == 4
    owner = open_engine(settings.database_owner_url or settings.database_url)
    with writing(owner) as conn:
        for line in lines:
            conn.exec_driver_sql(line.replace("case:17", "case:1").replace("stream_seq = 6", "stream_seq = 2"))
    owner.dispose()


@pytest.mark.parametrize("queued", [True, False])
@pytest.mark.parametrize(("changes", "code"), [({}, "column_differs"), ({"mac": bytes(32)}, "mac_wrong")])
def test_a_forged_next_number_is_refused_by_name_told_as_an_alarm_and_leaves_other_cases_alone(
    running: Running, settings: Settings, queued: bool, changes: dict[str, bytes], code: str
) -> None:
    first, second = running.open("L1", "L2")
    forge(running, f"case:{first}", 2, queued=queued, **changes)
    for _ in range(2):
        refused = visit(running, first)
        assert (refused.status_code, refused.json()["code"]) == (503, "log_place_taken")
        assert refused.json()["stream"] == f"case:{first}"
    assert running.get(f"/cases/{first}", "B1").json()["state"] == "phone_collection"
    assert visit(running, second).status_code == 200
    assert "casework_log_places_taken_total 2.0" in running.get("/metrics").text
    assert (f"case:{first}", code) in [(one.stream, one.code) for one in findings(running.started)]

    way_out(running, settings)
    assert visit(running, first).json()["entry_id"] == f"case:{first}:2"
    assert findings(running.started) == []


def test_a_forged_next_number_of_another_kind_of_stream_is_refused_by_name_too(running: Running) -> None:
    day = running.started.branch.today(now()).isoformat()
    with writing(running.started.engine) as conn:
        seq = conn.execute(sa.select(sa.func.max(entries.c.stream_seq)).where(entries.c.stream == "staff:R1")).scalar()
    forge(running, "staff:R1", int(seq or 0) + 1)
    refused = running.post("/staff/R1/absences", "R1", json={"from_on": day, "until_on": day})
    assert (refused.status_code, refused.json()["code"], refused.json()["stream"]) == (
        503, "log_place_taken", "staff:R1",
    )  # fmt: skip


@pytest.mark.parametrize("count", [3, 400])
def test_of_many_cases_the_one_that_is_blocked_is_named_and_none_is_changed(running: Running, count: int) -> None:
    """By a batch in one round trip and by one that is copied in: the feed and the sweep are such batches."""
    ids = running.open(*[f"L{number}" for number in range(count)])
    forge(running, f"case:{ids[1]}", 2)
    commands = [Measure(actor=system("feed"), id=case_id, measure=measure(6), run=2) for case_id in ids]
    with pytest.raises(CallerError) as told:
        running.do(*commands)
    assert (told.value.code, told.value.facts) == ("log_place_taken", {"stream": f"case:{ids[1]}"})
    with reading(running.started.engine) as conn:
        changed = sa.select(sa.func.count()).select_from(cases).where(cases.c.audit_seq > 1)
        assert conn.execute(changed).scalar_one() == 0
