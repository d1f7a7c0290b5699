"""Asking another machine over HTTP: one time for all of it (connection, headers, body), and so many bytes.

httpx bounds each read; a server that drips a byte at a time would be read for ever. What looks up the name is the
system's own, bounded by how it is set up.
"""

import asyncio
from dataclasses import dataclass
from urllib.parse import urlsplit

import httpx

from casework.settings import LOOPBACK


class NoAnswer(Exception):
    """No answer in time, too large a one, or none in HTTP; its text names the kind, nothing that was sent."""


@dataclass(frozen=True)
class HttpAnswer:
    """Status and whole body."""

    status: int
    body: bytes


def ask(
    method: str, url: str, *, within_s: float, at_most_bytes: int, headers: dict[str, str], body: bytes | None = None
) -> HttpAnswer:
    """The answer of whom `url` names; redirects are answers, and a proxy is not asked for this machine. `NoAnswer`.

    It waits for the network: never in an event loop.
    """
    return asyncio.run(_ask(method, url, within_s, at_most_bytes, headers, body))


async def _ask(
    method: str, url: str, within_s: float, at_most_bytes: int, headers: dict[str, str], body: bytes | None
) -> HttpAnswer:
    given = {**headers, "accept-encoding": "identity"}  # what is counted is what is kept
    got = bytearray()
    try:
        here = urlsplit(url).hostname in LOOPBACK
        async with (
            asyncio.timeout(within_s),
            httpx.AsyncClient(timeout=None, follow_redirects=False, trust_env=not here) as client,  # noqa: S113  # above
            client.stream(method, url, content=body, headers=given) as answer,
        ):
            async for piece in answer.aiter_raw():
                got += piece
                if len(got) > at_most_bytes:
                    raise NoAnswer("too large")
            return HttpAnswer(answer.status_code, bytes(got))
    except TimeoutError:
        raise NoAnswer("too slow") from None
    except (httpx.HTTPError, httpx.InvalidURL, ValueError) as failure:
        raise NoAnswer(type(failure).__name__) from failure
