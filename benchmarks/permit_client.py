"""Callers who ask for permits, in a process of its own: each as soon as it is answered, or once in a while.

Run by `permits.py`: reads its orders as JSON from stdin, prints what it measured as JSON.
"""

import asyncio
import json
import sys
import time
from array import array
from itertools import count
from typing import Any

import uvloop

_asked = count(1)


class Caller(asyncio.Protocol):
    """One caller: asks for a permit of the next case and waits for the answer."""

    def __init__(self, head: bytes, cases: int, every_s: float, taken: "array[float]", failed: list[str]) -> None:
        self.head, self.cases, self.every_s, self.taken, self.failed = head, cases, every_s, taken, failed
        self.running = True
        self.began = 0.0
        self.buffer = b""
        self.transport: Any = None
        self.done = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin."""
        self.transport = transport
        self.ask()

    def ask(self) -> None:
        """For the debtor of a case on the number on record, which has the number of the case."""
        if not self.running:
            self.transport.close()
            return
        case = next(_asked) * 7_919 % self.cases + 1
        body = b'{"case_id":%d,"party":"debtor","contact_id":%d,"channel":"call"}' % (case, case)
        self.began = time.perf_counter()
        self.transport.write(b"%sContent-Length: %d\r\n\r\n%s" % (self.head, len(body), body))

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
        took = time.perf_counter() - self.began
        self.taken.append(took)
        if not head.startswith(b"http/1.1 200"):
            self.failed.append(self.buffer[: end + 300].decode(errors="replace"))
            self.running = False
        self.buffer = b""
        wait = self.every_s - took
        if wait > 0:
            asyncio.get_running_loop().call_later(wait, self.ask)
        else:
            self.ask()

    def connection_lost(self, exc: Exception | None) -> None:
        """Over."""
        if self.running:
            self.failed.append(f"connection lost: {type(exc).__name__}")
        if not self.done.done():
            self.done.set_result(None)


async def drive(orders: dict[str, Any]) -> dict[str, Any]:
    """Carry out the orders: `callers` at a time, each every `every_s` seconds (0: at once)."""
    head = (
        b"POST /contact-permits HTTP/1.1\r\nHost: bench\r\nAuthorization: Bearer %s\r\n"
        b"Content-Type: application/json\r\n" % orders["token"].encode()
    )
    loop, taken, failed = asyncio.get_running_loop(), array("d"), list[str]()
    callers = []
    for number in range(orders["callers"]):
        made = Caller(head, orders["cases"], orders["every_s"], taken, failed)
        await loop.create_connection(lambda made=made: made, "127.0.0.1", orders["port"])  # type: ignore[misc]  # bound
        callers.append(made)
        await asyncio.sleep(orders["every_s"] / orders["callers"] if number else 0)
    await asyncio.sleep(orders["warm_up"])
    begin, began = len(taken), time.perf_counter()
    await asyncio.sleep(orders["seconds"])
    seconds, measured = time.perf_counter() - began, sorted(taken[begin:])
    for one in callers:
        one.running = False
    await asyncio.wait([one.done for one in callers], timeout=10)
    return {
        "per_second": len(measured) / seconds, "asked": len(measured), "failed": failed[:3],
        "p50_ms": measured[len(measured) // 2] * 1e3 if measured else 0,
        "p99_ms": measured[len(measured) * 99 // 100] * 1e3 if measured else 0,
    }  # fmt: skip


if __name__ == "__main__":
    print(json.dumps(uvloop.run(drive(json.load(sys.stdin)))))
