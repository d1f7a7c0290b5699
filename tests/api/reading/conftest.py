"""A borrower on the books, with his loans, contacts and a case."""

import pytest

from casework.database import writing
from casework.feed.tables import borrowers, contacts, loans
from tests.api.conftest import Running

NAME, ID_NUMBER, PHONE, ADDRESS = "张伟明", "420102199001011234", "13800000000", "武汉市江岸区解放大道一号"


@pytest.fixture
def known(running: Running) -> Running:
    """`running` with the borrower B-L1: two loans, L1 in arrears with a case, L2 not; one contact."""
    vault = running.started.branch.vault
    with writing(running.started.engine) as conn:
        for number, loan_id in enumerate(("L1", "L2")):
            conn.execute(
                loans.insert().values(
                    loan_id=loan_id,
                    institution="wuhan",
                    borrower_id="B-L1",
                    product="consumer",
                    owner_staff_no="R1",
                    team="T1",
                    region="R1",
                    principal_fen=9_000_000,
                    outstanding_principal_fen=5_000_000,
                    row_hash=bytes([number]),
                )
            )
        conn.execute(
            borrowers.insert().values(
                borrower_id="B-L1",
                institution="wuhan",
                name_sealed=vault.seal("name", NAME),
                name_index=vault.blind("name", NAME),
                id_number_sealed=vault.seal("id_number", ID_NUMBER),
                id_number_index=vault.blind("id_number", ID_NUMBER),
            )
        )
        conn.execute(
            contacts.insert().values(
                institution="wuhan",
                borrower_id="B-L1",
                role="debtor",
                name_sealed=vault.seal("person_name", NAME),
                phone_sealed=vault.seal("phone", PHONE),
                phone_index=vault.blind("phone", PHONE),
                address_kind="home",
                address_sealed=vault.seal("address", ADDRESS),
                row_hash=b"c",
            )
        )
    running.open("L1")
    return running
