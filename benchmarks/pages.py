"""(m) Pages of the console over so many open cases, all of them one collector's: time of the answer, and its size."""

import re
import time
from http.client import HTTPConnection
from random import Random
from typing import Final
from urllib.parse import urlencode

from api.console.frame.assets import BYTES
from benchmarks.machine import Others, table, write_section
from benchmarks.place import POSTGRESQL, SQLITE, Place, api, place_on, server_of
from casework.clock import now
from casework.demo.passwords import give_password
from casework.storage.database import writing

OPEN: Final = 100_000
EACH: Final = 60
BUDGET_MS: Final = 300
WHO: Final = "T1"
PAGES: Final = (
    "/console", "/console/day", "/console/cases", "/console/cases?state=litigation&sort=-overdue_fen",
    "/console/cases?bucket=M2&team=team7", "/console/cases/{case}", "/console/debtors/{case}",
    "/console/cases/{case}/history", "/console/promises", "/console/requests", "/console/staff",
)  # fmt: skip


class _Reader:
    """Somebody at a browser that keeps its connection and its cookie."""

    def __init__(self, port: int, password: str) -> None:
        self.connection = HTTPConnection("127.0.0.1", port, timeout=60)
        form = {"staff_no": WHO, "password": password, "form_token": "", "next": ""}
        head = {"Content-Type": "application/x-www-form-urlencoded"}
        self.connection.request("POST", "/console/log-in", urlencode(form), head)
        answer = self.connection.getresponse()
        answer.read()
        found = re.match(r"([^=]+=[^;]+)", answer.headers.get("Set-Cookie", ""))
        assert answer.status == 303, answer.status
        assert found is not None
        self.cookie = found[1]

    def get(self, path: str) -> bytes:
        """A page, which must be there."""
        self.connection.request("GET", path, headers={"Cookie": self.cookie})
        answer = self.connection.getresponse()
        body = answer.read()
        assert answer.status == 200, (path, answer.status, body[:500])
        return body


def run(kinds: tuple[str, ...] = (POSTGRESQL, SQLITE), *, cases: int = OPEN, each: int = EACH) -> None:
    """Measure, and write the section `pages`."""
    others, sections = Others(), list[str]()
    for kind in kinds:
        with server_of(kind) as server, place_on(server) as place:
            place.fill(cases)
            place.spread()
            lines = _measured(place, cases, each)
        head = ("page", "p50 ms", "p95 ms", "kB")
        sections.append(f"**{kind}, {cases:,} open cases**\n\n{table(head, lines)}")
    said = f"Style, script and mark are {BYTES / 1e3:.0f} kB more, fetched once; {others}."
    write_section("pages", f"{said}\n\n" + "\n\n".join(sections))


def _measured(place: Place, cases: int, each: int) -> list[tuple[str, ...]]:
    with writing(place.started.engine) as conn:
        trail = place.started.branch.trail(now())
        password = give_password(conn, place.started.branch, trail, [WHO])
        trail.write(conn)
    lines = list[tuple[str, ...]]()
    with api(place) as served:
        reader, random = _Reader(served.port, password), Random(7)  # which case is looked at
        for page in PAGES:
            times, size = list[float](), 0
            for number in range(each + 2):
                path = page.format(case=random.randint(1, cases))
                began = time.perf_counter()
                size = len(reader.get(path))
                if number >= min(2, each - 1):
                    times.append((time.perf_counter() - began) * 1e3)
            times.sort()
            p50, p95 = times[len(times) // 2], times[min(len(times) - 1, len(times) * 95 // 100)]
            print(f"{place.kind} {page}: {p50:.1f} {p95:.1f} ms, {size / 1e3:.0f} kB", flush=True)
            lines.append((page, f"{p50:.1f}", f"{p95:.1f}", f"{size / 1e3:.0f}"))
        reader.connection.close()
    return lines
