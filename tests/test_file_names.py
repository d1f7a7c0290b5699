"""A file is called by what it is, of what and of which day, for people and for clients that know ASCII alone."""

from datetime import date

import pytest

from casework.file_names import file_name

DAY = date(2026, 11, 30)


@pytest.mark.parametrize(("title", "subject", "parts", "name", "plain"), [
    ("催收台账", "ledger", (DAY, None), "催收台账-2026-11-30.xlsx", "ledger-2026-11-30.xlsx"),
    ("司法处置表", "disposal_form", (12, DAY), "司法处置表-12-2026-11-30.xlsx", "disposal-form-12-2026-11-30.xlsx"),
    ("催收台账", "ledger", (DAY, "T1"), "催收台账-2026-11-30-T1.xlsx", "ledger-2026-11-30-T1.xlsx"),
    ("Cases", "cases", (DAY,), "Cases-2026-11-30.xlsx", "Cases-2026-11-30.xlsx"),
    ("案件", "cases", ("../a:b", DAY), "案件-..ab-2026-11-30.xlsx", "cases-..ab-2026-11-30.xlsx"),
])  # fmt: skip
def test_both_names_have_subject_and_day(
    title: str, subject: str, parts: tuple[str | int | date | None, ...], name: str, plain: str
) -> None:
    assert file_name(title, subject, *parts, kind="xlsx") == (name, plain)


def test_two_teams_that_ascii_cannot_name_have_two_plain_names() -> None:
    teams = ("电催一组", "电催二组", "一组 A")
    plain = {file_name("催收台账", "ledger", DAY, team, kind="xlsx").plain for team in teams}
    assert len(plain) == 3
    assert all(one.isascii() and one.startswith("ledger-2026-11-30-") for one in plain)
