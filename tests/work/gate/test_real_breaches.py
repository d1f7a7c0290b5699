"""The pure judge over contact files whose breaches an independent script, and for the small set a hand, has found."""

import os
from pathlib import Path

import pytest

from casework.rules.statechart.policy import load_policies
from casework.settings import shipped
from casework.work.contacts.results import load_results
from casework.work.gate.breaches import breaches
from casework.work.gate.limits import limits_of
from tests.work.gate.files import read

REAL = Path(os.environ.get("CASEWORK_REAL_FEEDS", Path(__file__).parents[4] / "shared" / "data"))


@pytest.mark.parametrize(("name", "feeds"), [("calls-mini", "calls-mini/feeds"), ("september-calls", "daily")])
def test_every_breach_of_the_files_is_found_and_no_other(name: str, feeds: str) -> None:
    if not (REAL / name).is_dir():
        pytest.skip(f"no contact files at {REAL} (CASEWORK_REAL_FEEDS)")
    rulebook = shipped("statecharts")
    results = load_results(rulebook)
    limits = limits_of(load_policies(rulebook).all[0])
    files = read(REAL / name, REAL / feeds, results)
    assert len(files.contacts) == files.expected["contacts"]["stored"]
    said = {code: one.number for code, one in results.by_code.items()}.get
    found = {
        one.contact.contact_ref: list(one.rules)
        for one in breaches(files.contacts, files.standings, lambda _: limits, said)
    }
    assert found == {one["contact_ref"]: one["rules"] for one in files.expected["breaches"]}
