"""The stream of a customer: what one customer is called in the log, and nobody else."""

import re

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from casework.customer import INSTITUTION, Customer, named, stream_of
from casework.evidence.search.wanted import TermsWanted, check
from casework.log.format.entry import STREAM
from casework.personal import Vault

VAULT = Vault(bytes(32), b"\x01" * 32)
institutions = st.from_regex(INSTITUTION, fullmatch=True).filter(str.isascii)
numbers = st.text("AB01._-()/:#张客", min_size=1, max_size=64)
customers = st.builds(Customer, institutions, numbers)


@given(one=customers)
def test_every_customer_has_a_stream_that_an_entry_a_column_and_a_search_can_hold(one: Customer) -> None:
    stream = stream_of(VAULT, one)
    assert re.fullmatch(STREAM, stream, re.ASCII)
    assert len(stream) <= 80
    check(TermsWanted(streams=(stream,)))


@given(one=customers, other=customers)
def test_two_customers_never_share_a_stream_and_one_always_has_the_same(one: Customer, other: Customer) -> None:
    assert (stream_of(VAULT, one) == stream_of(VAULT, other)) is (one == other)


@given(one=customers, institution=institutions)
def test_the_same_number_of_two_institutions_is_two_streams(one: Customer, institution: str) -> None:
    assume(institution != one.institution)
    assert stream_of(VAULT, one) != stream_of(VAULT, Customer(institution, one.borrower_id))


@pytest.mark.parametrize("institution", ["", "wu~han", "wu/han", "wu:han", "武汉", ".wuhan", "w" * 33, "wuhan\n"])
def test_what_is_no_code_of_an_institution_has_no_stream(institution: str) -> None:
    with pytest.raises(ValueError, match="institution"):
        stream_of(VAULT, Customer(institution, "B1"))


@given(one=customers)
def test_what_is_written_with_its_institution_is_read_back(one: Customer) -> None:
    assert Customer(*map(str, named(str(one)))) == one


@pytest.mark.parametrize("text", ["B1", "B:1", "B/1", "~B1", "武汉~B1"])
def test_what_names_no_institution_is_a_number_alone(text: str) -> None:
    assert named(text) == (None, text)
