"""A home visit: ordered for a day, made by two, reported with a photo, reviewed (1.3.2, 5.2, X9). Pure.

A child of the case, which it moves: its opening sends the case to a visit, its report says whether the debtor was
found. Its chart is `statecharts/visit.toml`; the files of its photos are kept by `casework.work.photos`.
"""

from casework.lifecycle.noun import Noun
from casework.lifecycle.subject import Rows
from casework.work.visits.rules import REGISTRY
from casework.work.visits.visit import Visit

VISIT = Noun(
    chart="visit", word="visit", subject=Visit, rows=Rows(Visit), registry=REGISTRY,
    people=("visitor", "second_visitor"),
)  # fmt: skip
