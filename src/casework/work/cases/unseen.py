"""One answer for what is not there and for what somebody may not see: so that nobody learns which of the two it is."""

from collections.abc import Mapping
from typing import Final

from casework.errors import CallerError

TEXTS: Final[Mapping[str, tuple[str, str]]] = {
    "unknown_case": ("没有这个案件，或您无权查看", "there is no such case, or it is not one that you may see"),
    "unknown_loan": ("没有这笔贷款，或您无权查看", "there is no such loan, or it is not one that you may see"),
    "unknown_borrower": (
        "没有这位借款人，或您无权查看", "there is no such borrower, or it is not one whom you may see",
    ),
    "unknown_request": ("没有这个申请，或您无权查看", "there is no such request, or it is not one that you may see"),
}  # fmt: skip


def texts_of_unseen(zh: str, en: str) -> tuple[str, str]:
    """What is said of any other noun, by its labels."""
    return f"没有这个{zh}，或您无权查看", f"there is no such {en}, or it is not one that you may see"


def unseen(code: str, **facts: int | str) -> CallerError:
    """CallerError `code`, one of `TEXTS`; `facts` may hold no more than what the caller has said himself."""
    zh, en = TEXTS[code]
    return CallerError(code, zh, en, **facts)
