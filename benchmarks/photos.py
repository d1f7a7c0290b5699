"""(q) Photos of visits: so many of 5 MB one after the other over one connection, the server's memory, previews."""

import io
import json
import time
from functools import cache
from http.client import HTTPConnection
from pathlib import Path
from typing import Any, Final

import numpy as np
from PIL import Image

from benchmarks.machine import Others, children, clocked, cpu_seconds, resident_mib, table, write_section
from benchmarks.place import BUSINESS_DATE, POSTGRESQL, SQLITE, Api, Place, api, place_on, server_of
from casework.people.staff.actor import Actor
from casework.pictures import read_picture
from tests.ordered import ordered_early
from tests.test_pictures import scene

NUMBER: Final = 200
SIDES: Final = (4000, 3000)
_EACH: Final = 10
"""Photos of one visit."""
_SAMPLES: Final = 5
_WARM: Final = 20
"""After so many photos the server has all that it needs."""
_NOISE: Final = 15
_COARSE: Final = 16
_BOUNDARY: Final = "casework-photo"
_AT: Final = f"{BUSINESS_DATE}T10:05:00+08:00"


_LEADER: Final = Actor("T1", "staff", "api", frozenset({"business_rep"}))


class _Phone:
    """Whoever visits, with one connection for all that they send."""

    def __init__(self, served: Api, token: str) -> None:
        self.connection = HTTPConnection("127.0.0.1", served.port, timeout=120)
        self.head = {"Authorization": f"Bearer {token}"}

    def ask(self, method: str, path: str, body: bytes | None = None, **head: str) -> Any:
        """What is answered, which must be good."""
        self.connection.request(method, path, body, {**self.head, **head})
        answer = self.connection.getresponse()
        told = answer.read()
        assert answer.status < 300, (path, answer.status, told[:500])
        return json.loads(told) if told[:1] == b"{" else told

    def post(self, path: str, body: Any, **head: str) -> Any:
        """As JSON."""
        return self.ask("POST", path, json.dumps(body).encode(), **{"Content-Type": "application/json", **head})

    def visit(self, place: Place, case_id: int) -> int:
        """One that has begun."""
        visit = ordered_early(place.started, case_id, BUSINESS_DATE, _LEADER, address="示例路1号", second_visitor="A1")
        arrived = {"event": "check_in", "data": {"at": f"{BUSINESS_DATE}T10:00:00+08:00"}}
        self.post(f"/visits/{visit}/events", arrived, **{"If-Match": "*"})
        return visit

    def send(self, visit: int, content: bytes) -> int:
        """A photo."""
        said = "".join(
            f'--{_BOUNDARY}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'
            for name, value in (("shows", "building"), ("taken_at", _AT))
        )
        head = f'--{_BOUNDARY}\r\nContent-Disposition: form-data; name="file"; filename="a.jpg"\r\n\r\n'
        body = f"{said}{head}".encode() + content + f"\r\n--{_BOUNDARY}--\r\n".encode()
        kind = f"multipart/form-data; boundary={_BOUNDARY}"
        photo: int = self.ask("POST", f"/visits/{visit}/photos", body, **{"Content-Type": kind})["photo_id"]
        return photo


def run(kinds: tuple[str, ...] = (POSTGRESQL, SQLITE), *, number: int = NUMBER, sides: tuple[int, int] = SIDES) -> None:
    """Measure, and write the section `photos`."""
    others, lines, sizes = Others(), list[tuple[str, ...]](), list[int]()
    samples = [taken(one, sides) for one in range(_SAMPLES)]
    began = time.process_time()  # not time on the clock: other work on a shared machine can only take away
    for one in samples:
        read_picture(one)
    alone = (time.process_time() - began) / _SAMPLES
    for kind in kinds:
        with server_of(kind) as server, place_on(server) as place:
            place.fill(max(2 * number // _EACH, 2))
            lines.append(_measured(place, number, sides, sizes))
            print(lines[-1], flush=True)
    head = (
        "",
        "photos",
        "photos/s",
        "server ms each",
        "RSS MiB: first",
        f"after {_WARM}",
        "at the end",
        "most, ever",
        "grew",
        "previews shown/s",
    )
    said = (
        f"{sides[0]} × {sides[1]} pixels, {sum(sizes) / len(sizes) / 1e6:.1f} MB on average, one after the other into a"
        f" folder; reading one, with its preview and its look, takes {alone * 1e3:.0f} ms of a processor"
        f" ({1 / alone:.1f}/s). A preview shown is an entry each. {str(others).capitalize()}."
    )
    write_section("photos", f"{said}\n\n{table(head, lines)}")


def _measured(place: Place, number: int, sides: tuple[int, int], sizes: list[int]) -> tuple[str, ...]:
    with api(place) as served:
        phone, spent, resident, most = _Phone(served, place.tokens["T1"]), 0.0, list[float](), list[float]()
        photos, visit, used = list[int](), 0, cpu_seconds(children(served.process_id))
        for at in range(number):
            content = taken(at, sides)
            sizes.append(len(content))
            if at % _EACH == 0:
                visit = phone.visit(place, 2 * (at // _EACH) + 1)
            began = time.perf_counter()
            photos.append(phone.send(visit, content))
            spent += time.perf_counter() - began
            resident.append(resident_mib(children(served.process_id)))
            most.append(_most_ever_mib(served.process_id))
        used = cpu_seconds(children(served.process_id)) - used
        shown = clocked(lambda: [phone.ask("GET", f"/photos/{photo}") for photo in photos])
        phone.connection.close()
    warm = min(_WARM, number) - 1
    figures = (resident[0], resident[warm], resident[-1], most[-1], most[-1] - most[warm])
    return (
        place.kind, f"{number}", f"{number / spent:.1f}", f"{used / number * 1e3:.0f}",
        *(f"{one:.0f}" for one in figures), f"{number / shown:.1f}",
    )  # fmt: skip


def _most_ever_mib(process_id: int) -> float:
    """The most that the processes have had resident, each at its time."""
    found = 0
    for one in children(process_id):
        status = Path(f"/proc/{one}/status").read_text()
        found += int(status.partition("VmHWM:")[2].split()[0])
    return found / 1024


def taken(number: int, sides: tuple[int, int]) -> bytes:
    """A photo of something like a street, grainy as a phone's: another for each number."""
    street = scene(number, (sides[0] // _COARSE, sides[1] // _COARSE)).resize(sides)
    pixels = np.clip(np.asarray(street, dtype=np.int16) + np.roll(_grain(sides), number, 0), 0, 255).astype(np.uint8)
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "JPEG", quality=93)
    return file.getvalue()


@cache
def _grain(sides: tuple[int, int]) -> Any:
    return np.random.default_rng(1).integers(-_NOISE, _NOISE + 1, (sides[1], sides[0], 1), dtype=np.int16)
