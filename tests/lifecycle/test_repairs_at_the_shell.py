"""Information repairs and disposal forms at the shell."""

import json
from pathlib import Path
from typing import Any

from tests.lifecycle.test_at_the_shell import shell as shell  # noqa: PLC0414  # a fixture

FOUND = ("--role", "debtor", "--phone", "12000000009", "--legal-basis", "contract", "--as", "R1")


def test_a_repair_is_started_tried_and_found_and_an_unlawful_source_is_one_line(shell: Any) -> None:
    begun = shell("repair", "open", "--case", "1", "--ground", "started", "--data", "because=moved_away", "--as", "R1")
    assert begun.exit_code == 0, begun.output
    barred = shell("repair", "found", "1", "--source", "courier", *FOUND)
    assert (barred.exit_code, barred.stdout, barred.stderr.count("\n") <= 2) == (1, "", True), barred.output
    refused = shell("repair", "fire", "1", "find_nothing", "--as", "R1")
    assert (refused.exit_code, "3 are needed" in " ".join(refused.stderr.split())) == (1, True), refused.output
    found = shell("repair", "found", "1", "--source", "liable_person", *FOUND, "--json")
    assert (found.exit_code, json.loads(found.stdout)["state"]) == (0, "found"), found.output
    again = shell("repair", "found", "1", "--source", "liable_person", *FOUND)
    assert (again.exit_code, "already" in again.stderr) == (1, True), again.output
    assert "bought_data" in shell("repair", "sources").output


def test_a_disposal_form_is_prefilled_drawn_up_and_written_to_a_file(shell: Any, tmp_path: Path) -> None:
    known = json.loads(shell("disposal", "prefilled", "1", "--as", "R1", "--json").stdout)["data"]
    said = known | {
        "proposal": "payment_order", "contract_no": "HT-1", "has_contract": True, "has_disbursement": True,
        "has_statement": True, "has_demand": True, "service_address": "虚构路8号", "service_agreed": False,
        "jurisdiction": "not_agreed", "limitation_ends_on": "2028-01-01",
    }  # fmt: skip
    given = ("--case", "1", "--ground", "drawn_up", "--data-json", json.dumps(said), "--as", "R1")
    made = shell("disposal", "open", *given)
    assert made.exit_code == 0, made.output
    file = tmp_path / "form.xlsx"
    assert shell("disposal", "form", "1", str(file), "--as", "R1").exit_code == 0
    assert file.read_bytes()[:2] == b"PK"
