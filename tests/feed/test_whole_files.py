"""Contact files, promises and holds at the shell, whole or not at all: one row set aside keeps the others out."""

import json
from pathlib import Path

import pytest

from tests.feed.bank import Bank
from tests.feed.shell import casework
from tests.work.test_promises import day
from tests.work.test_promises import promised as promised  # noqa: PLC0414  # a fixture

FILES = {
    "contact": (
        "contact_ref,loan_id,party,phone,channel,started_at,result",
        f"c1,L1,debtor,12000000001,call,{day(0)}T10:00:00+08:00,busy",
        f"c2,L1,debtor,12000000001,call,{day(0)}T10:00:00+08:00,perhaps", ("result", "unknown_result"),
    ),
    "promise": (
        "ref,loan_id,made_on,pay_by,amount", f"P1,L1,{day(0)},{day(3)},500.00", f"P2,L1,{day(0)},{day(-3)},500.00",
        ("pay_by", "before_it_was_made"),
    ),
    "hold": (
        "loan_id,hold,from,until", f"L1,complaint,{day(0)},{day(3)}", f"L1,whim,{day(0)},{day(3)}",
        ("hold", "unknown_ground"),
    ),
}  # fmt: skip


@pytest.mark.parametrize("what", FILES)
def test_one_row_set_aside_keeps_all_out_and_without_it_all_go_in(promised: Bank, tmp_path: Path, what: str) -> None:
    header, good, bad, why = FILES[what]
    file, settings = tmp_path / "some.csv", promised.started.settings
    file.write_text(f"{header}\n{good}\n{bad}\n", encoding="utf-8")
    before = promised.dump()
    told = casework(settings, what, "import", file, "--atomic", "--json")
    taken = json.loads(told.out)
    assert (told.code, taken["rows"], taken["stored"], taken["not_done"]) == (1, 2, 0, 1)
    assert [(one["line"], one["column"], one["kind"]) for one in taken["set_aside"]] == [(3, *why)]
    assert promised.dump() == before
    said = casework(settings, what, "import", file, "--atomic")
    assert "1 not taken" in said.out
    file.write_text(f"{header}\n{good}\n", encoding="utf-8")
    told = casework(settings, what, "import", file, "--atomic", "--json")
    assert (told.code, json.loads(told.out)["stored"], json.loads(told.out)["not_done"]) == (0, 1, 0)
    promised.assert_sound()
