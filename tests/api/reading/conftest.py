"""A borrower on the books, with his loans, contacts and a case."""

import pytest

from casework.customer import Customer
from casework.operation.startup import Started
from casework.storage.database import writing
from tests.api.conftest import Begins, Running, open_cases
from tests.on_books import put_borrower, put_contact, put_loan

NAME, ID_NUMBER, PHONE, ADDRESS = "张伟明", "420102199001011234", "13800000000", "武汉市江岸区解放大道一号"


def b_l1(started: Started) -> None:
    """The borrower B-L1: two loans, L1 in arrears with a case, L2 not; one contact."""
    branch, him = started.branch, Customer("wuhan", "B-L1")
    with writing(started.engine) as conn:
        for number, loan_id in enumerate(("L1", "L2")):
            put_loan(
                conn, branch, loan_id=loan_id, institution="wuhan", borrower_id="B-L1", product="consumer",
                owner_staff_no="R1", team="T1", region="R1", principal_fen=9_000_000,
                outstanding_principal_fen=5_000_000, row_hash=bytes([number]),
            )  # fmt: skip
        put_borrower(conn, branch, him, name=NAME, id_number=ID_NUMBER)
        put_contact(conn, branch, him, name=NAME, phone=PHONE, address=ADDRESS, address_kind="home")
    open_cases(started, "L1")


@pytest.fixture
def begins() -> Begins:
    """What `known` begins with."""
    return b_l1


@pytest.fixture
def known(begun: None, running: Running) -> Running:
    """`running` with the borrower B-L1."""
    return running
