"""A cheap load generator in a process of its own: N keep-alive connections, each with its own cases.

Every request is a change that succeeds and can be repeated: repairs of information, a visit ordered and
abandoned. Each names the version it saw (If-Match) and a fresh Idempotency-Key.
Run by `events.py`: reads its orders as JSON from stdin, prints what it measured as JSON.
"""

import asyncio
import json
import sys
import time
from array import array
from functools import partial
from itertools import count
from typing import Any

import uvloop

STEPS = (
    ("T1", "facts", {"kind": "information_repair", "on": "2026-01-10", "evidence": "rec:2026-0001",
                     "data": {"outcome": "new_number", "source": "debtor", "legal_basis": "contract"}}),
    ("T1", "events", {"event": "start_visit", "data": {"address_kind": "home", "address": "江岸区示例路1号",
                                                       "visit_on": "2026-01-12"}}),
    ("T1", "facts", {"kind": "information_repair", "on": "2026-01-10", "evidence": "rec:2026-0002",
                     "data": {"outcome": "new_address", "source": "debtor", "legal_basis": "contract"}}),
    ("K1", "events", {"event": "abandon_visit", "data": {"reason": "debtor_moved"}}),
)  # fmt: skip
_keys = count(time.time_ns())
_FIRST_S = 30  # a machine that is busy may take longer than a short run for the first answer


class Connection(asyncio.Protocol):
    """One client: sends, waits for the whole answer, sends the next."""

    def __init__(self, heads: list[bytes], cases: list[list[int]], taken: "array[float]", failed: list[str]) -> None:
        self.heads, self.cases, self.taken, self.failed = heads, cases, taken, failed
        self.turn = 0
        self.running = True
        self.began = 0.0
        self.buffer = b""
        self.transport: Any = None
        self.done = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin."""
        self.transport = transport
        self.send()

    def send(self) -> None:
        """The next step of the next case."""
        case_id, version, step = self.cases[self.turn]
        route = STEPS[step][1]
        head, tail = self.heads[step].split(b"@", 1)
        form = b'%d/%s HTTP/1.1\r\nIf-Match: "%d"\r\nIdempotency-Key: %x'
        middle = form % (case_id, route.encode(), version, next(_keys))
        self.began = time.perf_counter()
        self.transport.write(head + middle + tail)

    def data_received(self, data: bytes) -> None:
        """An answer, or a part of one."""
        self.buffer += data
        end = self.buffer.find(b"\r\n\r\n")
        if end < 0:
            return
        head = self.buffer[:end].lower()
        length = int(head.split(b"content-length: ", 1)[1].split(b"\r", 1)[0])
        if len(self.buffer) < end + 4 + length:
            return
        self.taken.append(time.perf_counter() - self.began)
        if head.startswith(b"http/1.1 200"):
            case = self.cases[self.turn]
            case[1] = int(head.split(b'etag: "', 1)[1].split(b'"', 1)[0])
            case[2] = (case[2] + 1) % len(STEPS)
        else:
            self.failed.append(self.buffer[: end + 300].decode(errors="replace"))
            self.running = False
        self.buffer = b""
        self.turn = (self.turn + 1) % len(self.cases)
        if self.running:
            self.send()
        else:
            self.transport.close()

    def connection_lost(self, exc: Exception | None) -> None:
        """Over."""
        if self.running:
            self.failed.append(f"connection lost: {type(exc).__name__}")
        if not self.done.done():
            self.done.set_result(None)


async def drive(orders: dict[str, Any]) -> dict[str, Any]:
    """Carry out the orders."""
    heads = []
    for staff_no, _, body in STEPS:
        text = json.dumps(body).encode()
        heads.append(
            b"POST /cases/@\r\nHost: bench\r\nAuthorization: Bearer %s\r\nContent-Type: application/json\r\n"
            b"Content-Length: %d\r\n\r\n%s" % (orders["tokens"][staff_no].encode(), len(text), text)
        )
    loop = asyncio.get_running_loop()
    taken, failed, clients, connections = array("d"), list[str](), int(orders["clients"]), list[Connection]()
    for number in range(clients):
        mine = orders["cases"][number::clients]
        make = partial(Connection, heads, mine, taken, failed)
        _, connection = await loop.create_connection(make, "127.0.0.1", orders["port"])
        connections.append(connection)
    await asyncio.sleep(orders["warm_up"])
    begin, began, used = len(taken), time.perf_counter(), time.process_time()
    await asyncio.sleep(orders["seconds"])
    while len(taken) == begin and not failed and time.perf_counter() - began < _FIRST_S:
        await asyncio.sleep(0.05)
    seconds, measured, used = time.perf_counter() - began, sorted(taken[begin:]), time.process_time() - used
    for connection in connections:
        connection.running = False
    await asyncio.wait([connection.done for connection in connections], timeout=10)
    return {
        "per_second": len(measured) / seconds, "events": len(measured), "failed": failed[:3], "client_cpu_s": used,
        "p50_ms": measured[len(measured) // 2] * 1e3 if measured else 0,
        "p99_ms": measured[len(measured) * 99 // 100] * 1e3 if measured else 0,
        "cases": orders["cases"], "seconds": seconds,
    }  # fmt: skip


if __name__ == "__main__":
    print(json.dumps(uvloop.run(drive(json.load(sys.stdin)))))
