"""From page to page by every link, as each persona of the branch: one page of each kind, whoever sees it first."""

import re
from collections.abc import Iterator
from typing import Final
from urllib.parse import urlsplit

from playwright.sync_api import Error, Page

from tests.console.browser import Watched

PERSONAS: Final = (
    "phone_collector", "basic_risk_manager", "asset_preservation", "auditor", "approver", "administrator",
    "post_loan_officer",
)  # fmt: skip
"""Whose pages together are all pages."""
_ID: Final = re.compile(r"/[^/]*[0-9:~%][^/]*")
_FILES: Final = re.compile(r"\.(xlsx|csv|svg|json|zip|pdf)$|/sheet|/download")
_LINKS: Final = """
() => [...document.querySelectorAll("a[href^='/console']:not([download])")].map((one) => one.getAttribute("href"))
"""
_MOST: Final = 120


def kind_of(href: str) -> str:
    """Pages of one kind differ by what they show alone: numbers and names in the path, values in the question."""
    parts = urlsplit(href)
    asked = sorted({one.partition("=")[0] for one in parts.query.split("&") if not one.endswith("=")} - {"next"})
    return _ID.sub("/*", parts.path) + ("?" + "&".join(filter(None, asked)) if parts.query else "")


def walked(watched: Watched, seen: set[str], first: str = "/console") -> Iterator[tuple[str, Page]]:
    """Each page of a kind that is not among `seen`, which grows; the caller looks at it while it is open."""
    ahead = [first]
    while ahead and len(seen) < _MOST:
        href = ahead.pop(0)
        kind = kind_of(href)
        if kind in seen or _FILES.search(urlsplit(href).path):
            continue
        seen.add(kind)
        try:
            answer = watched.page.goto(watched.demo.url + href)
        except Error as error:
            if "Download" in str(error) or "ERR_ABORTED" in str(error):
                continue
            raise
        assert answer is not None
        assert answer.status == 200, (href, answer.status)
        yield href, watched.page
        ahead += watched.page.evaluate(_LINKS)
