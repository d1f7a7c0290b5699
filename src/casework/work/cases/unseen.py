"""One answer for what is not there and for what somebody may not see: so that nobody learns which of the two it is."""

from typing import Any

from casework.errors import CallerError


def unseen(code: str, **facts: Any) -> CallerError:
    """CallerError `code`; `facts` may hold no more than what the caller has said."""
    return CallerError(code, **facts)
