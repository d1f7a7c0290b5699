"""Whose a borrower's number is: each institution numbers its own customers, so the two together name one. Pure.

The one place that makes a customer's audit stream, which is also the subject of their key, and takes it apart again.
"""

import re
from typing import Final, NamedTuple

from casework.personal import Vault

INSTITUTION: Final = r"[A-Za-z0-9][A-Za-z0-9._-]{0,31}"
"""The code of an institution: what a manifest may say. It has no `~`, so that a stream can be taken apart."""
KIND: Final = "borrower"
_IS_INSTITUTION: Final = re.compile(INSTITUTION, re.ASCII)
_BLIND: Final = "blind-"
_PLAIN: Final = re.compile(r"[A-Za-z0-9._-]{1,38}", re.ASCII)  # no longer than a blind index, which is for all others


class Customer(NamedTuple):
    """A borrower: the institution, and the number that it gave them."""

    institution: str
    borrower_id: str

    def __str__(self) -> str:
        return f"{self.institution}~{self.borrower_id}"


def stream_of(vault: Vault, customer: Customer) -> str:
    """`borrower:<institution>~<number>`, at most 80 characters; ValueError for what is no institution's code.

    A number that is longer than 38 characters, or has some that a stream's name cannot have, stands there as its blind
    index in hex.
    """
    if not _IS_INSTITUTION.fullmatch(customer.institution):
        raise ValueError("no institution's code")
    number = customer.borrower_id
    if not _PLAIN.fullmatch(number):
        number = f"{_BLIND}{vault.blind('borrower_id', number).hex()}"
    return f"{KIND}:{Customer(customer.institution, number)}"


def stream_seen(customer: Customer) -> str:
    """The stream, as far as it can be told without a key: of a blind number what such streams begin with."""
    is_plain = _PLAIN.fullmatch(customer.borrower_id) and not customer.borrower_id.startswith(_BLIND)
    return f"{KIND}:{customer if is_plain else Customer(customer.institution, _BLIND)}"


def named(text: str) -> tuple[str | None, str]:
    """What somebody wrote for a customer: the institution, if they named it before a `~`, and the number."""
    institution, mark, number = text.partition("~")
    return (institution, number) if mark and _IS_INSTITUTION.fullmatch(institution) else (None, text)


def may_be_of(stream: str, customer: Customer) -> bool:
    """Whether the stream can be the customer's; of a number that stands there as its blind index only a key tells."""
    number = customer.borrower_id if _PLAIN.fullmatch(customer.borrower_id) else None
    if number is not None:
        return stream == f"{KIND}:{customer}"
    return stream.startswith(f"{KIND}:{customer.institution}~{_BLIND}")
