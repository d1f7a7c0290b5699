"""Which verdicts on a photo disprove its visit is the branch's figure: checked when loaded, followed when given."""

import pytest

from casework.lifecycle.commands import Done
from casework.rules.statechart.outside_law import load_law
from casework.rules.statechart.policy import Policies, parse_policy
from casework.settings import shipped
from casework.work.visits.proof import verdict_faults
from tests.dialler.test_learning import edit
from tests.feed.bank import Bank
from tests.statechart.small import RULEBOOK
from tests.work.test_visits import FIRST, case_of, ordered, visits
from tests.work.test_visits_corrected import accepted, record

__all__ = ["ordered"]
LISTED = 'value = ["staged", "used_again", "wrong_place"]'
THERE_ARE = "there are genuine, photo_unclear, staged, used_again, wrong_place"
EMPTY = 'empty_because = "the branch lets photos prove whatever comes of their check"'
# (what the figure says, what is wrong with it)
FIGURES = [
    (LISTED, None),
    ('value = ["staged"]', None),
    (EMPTY, None),
    ('value = ["staged", "faked"]', f"faked is no verdict on a photo; {THERE_ARE}"),
    ('value = ["incomplete"]', f"incomplete is no verdict on a photo; {THERE_ARE}"),
    ('value = "staged"', f"is not a list of verdicts; {THERE_ARE}"),
    ('value = [{ verdict = "staged" }]', f"is not a list of verdicts; {THERE_ARE}"),
    ('value = ["staged", "staged"]', "staged: twice"),
    ('value = ["genuine", "photo_unclear", "wrong_place", "staged", "used_again"]',
     "leaves no verdict by which a photo stands"),
]  # fmt: skip


def shipped_policy() -> str:
    text = RULEBOOK.policies.all[0].text.decode()
    assert text.count(LISTED) == 1
    return text


@pytest.mark.parametrize(("said", "fault"), FIGURES)
def test_each_that_is_named_is_a_verdict_of_the_chart(said: str, fault: str | None) -> None:
    policy = parse_policy(
        "2024-01-01.3", shipped_policy().replace(LISTED, said).encode(), load_law(shipped("statecharts"))
    )
    found = list(verdict_faults(RULEBOOK.charts["visit"], Policies([policy])))
    assert found == ([] if fault is None else [f"policy 2024-01-01.3: visit.disproved_by: {fault}"])


def test_a_policy_without_the_figure_is_told_so() -> None:
    text = "".join(line for line in shipped_policy().splitlines(keepends=True) if LISTED not in line)
    policy = parse_policy("2024-01-01.3", text.encode(), load_law(shipped("statecharts")))
    (fault,) = verdict_faults(RULEBOOK.charts["visit"], Policies([policy]))
    assert fault.startswith("policy 2024-01-01.3: visit.disproved_by: missing")


# (the figure, the verdict, whether the visit still proves what it says)
FOLLOWED = [
    ('value = ["photo_unclear"]', "photo_unclear", False),
    ('value = ["photo_unclear"]', "staged", True),
    (EMPTY, "staged", True),
]  # fmt: skip


@pytest.mark.parametrize(("said", "verdict", "proves"), FOLLOWED)
def test_a_verdict_disproves_a_visit_as_the_policy_of_its_day_says(
    ordered: Bank, said: str, verdict: str, proves: bool
) -> None:
    edit(ordered, LISTED, said)
    accepted(ordered)
    assert isinstance(record(ordered, "recheck", photo=FIRST, verdict=verdict), Done)
    assert visits(ordered)[0].disproved is not proves
    assert case_of(ordered).facts.visit_photos == ([FIRST] if proves else [])
