"""`casework calendar` and `casework outage`: what is loaded and declared, by whom, and what verification sees of it."""

import json
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from click.testing import CliRunner, Result

from casework.cli import main
from casework.people.days.tables import calendar_days, outages
from casework.settings import Settings
from casework.storage.database import open_engine
from tests.variables import variables_of

YEAR = "日期,类型,说明\n2027-01-01,休,元旦\n2027-01-03,班,\n2027-02-05,off,\n"


@pytest.fixture
def shell(settings: Settings, rulebook_published: None) -> Iterator[Any]:
    """A branch with a basic-risk manager and a phone collector; its log and rows are sound when the test is done."""

    def run(*arguments: str) -> Result:
        return CliRunner().invoke(main, list(arguments), env=variables_of(settings))

    for staff_no, post in (("B9", "basic_risk_manager"), ("P1", "phone_collector")):
        assert run("staff", "add", staff_no, "甄不存", "--post", post).exit_code == 0
    yield run
    assert run("audit", "verify").exit_code == 0


def written(folder: Path, text: str) -> str:
    (folder / "year.csv").write_text(text, encoding="utf-8")
    return str(folder / "year.csv")


def days(shell: Any) -> dict[str, str]:
    found = json.loads(shell("calendar", "show", "--json").output)
    return {one["day"]: one["kind"] for one in found["days"]}


def test_a_year_is_loaded_whole_and_loading_it_again_changes_nothing(shell: Any, tmp_path: Path) -> None:
    """What it names takes the place of what was loaded for the year; other years stay."""
    file = written(tmp_path, YEAR)
    looked = json.loads(shell("calendar", "import", file, "--dry-run", "--as", "B9", "--json").output)
    assert looked == {"days": 3, "years_changed": [2027], "dry_run": True}
    assert "nothing was changed" in shell("calendar", "import", file, "--dry-run").output
    first = json.loads(shell("calendar", "import", file, "--as", "B9", "--json").output)
    assert first == {"days": 3, "years_changed": [2027], "dry_run": False}
    assert days(shell) == {"2027-01-01": "off", "2027-01-03": "worked", "2027-02-05": "off"}
    assert json.loads(shell("calendar", "import", file, "--json").output)["years_changed"] == []
    shell("calendar", "import", written(tmp_path, "day,kind\n2027-01-01,off\n2028-01-03,off\n"))
    assert days(shell) == {"2027-01-01": "off", "2028-01-03": "off"}


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("日期,类型\n2027-01-01,休\n2027-01-01,班\n", "calendar_faulty"),
        ("日期,类型\n2027-13-01,休\n", "calendar_faulty"), ("日期,类型\n2027-01-01,也许\n", "calendar_faulty"),
        ("日期,类型\n2027-01-01,\n", "calendar_faulty"), ("日期,类型\n", "calendar_empty"),
        ("日期\n2027-01-01\n", "column_missing"),
    ],
)  # fmt: skip
def test_a_file_with_a_fault_loads_nothing(shell: Any, tmp_path: Path, text: str, code: str) -> None:
    refused = shell("calendar", "import", written(tmp_path, text))
    assert (refused.exit_code, refused.output.splitlines()[-1].split(":")[0]) == (1, code)
    assert days(shell) == {}


def test_a_year_that_nobody_knows_is_told_of_until_it_is_loaded(shell: Any, tmp_path: Path) -> None:
    """The library ends with 2026, the suite's clock is in it: the year to come is looked at as well."""
    before = json.loads(shell("calendar", "show", "--json").output)["unknown_years"]
    shell("calendar", "import", written(tmp_path, "day,kind\n" + "".join(f"{year}-01-01,off\n" for year in before)))
    assert json.loads(shell("calendar", "show", "--json").output)["unknown_years"] == []


def test_an_outage_is_declared_and_withdrawn_by_the_basic_risk_post(shell: Any) -> None:
    declare = ("outage", "declare", "--on", "2026-03-09", "--reason")
    for arguments, code in (
        ((*declare, "telephone", "--as", "P1"), "post_not_permitted"),
        ((*declare, "boredom", "--as", "B9"), "outage_reason_unknown"),
        (("outage", "declare", "--on", "2999-03-09", "--reason", "power", "--as", "B9"), "outage_to_come"),
        (("outage", "withdraw", "--on", "2026-03-09", "--as", "B9"), "outage_unknown"),
    ):
        refused = shell(*arguments)
        assert (refused.exit_code, refused.output.splitlines()[-1].split(":")[0]) == (1, code)
    assert shell(*declare, "telephone", "--as", "B9").exit_code == 0
    assert shell(*declare, "power", "--as", "B9").output.startswith("outage_declared")
    assert json.loads(shell("outage", "list", "--json").output) == [{"day": "2026-03-09", "reason": "telephone"}]
    assert shell("outage", "withdraw", "--on", "2026-03-09", "--as", "B9").exit_code == 0
    assert json.loads(shell("outage", "list", "--json").output) == []


def test_a_day_or_an_outage_slipped_in_by_sql_is_found(shell: Any, settings: Settings, tmp_path: Path) -> None:
    shell("calendar", "import", written(tmp_path, YEAR))
    shell("outage", "declare", "--on", "2026-03-09", "--reason", "telephone")
    engine = open_engine(settings.database_owner_url or settings.database_url)
    with engine.begin() as conn:
        conn.execute(calendar_days.update().values(is_worked=sa.true()))
        conn.execute(outages.delete())
    report = json.loads(shell("audit", "verify", "--json").output)
    found = [(one["code"], one["stream"]) for one in report["findings"]]
    assert found == [("row_differs", "register:calendar"), ("row_differs", "register:outages")]
    with engine.begin() as conn:
        worked = calendar_days.c.day == date(2027, 1, 3)
        conn.execute(calendar_days.update().values(is_worked=worked))
        conn.execute(outages.insert().values(day=date(2026, 3, 9), reason="telephone"))
    engine.dispose()
