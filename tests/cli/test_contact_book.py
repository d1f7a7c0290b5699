"""`casework contact book`, `add` and `mark`, on each database."""

import json
from pathlib import Path
from typing import Any

from tests.api.conftest import database, furnished, settings
from tests.cli.test_contact_typed import shell

__all__ = ["database", "furnished", "settings", "shell"]
SISTER = (
    "add", "L1", "--role", "contact", "--relation", "sibling", "--phone", "12100000001", "--source", "debtor",
    "--legal-basis", "consent",
)  # fmt: skip


def test_a_number_is_entered_shown_masked_refused_and_ended(shell: Any) -> None:
    told = shell(*SISTER, "--as", "R1", "--json")
    assert told.exit_code == 0, told.output
    (result,) = json.loads(told.stdout)["results"]
    assert result["outcome"] == "done"
    assert "known already" in shell(*SISTER).stdout
    contact_id = str(result["contact_id"])
    marked = shell("mark", contact_id, "refused", "--remark", "来信", "--as", "R1", "--json")
    assert json.loads(marked.stdout)["mark"] == "refused"
    assert "known already" in shell("mark", contact_id, "refused", "--remark", "来信").stdout
    (one,) = json.loads(shell("book", "L1", "--json", "--as", "R1").stdout)["items"]
    assert (one["phone"], one["state"], one["found_by"]) == ("121****0001", "refused", "R1")
    assert len(json.loads(shell("book", "L1", "--as-of", "2026-01-01", "--json").stdout)["items"]) == 0
    table = shell("book", "L1").stdout
    assert "refused" in table
    assert "来源" in table
    assert "12100000001" not in table


def test_a_file_of_rows_has_a_result_each_and_fails_if_one_is_refused(shell: Any, tmp_path: Path) -> None:
    file = tmp_path / "found.csv"
    file.write_text(
        "loan_id,role,phone,source,legal_basis\nL1,heir,12100000001,notary,contract\nL1,heir,12100000002,gossip,x\n",
        encoding="utf-8",
    )
    told = shell("add", "--from", str(file), "--json")
    assert told.exit_code == 1
    assert [one["outcome"] for one in json.loads(told.stdout)["results"]] == ["done", "unknown_source"]
    file.write_text("loan_id,colour\nL1,red\n", encoding="utf-8")
    assert shell("add", "--from", str(file)).exit_code == 2


def test_what_is_wrong_is_told_in_one_line(shell: Any) -> None:
    told = shell(*SISTER[:-3], "bought_data", "--legal-basis", "consent")
    assert (told.exit_code, told.stderr.count("\n")) == (1, 1)
    assert "unlawful_source" in told.stderr
    assert shell("add", "L1", "--phone", "12100000001").exit_code == 2
    assert shell("mark", "99", "ended", "--remark", "-").exit_code == 1


def test_marks_come_from_a_file_with_a_result_each_all_or_none_if_that_is_asked(shell: Any, tmp_path: Path) -> None:
    contact_id = json.loads(shell(*SISTER, "--json").stdout)["results"][0]["contact_id"]
    file = tmp_path / "marks.csv"
    rows = f"contact_id,mark,remark\n{contact_id},refused,来信\n99,ended,登记有误\n"
    file.write_text(rows, encoding="utf-8")
    told = shell("mark", "--from", str(file), "--atomic", "--json")
    assert (told.exit_code, [one["outcome"] for one in json.loads(told.stdout)["results"]]) == (
        1, ["not_done", "unknown_contact"],
    )  # fmt: skip
    told = shell("mark", "--from", str(file), "--as", "R1")
    assert told.exit_code == 1
    assert told.stdout.splitlines()[0].startswith(f"{contact_id}: refused, entry")
    file.write_text("contact_id,mark\n1,ended\n", encoding="utf-8")
    assert shell("mark", "--from", str(file)).exit_code == shell("mark").exit_code == 2
