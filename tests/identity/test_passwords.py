"""Passwords: what is refused, and that comparing tells nothing by its time."""

from statistics import median
from time import perf_counter

import pytest

from casework.errors import CallerError
from casework.people.identity import passwords
from casework.people.identity.passwords import (
    check_rules,
    hash_password,
    is_outdated,
    is_password,
)

GOOD = "four plain words here"


@pytest.mark.parametrize(
    "password",
    [GOOD, "十二个汉字也可以当作密码", "a" * 9 + "bcd", "x y z " * 20, " leading and trailing ", "密码🔑x" * 3,
     "1234567890ab"],
)  # fmt: skip
def test_any_twelve_characters_will_do(password: str) -> None:
    check_rules("10021", password)


@pytest.mark.parametrize(
    ("password", "code"),
    [
        ("elevenchars", "password_too_short"), ("", "password_too_short"),
        ("é".join("abcdef"), "password_too_short"), ("x" * 100 + "abcdefghi" * 4, "password_too_long"),
        ("my number is 10021", "password_too_easy"), ("aaaaaaaaaaaaa", "password_too_easy"),
        ("abababababab", "password_too_easy"), ("abcabcabcabc", "password_too_easy"),
    ],
)  # fmt: skip
def test_what_is_refused_says_why_in_both_languages(password: str, code: str) -> None:
    with pytest.raises(CallerError) as told:
        check_rules("10021", password)
    assert told.value.code == code
    assert told.value.zh
    assert str(told.value)


def test_the_staff_number_is_found_in_any_case() -> None:
    with pytest.raises(CallerError):
        check_rules("Ab12", "prefix AB12 and more")


def test_only_the_password_itself_is_the_password() -> None:
    stored = hash_password(GOOD)
    assert is_password(GOOD, stored)
    assert not any(is_password(other, stored) for other in (GOOD + " ", GOOD.upper(), "", "x" * 500))


def test_the_same_password_from_another_keyboard_is_the_same() -> None:
    stored = hash_password("caf\u00e9 au lait du matin")
    assert is_password("cafe\u0301 au lait du matin", stored)


def test_a_hash_is_argon2id_with_todays_figures_and_its_own_salt() -> None:
    first, second = hash_password(GOOD), hash_password(GOOD)
    assert first.startswith(f"$argon2id$v=19$m={passwords.MEMORY_KIB},t={passwords.PASSES},p={passwords.LANES}$")
    assert first != second
    assert not is_outdated(first)
    assert is_outdated(first.replace("t=3", "t=2"))


def test_somebody_without_a_password_has_none_and_costs_the_same_time() -> None:
    """The hash that stands for nobody's has the same figures; its time is that of a real one, within noise."""
    stored = hash_password(GOOD)
    known, unknown = [], []
    for _ in range(5):
        began = perf_counter()
        assert not is_password("another one entirely", stored)
        known.append(perf_counter() - began)
        began = perf_counter()
        assert not is_password("another one entirely", None)
        unknown.append(perf_counter() - began)
    assert not is_outdated(passwords._NOBODYS)
    assert 0.4 < median(known) / median(unknown) < 2.5
