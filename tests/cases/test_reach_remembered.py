"""What the replay remembers of reach is what the permission table answers."""

from itertools import product

from casework.people.staff.actor import Actor
from casework.settings import shipped
from casework.work.cases.owners_judge import AtBest
from casework.work.cases.rulebook import load_rulebook
from tests.staff.test_permissions import OneCase

RULEBOOK = load_rulebook(shipped("statecharts"))
TABLE, POLICY = RULEBOOK.permissions, RULEBOOK.policies.all[-1]


def test_for_every_post_and_case_it_is_the_answer_for_somebody_who_belongs_where_the_case_does() -> None:
    answers = set()
    cases = product(("S1", "S9"), ("S1", "S9"), (None, "T7"), (None, "R7"), (None, "haihua", "consumer"))
    for post, (owner, handler, team, region, kind) in product(sorted(TABLE.posts), cases):
        case, posts = OneCase(owner, handler, team, region, kind), frozenset({post})
        asked = TABLE.authority(Actor("S1", "staff", "api", posts, team, region), posts, case, POLICY) is not None
        at_best = AtBest(post, "S1" in (owner, handler), team is not None, region is not None, kind)
        assert at_best.reached(TABLE, POLICY) == asked, at_best
        answers.add(asked)
    assert answers == {True, False}
