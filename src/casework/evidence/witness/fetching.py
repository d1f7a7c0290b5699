"""Asking a branch's API over HTTP, bounded in time and size; whatever is not an answer of it is `CannotTell`."""

from http import HTTPStatus
from typing import Final

import msgspec

from casework.bounded_http import NoAnswer, ask
from casework.errors import CallerError
from casework.log.format.note import MAX_NOTE_BYTES
from casework.settings import is_safe_address

DEADLINE_S = 30.0
MAX_PROOF_BYTES: Final = 8_192
_MAX_PROBLEM_BYTES: Final = 16_384


class CannotTell(Exception):
    """The log was not seen, so nothing is said of it. `code`: unreachable, or the problem that the API answered."""

    def __init__(self, code: str, text: str) -> None:
        super().__init__(text)
        self.code = code


class WitnessedBranch:
    """The API of the branch whose log it is."""

    def __init__(self, url: str, token: str | None) -> None:
        """CallerError `address_unsafe`: https only, http to this machine, nothing behind the path."""
        if not is_safe_address(url):
            raise CallerError("address_unsafe")
        self._url = url.rstrip("/")
        self._headers = {"authorization": f"Bearer {token}"} if token else {}

    def checkpoint(self) -> bytes:
        """The newest signed checkpoint, as the branch shows it to us."""
        return self._ask("GET", "/log/checkpoint", MAX_NOTE_BYTES + 1)

    def consistency(self, old: int, new: int) -> bytes:
        """The proof between two sizes."""
        return self._ask("GET", f"/log/consistency/{old}/{new}", MAX_PROOF_BYTES)

    def hand_in(self, cosigned: bytes) -> None:
        """Give the branch a cosigned note."""
        self._ask("POST", "/log/cosignatures", _MAX_PROBLEM_BYTES, cosigned)

    def _ask(self, method: str, path: str, at_most: int, body: bytes | None = None) -> bytes:
        headers = {**self._headers, **({"content-type": "text/plain; charset=utf-8"} if body is not None else {})}
        try:
            answer = ask(
                method, f"{self._url}{path}", within_s=DEADLINE_S, at_most_bytes=max(at_most, _MAX_PROBLEM_BYTES),
                headers=headers, body=body,
            )  # fmt: skip
        except NoAnswer as failure:
            raise CannotTell("unreachable", f"{path}: {failure}") from failure
        if answer.status != HTTPStatus.OK:
            raise CannotTell(_code(answer.body) or "unreachable", f"{path}: status {answer.status}")
        if len(answer.body) > at_most:
            raise CannotTell("unreachable", f"{path}: too large")
        return answer.body


class _Problem(msgspec.Struct):
    code: str


def _code(data: bytes) -> str | None:
    """The stable code of a problem; none where the answer is something else's."""
    try:
        code = msgspec.json.decode(data, type=_Problem).code
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    return code if len(code) <= 64 and code.isascii() and code.replace("_", "").isalnum() else None
