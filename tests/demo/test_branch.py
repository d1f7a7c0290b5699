"""The invented branch: the same for the same seed, readable, and with all that a month should have in it."""

import hashlib
import time
from datetime import date
from pathlib import Path
from random import Random

import pytest

from casework.demo import people
from casework.demo.branch import generate, generate_large
from casework.intake.feed.delivery import Delivery
from casework.intake.feed.folder import read_folder
from casework.intake.feed.reconcile import Reconciliation, Snapshot, reconcile


def bucket(days_past_due: int) -> str:
    return f"M{min(7, (days_past_due + 29) // 30)}"


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    return generate(tmp_path_factory.mktemp("branch"), seed=1)


@pytest.fixture(scope="module")
def month(folders: list[Path]) -> list[tuple[Delivery, Reconciliation]]:
    days = []
    previous: Snapshot | None = None
    for folder in folders:
        delivery = read_folder(folder)
        keys, unnamed = delivery.overdue.set_aside_keys()
        result = reconcile(
            previous,
            delivery.as_of,
            delivery.overdue.rows,
            set_aside=len(delivery.overdue.set_aside),
            set_aside_loans=keys,
            unnamed=unnamed,
            bucket=bucket,
        )
        previous = result.snapshot
        days.append((delivery, result))
    return days


def digests(folders: list[Path]) -> list[tuple[str, str]]:
    return [
        (path.name, hashlib.sha256(path.read_bytes()).hexdigest())
        for folder in folders
        for path in sorted(folder.iterdir())
    ]


def test_the_same_seed_gives_the_same_bytes_and_another_one_others(tmp_path: Path) -> None:
    first = generate(tmp_path / "a", seed=5, loans=120, days=14)
    assert digests(first) == digests(generate(tmp_path / "b", seed=5, loans=120, days=14))
    assert digests(first) != digests(generate(tmp_path / "c", seed=6, loans=120, days=14))


def test_a_month_of_two_thousand_loans_takes_seconds(tmp_path: Path) -> None:
    start = time.perf_counter()
    assert len(generate(tmp_path, seed=1)) == 30
    assert time.perf_counter() - start < 5


def test_every_bucket_is_there_every_day(month: list[tuple[Delivery, Reconciliation]]) -> None:
    assert all(set(result.figures["buckets"]) == {f"M{n}" for n in range(1, 8)} for _, result in month)


def test_loans_cure_open_and_grow_older(month: list[tuple[Delivery, Reconciliation]]) -> None:
    moves = {move for _, result in month for move in result.figures["roll"]}
    assert {"M0->M1", "M1->M0", "M2->M0", "M1->M2", "M2->M3", "M3->M4", "M2->M1"} <= moves
    assert all((result.figures["gone_share"] or 0) < 0.1 for _, result in month)


def test_some_rows_are_set_aside_and_their_loans_stay(month: list[tuple[Delivery, Reconciliation]]) -> None:
    aside = [row.code for delivery, _ in month for sheet in delivery.sheets for row in sheet.set_aside]
    assert aside == ["due_after_as_of", "negative_amount"]
    assert sum(result.figures["held"] for _, result in month) == 2


def test_a_payment_bounces_after_its_loan_left(month: list[tuple[Delivery, Reconciliation]]) -> None:
    payments = {
        row.payment_id: (row, result)
        for delivery, result in month
        if delivery.repayments
        for row in delivery.repayments.rows
    }
    (reversal, back), *others = [(row, result) for row, result in payments.values() if row.reverses]
    paid, left = payments[str(reversal.reverses)]
    assert others == []
    assert (paid.loan_id, paid.amount_fen) == (reversal.loan_id, reversal.amount_fen)
    assert paid.loan_id in {row.loan_id for row in left.gone}
    assert paid.loan_id in {row.loan_id for row in back.opened}


def test_the_forms_that_really_come_are_all_there(folders: list[Path]) -> None:
    files = [path for folder in folders for path in folder.glob("overdue*")]
    starts = {path.suffix: path.read_bytes()[:3] for path in files}
    assert starts[".gz"][:2] == b"\x1f\x8b"
    assert starts[".xlsx"][:2] == b"PK"
    contents = [path.read_bytes() for path in files if path.suffix == ".csv"]
    assert any(content.startswith(b"\xef\xbb\xbf") for content in contents)
    assert any("借据号".encode("gb18030") in content for content in contents)


def test_amounts_lie_at_both_sides_of_fifty_thousand_and_on_it(
    month: list[tuple[Delivery, Reconciliation]],
) -> None:
    outstanding = {row.outstanding_principal_fen for row in month[0][0].overdue.rows}
    assert 5_000_000 in outstanding
    assert min(outstanding) < 5_000_000 < max(outstanding)


def test_old_non_performing_loans_and_both_products_are_on_the_books(
    month: list[tuple[Delivery, Reconciliation]],
) -> None:
    loans = month[0][0].loans
    assert loans is not None
    assert len(loans.rows) == 2_000
    assert {row.product for row in loans.rows} == {"consumer", "haihua"}
    assert any(row.npl_since and row.npl_since < date(2023, 12, 31) for row in loans.rows)
    assert len({row.borrower_id for row in loans.rows}) < 2_000


def test_the_files_disagree_about_one_loan(month: list[tuple[Delivery, Reconciliation]]) -> None:
    delivery = month[0][0]
    assert delivery.loans is not None
    nothing_left = {row.loan_id for row in delivery.loans.rows if row.outstanding_principal_fen == 0}
    assert len(nothing_left & {row.loan_id for row in delivery.overdue.rows}) == 1


def test_nobody_can_have_these_numbers() -> None:
    random = Random(3)
    for _ in range(200):
        number = people.id_number(random)
        weights = [2 ** (17 - place) % 11 for place in range(17)]
        right = "10X98765432"[sum(int(d) * w for d, w in zip(number[:17], weights, strict=True)) % 11]
        assert number[:2] == "00"
        assert number[17] != right
        assert people.phone(random).startswith("12")


def test_every_owner_but_the_leaver_is_on_the_staff(month: list[tuple[Delivery, Reconciliation]]) -> None:
    loans = month[0][0].loans
    assert loans is not None
    assert {row.owner_staff_no for row in loans.rows} - {member.staff_no for member in people.staff()} == {"S099"}


def test_a_large_feed_is_unchanged_ten_days_later(tmp_path: Path) -> None:
    first = read_folder(generate_large(tmp_path / "1", loans=500, overdue=400, as_of=date(2024, 6, 1)))
    later = read_folder(generate_large(tmp_path / "2", loans=500, overdue=400, as_of=date(2024, 6, 11)))
    opened = reconcile(None, first.as_of, first.overdue.rows, bucket=bucket)
    again = reconcile(opened.snapshot, later.as_of, later.overdue.rows, bucket=bucket)
    assert (len(opened.opened), again.unchanged, again.changed, again.gone) == (400, 400, [], [])
