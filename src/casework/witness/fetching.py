"""Asking a branch's API over HTTP, bounded in time and size; whatever is not an answer of it is `CannotTell`."""

from time import monotonic
from typing import Final
from urllib.parse import urlsplit

import httpx
import msgspec

from casework.audit.note import MAX_NOTE_BYTES
from casework.errors import CallerError
from casework.settings import LOOPBACK, is_safe_address

TIMEOUT_S: Final = 10.0
DEADLINE_S: Final = 30.0
MAX_PROOF_BYTES: Final = 8_192
_MAX_PROBLEM_BYTES: Final = 16_384


class CannotTell(Exception):
    """The log was not seen, so nothing is said of it. `code`: unreachable, or the problem that the API answered."""

    def __init__(self, code: str, text: str) -> None:
        super().__init__(text)
        self.code = code


class Branch:
    """The API of the branch whose log it is."""

    def __init__(self, url: str, token: str | None) -> None:
        """CallerError `address_unsafe`: https only, http to this machine, nothing behind the path."""
        if not is_safe_address(url):
            raise CallerError(
                "address_unsafe", "地址须为 https://（仅本机可用 http://）",
                "the address must be https:// (http:// on this machine only), without user, query or fragment",
            )  # fmt: skip
        here = urlsplit(url).hostname in LOOPBACK
        headers = {"accept-encoding": "identity"}  # what is counted is what is kept
        if token:
            headers["authorization"] = f"Bearer {token}"
        self._url = url.rstrip("/")
        self._client = httpx.Client(timeout=TIMEOUT_S, follow_redirects=False, trust_env=not here, headers=headers)

    def close(self) -> None:
        """Let the connection go."""
        self._client.close()

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
        until, data = monotonic() + DEADLINE_S, bytearray()
        headers = {"content-type": "text/plain; charset=utf-8"} if body is not None else {}
        try:
            with self._client.stream(method, f"{self._url}{path}", content=body, headers=headers) as answer:
                good = answer.status_code == httpx.codes.OK
                for piece in answer.iter_raw():
                    data += piece
                    if len(data) > (at_most if good else _MAX_PROBLEM_BYTES) or monotonic() > until:
                        raise CannotTell("unreachable", f"{path}: too large or too slow")
        except (httpx.HTTPError, httpx.InvalidURL) as failure:
            raise CannotTell("unreachable", f"{path}: {type(failure).__name__}") from failure
        if not good:
            raise CannotTell(_code(bytes(data)) or "unreachable", f"{path}: status {answer.status_code}")
        return bytes(data)


class _Problem(msgspec.Struct):
    code: str


def _code(data: bytes) -> str | None:
    """The stable code of a problem; none where the answer is something else's."""
    try:
        code = msgspec.json.decode(data, type=_Problem).code
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    return code if len(code) <= 64 and code.isascii() and code.replace("_", "").isalnum() else None
