"""What the product does, seen from outside, is what people approved: of every state and event, of options, of the demo.

Held against files in `approved`; `tests/net/approved.py` says how one is made anew.
"""

import shutil
from collections.abc import Iterable
from pathlib import Path

import pytest

from casework.demo.place import address_in
from casework.settings import Settings
from tests.conftest import LONGER, Database
from tests.net import feeds, house, matrix, options, portfolio
from tests.net.approved import differences
from tests.net.outside import Branch
from tests.test_documents import papers_demo
from tests.variables import variables_of

_THE_DEMO = pytest.mark.only("sqlite") if LONGER == 1 else pytest.mark.every_postgres
"""On PostgreSQL in the long run alone; the real feeds are compared on both every time."""


def text_of(lines: Iterable[str]) -> str:
    return "".join(f"{line}\n" for line in lines)


def branch_on(settings: Settings, folder: Path) -> Branch:
    return Branch(
        variables_of(settings),
        folder,
    )


def test_every_state_and_event_the_options_and_the_feeds_answer_as_approved(
    settings: Settings, rulebook_published: None, tmp_path: Path
) -> None:
    branch = branch_on(settings, tmp_path)
    house.staffed(branch)
    asked = matrix.loans() | options.loans()
    states = matrix.states() | options.states() | feeds.states()
    cases = house.opened(branch, asked | feeds.loans(), options.principals())
    with branch.served() as api:
        made = house.House(branch, api, cases)
        house.brought(made, states)
        stay = {loan: days for loan, days in asked.items() if states.get(loan) != "settled"}
        told = {"feeds.txt": text_of(feeds.told(made, stay))}
        options.prepare(made)
        told["options.txt"] = text_of(options.told(made))
        told["every-event.txt"] = text_of(matrix.told(made))
    differing = [differences(name, text) for name, text in told.items()]
    assert not any(differing), "\n\n".join(differing)


@_THE_DEMO
def test_the_demo_has_the_figures_states_owners_and_reasons_that_were_approved(
    empty_database: Database, run_folder: Path, tmp_path: Path
) -> None:
    if empty_database.is_sqlite:  # the one that papers begin with
        shutil.copytree(papers_demo(run_folder, "2024-07-01") / "demo", tmp_path / "demo")
        branch = Branch({"CASEWORK_DATABASE_URL": address_in(tmp_path / "demo")}, tmp_path)
    else:
        branch = Branch(
            {
                "CASEWORK_DATABASE_URL": empty_database.url,
                "CASEWORK_DATABASE_OWNER_URL": empty_database.owner_url,
                "CASEWORK_KEYS_DIR": str(tmp_path / "keys"),
            },
            tmp_path,
        )
        branch.do("demo", "--today", "2024-07-01", "--folder", tmp_path / "demo")
    differing = differences("demo.txt", text_of(portfolio.told(lambda *arguments: branch.do(*arguments).out)))
    assert not differing, differing
