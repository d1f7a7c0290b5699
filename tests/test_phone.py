"""A number is one number however it is written, whether or not it can exist."""

from hypothesis import given
from hypothesis import strategies as st

from casework.phone import normal_phone

_MOBILES = st.from_regex(r"\A1[0-9]{10}\Z")
_AREAS = st.from_regex(r"\A[1-9][0-9]{1,2}\Z")
_LINES = st.from_regex(r"\A[2-8][0-9]{6,7}\Z")


@given(_MOBILES)
def test_a_mobile_number_is_its_eleven_digits(number: str) -> None:
    """Of any prefix: the branch's invented numbers exist for no table."""
    first, second, third = number[:3], number[3:7], number[7:]
    wide = number.translate({ord(digit): ord(digit) + 0xFEE0 for digit in "0123456789"})
    for written in (
        number, wide, f"+86{number}", f"+86 {first}-{second}-{third}", f"0086{number}", f"86{number}",
        f" {first} {second} {third}", f"({first}){second}{third}",
    ):  # fmt: skip
        assert normal_phone(written) == number, written
    for written in (f"{number}转8", f"{number}-8", f"{number} ext. 8", f"+86{number}分机8", f"{number}#8"):
        assert normal_phone(written) == f"{number};ext=8", written


@given(_AREAS, _LINES)
def test_a_line_is_one_with_and_without_country_and_the_zero_of_its_area(area: str, line: str) -> None:
    usual = normal_phone(f"0{area}-{line}")
    for written in (
        f"0{area}{line}", f"(0{area}){line}", f"+86 {area} {line}", f"+86-0{area}-{line}", f"0086{area}{line}", usual,
    ):  # fmt: skip
        assert normal_phone(written) == usual, written
    assert normal_phone(f"0{area}-{line}-801") == normal_phone(f"(0{area}){line}转801") == f"{usual};ext=801"


@given(st.text(max_size=40))
def test_what_is_no_number_has_a_form_too(text: str) -> None:
    assert set(normal_phone(text)) <= set("0123456789+;ext=")
