"""What people call the entries of a case: every event of the chart, whatever became of it, has its words."""

import re

import pytest

from casework.work.cases import fold
from casework.work.cases.event_names import label_of
from tests.feed.bank import Bank

HAN = re.compile(r"[\u4e00-\u9fff]")


@pytest.mark.only("sqlite")
def test_an_entry_has_words_whatever_became_of_the_event_and_an_unknown_one_its_code(bank: Bank) -> None:
    branch = bank.started.branch
    chart = branch.rulebook.chart
    kinds = [
        f"{became}{event}" for became in (fold.SAYS.step, fold.SAYS.refused, fold.SAYS.asked) for event in chart.events
    ]
    kinds += [f"{fold.SAYS.fact}{fact}" for fact in chart.facts]
    assert [kind for kind in kinds if not HAN.search(label_of(branch.rulebook, kind)[0])] == []
    asked, refused = (
        label_of(branch.rulebook, f"{became}write_off") for became in (fold.SAYS.asked, fold.SAYS.refused)
    )
    assert (asked, refused) == (("申请：核销", "Asked for: Write off"), ("被拒：核销", "Refused: Write off"))
    assert label_of(branch.rulebook, f"{fold.SAYS.asked}gone_by") == (f"{fold.SAYS.asked}gone_by",) * 2
