"""A debtor's word that it is paid, at the shell: opened, listed, and known to whatever looks at the log."""

import json
from pathlib import Path
from typing import Any

from casework.log.tables import openings
from casework.storage.database import reading
from tests.api.conftest import findings
from tests.lifecycle.test_at_the_shell import Branch
from tests.lifecycle.test_at_the_shell import shell as shell  # noqa: PLC0414  # a fixture

SAID = (
    "--case", "1", "--ground", "said", "--data", "said_at=2026-01-10T10:00:00+08:00", "--data", "paid_on=2026-01-10",
    "--data", "proof=slip:77", "--data", "remark=工行转账尾号七七",
)  # fmt: skip


def of(shell: Any, *arguments: str) -> Any:
    done = shell(*arguments, "--json")
    assert done.exit_code == 0, done.output
    return json.loads(done.stdout)


def test_it_is_in_list_history_as_of_search_and_dossier_and_the_log_verifies_deep(
    shell: Any, branch: Branch, tmp_path: Path
) -> None:
    opened = of(shell, "remittance", "open", *SAID, "--as", "R1")
    (line,) = of(shell, "remittance", "list")["items"]
    assert (line["id"], line["proof"], line["state"]) == (opened["id"], "slip:77", "awaited")
    assert "工行转账" not in json.dumps(line, ensure_ascii=False)
    found = of(shell, "audit", "search", "--event", "remittance.*")
    assert "remittance.opened" in json.dumps(found)
    then = of(shell, "case", "as-of", "1", "--at", "now")
    before = then["audit_seq"]
    assert then["facts"]["remittances"] == {"M1": "2026-01-10"}
    assert shell("remittance", "note", str(opened["id"]), "已核对回单", "--as", "R1").exit_code == 0
    assert of(shell, "case", "as-of", "1", "--at", "now")["audit_seq"] == before + 1
    for stated in (("audit", "seal"), ("audit", "heads"), ("audit", "seal")):
        assert shell(*stated).exit_code == 0, stated
    dossier = shell("case", "dossier", "1", "--json")
    assert dossier.exit_code == 0, dossier.output
    assert "remittance.opened" in dossier.stdout
    bundle = str(tmp_path / "bundle")
    assert shell("audit", "export", bundle, "--as", "AUD1").exit_code == 0
    verified = shell("audit", "verify", bundle, "--deep")
    assert verified.exit_code == 0, verified.output
    assert findings(branch[0]) == []
    with reading(branch[0].engine) as conn:
        (remark,) = conn.execute(openings.select().where(openings.c.field == "remark")).all()
    assert (remark.stream, remark.subject) == ("case:1", "borrower:wuhan~B-L1"), (
        "sealed with the debtor's key, erased with it"
    )
