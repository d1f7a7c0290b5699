"""Leave, deputies and certificates: who is away, who acts for him meanwhile, and what is refused."""

from datetime import date, timedelta
from typing import Any

import pytest

from casework.people.staff import absence, acting, register
from casework.people.staff.actor import Principal
from casework.people.staff.listing import expiring
from casework.people.staff.person import Absence, Certificate
from casework.storage.database import reading
from tests.staff.conftest import TODAY, Register

DAY = timedelta(days=1)


def away(branch: Register, staff_no: str, first: int, last: int, deputy: str | None = None) -> Any:
    """On leave from today plus `first` through today plus `last` days."""
    return branch.do(
        absence.absent, branch.permissions, staff_no=staff_no, from_on=TODAY + first * DAY,
        until_on=TODAY + last * DAY, reason="leave", deputy=deputy,
    )  # fmt: skip


def refused(
    branch: Register, staff_no: str, first: int, last: int, deputy: str | None = None, reason: str = "leave"
) -> str:
    """Why he cannot be."""
    return branch.mistake(
        absence.absent, branch.permissions, staff_no=staff_no, from_on=TODAY + first * DAY,
        until_on=TODAY + last * DAY, reason=reason, deputy=deputy,
    )  # fmt: skip


def test_a_deputy_acts_for_somebody_on_the_days_of_his_leave_only(branch: Register) -> None:
    branch.add("S1", "business_rep", team="T1", region="R1")
    branch.add("S2", "phone_collector")
    away(branch, "S1", 0, 2, "S2")
    for day, principals in (
        (-1, ()), (0, (Principal("S1", frozenset({"business_rep"}), "T1", "R1"),)),
        (2, (Principal("S1", frozenset({"business_rep"}), "T1", "R1"),)), (3, ()),
    ):  # fmt: skip
        with reading(branch.started.engine) as conn:
            # On the day before nobody holds a post yet, but who is away does not depend on that.
            actor = acting.actor_for(conn, "S2", "cli", today=TODAY + day * DAY)
        assert actor.principals == principals
    assert branch.report().findings == []


@pytest.mark.parametrize(
    ("leave", "code"),
    [(("S9", 0, 1), "unknown_staff"), (("S1", 0, 1, "S9"), "unknown_staff"), (("U1", 0, 1), "wrong_status"),
     (("S1", 0, 1, "U1"), "wrong_status"), (("S1", 0, 1, "S1"), "deputy_himself"),
     (("S1", 1, 0), "dates_out_of_order"), (("S1", 0, 366), "leave_too_long"),
     (("S1", 0, 1, None, "holiday"), "unknown_reason"), (("S1", 366_000, 366_001), "day_out_of_range"),
     (("S1", 8, 12), "leave_overlaps"), (("S1", 12, 30), "leave_overlaps"), (("S1", 10, 10), "leave_overlaps"),
     (("S1", 0, 5, "S3"), "deputy_away"), (("S1", 0, 6, "S4"), "deputy_away"), (("S2", 12, 12), "deputises_then"),
     (("S1", 0, 1, "S5"), "posts_conflict")],
)  # fmt: skip
def test_a_leave_that_cannot_be_is_refused(branch: Register, leave: tuple[Any, ...], code: str) -> None:
    branch.add("S1", "business_rep")
    branch.add("S2", "phone_collector")
    branch.add("S3", "business_rep")
    branch.add("S4", "business_rep", leaves_on=TODAY + 5 * DAY)
    branch.add("S5", "auditor")
    branch.do(register.named_by_feed, {"U1"})
    away(branch, "S1", 10, 12, "S2")
    away(branch, "S3", 5, 5)
    assert refused(branch, *leave) == code


@pytest.mark.parametrize(
    "leave", [("S1", 8, 9), ("S1", 13, 20), ("S1", 0, 4, "S3"), ("S1", 0, 5, "S4"), ("S2", 13, 14), ("S1", 0, 1, "S2")]
)
def test_the_twin_of_each_refused_leave_is_granted(branch: Register, leave: tuple[Any, ...]) -> None:
    branch.add("S1", "business_rep")
    branch.add("S2", "phone_collector")
    branch.add("S3", "business_rep")
    branch.add("S4", "business_rep", leaves_on=TODAY + 5 * DAY)
    away(branch, "S1", 10, 12, "S2")
    away(branch, "S3", 5, 5)
    away(branch, *leave)
    assert branch.report().findings == []


def test_no_chain_of_deputies_can_be_built_in_either_order(branch: Register) -> None:
    for number in ("S1", "S2", "S3"):
        branch.add(number, "business_rep")
    away(branch, "S1", 0, 5, "S2")
    assert refused(branch, "S2", 3, 3, "S3") == "deputises_then"
    away(branch, "S2", 6, 9, "S3")
    assert refused(branch, "S3", 9, 9) == "deputises_then"


def test_a_post_that_conflicts_with_one_lent_by_deputising_is_refused(branch: Register) -> None:
    branch.add("S1", "asset_preservation")
    branch.add("S2", "business_rep")
    away(branch, "S1", 5, 9, "S2")
    assert branch.cannot_grant("S2", "approver", until_on=TODAY + 5 * DAY) == "posts_conflict"
    branch.grant("S2", "approver", until_on=TODAY + 4 * DAY)
    assert branch.cannot_grant("S2", "auditor", from_on=TODAY + 9 * DAY) == "posts_conflict"
    assert branch.cannot_grant("S1", "approver", from_on=TODAY + 9 * DAY) == "posts_conflict"


def test_a_leave_ends_early_and_what_has_passed_stays(branch: Register) -> None:
    branch.add("S1", "business_rep")
    branch.add("S2", "business_rep")
    away(branch, "S1", 0, 9, "S2")
    away(branch, "S1", 20, 29)
    branch.later(3)
    end: dict[str, Any] = {"staff_no": "S1", "from_on": TODAY}
    assert branch.mistake(absence.end_absence, **end, on=TODAY + 2 * DAY) == "day_in_past", "S2 deputised today"
    assert branch.mistake(absence.end_absence, **end, on=TODAY + 9 * DAY) == "dates_out_of_order"
    assert (
        branch.mistake(absence.end_absence, staff_no="S1", from_on=TODAY + DAY, on=TODAY + 4 * DAY) == "leave_unknown"
    )
    branch.do(absence.end_absence, **end, on=TODAY + 3 * DAY)
    never = branch.do(absence.end_absence, staff_no="S1", from_on=TODAY + 20 * DAY, on=TODAY + 19 * DAY)
    assert never.absences == (Absence(TODAY, TODAY + 3 * DAY, "leave", "S2"),)
    assert branch.report().findings == []


def test_a_leave_without_a_deputy_ends_with_yesterday_even_if_it_began_today(branch: Register) -> None:
    branch.add("S1", "business_rep")
    away(branch, "S1", 0, 9)
    back = branch.do(absence.end_absence, staff_no="S1", from_on=TODAY)
    assert back.absences == ()
    assert branch.report().findings == []


def test_a_certificate_is_kept_with_its_expiry(branch: Register) -> None:
    branch.add("S1", "phone_collector")
    good: dict[str, Any] = {
        "staff_no": "S1", "kind": "collector_training", "issued_on": TODAY - DAY, "expires_on": TODAY + 365 * DAY
    }  # fmt: skip
    certified = branch.do(absence.certify, **good)
    assert certified.certificates == (Certificate("collector_training", TODAY - DAY, TODAY + 365 * DAY),)
    for changes, code in (
        ({}, "certificate_exists"), ({"kind": "Collector training"}, "certificate_kind_malformed"),
        ({"issued_on": TODAY + DAY}, "day_in_future"), ({"issued_on": date(1800, 1, 1)}, "day_in_past"),
        ({"issued_on": TODAY, "expires_on": TODAY - DAY}, "dates_out_of_order"),
        ({"issued_on": TODAY, "expires_on": date(2999, 1, 1)}, "day_out_of_range"),
        ({"staff_no": "S9"}, "unknown_staff"),
    ):  # fmt: skip
        assert branch.mistake(absence.certify, **{**good, **changes}) == code
    assert len(branch.do(absence.certify, **{**good, "issued_on": TODAY, "expires_on": None}).certificates) == 2
    assert branch.report().findings == []


def test_certificates_that_end_soon_are_listed_unless_renewed(branch: Register) -> None:
    branch.add("S1", "phone_collector")
    branch.add("S2", "phone_collector")
    branch.add("S3", "phone_collector")
    for staff_no, kind, issued, expires in (
        ("S1", "collector_training", -400, -2), ("S1", "first_aid", -400, 10), ("S2", "collector_training", -400, 5),
        ("S2", "collector_training", -10, 400), ("S2", "first_aid", -9, None), ("S3", "collector_training", -9, 5),
    ):  # fmt: skip
        branch.do(
            absence.certify, staff_no=staff_no, kind=kind, issued_on=TODAY + issued * DAY,
            expires_on=None if expires is None else TODAY + expires * DAY,
        )  # fmt: skip
    branch.do(register.leave, staff_no="S3", on=TODAY, cause={})

    def ending(days: int) -> list[tuple[str, str]]:
        with reading(branch.started.engine) as conn:
            return [(one.staff_no, one.kind) for one in expiring(conn, TODAY + days * DAY)]

    assert ending(9) == [("S1", "collector_training")]
    assert ending(10) == [("S1", "collector_training"), ("S1", "first_aid")]
    assert ending(-3) == []
