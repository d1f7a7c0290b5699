"""A server process as an operator starts it: `casework serve`, asked over a real socket."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from casework.settings import Settings

CASEWORK = (str(Path(sys.executable).with_name("casework")),)


@dataclass
class ServerProcess:
    """A running `casework serve`."""

    process: "subprocess.Popen[bytes]"
    url: str
    log_path: Path

    def client(self, token: str) -> httpx.Client:
        """Somebody's client."""
        return httpx.Client(base_url=self.url, headers={"Authorization": f"Bearer {token}"}, timeout=20)

    def connected(self) -> socket.socket:
        """A connection with nothing sent in it yet."""
        host, port = self.url.removeprefix("http://").split(":")
        return socket.create_connection((host, int(port)), timeout=20)

    def stop(self, sign: int = signal.SIGTERM, within_s: float = 30) -> int:
        """Send a signal and wait for the end; the exit code."""
        self.process.send_signal(sign)
        return self.process.wait(within_s)

    def sealers(self) -> list[int]:
        """Of those the ones that seal."""
        command = [b"-m", b"api.sealer_process"]
        return [one for one in self.workers() if Path(f"/proc/{one}/cmdline").read_bytes().split(b"\0")[2:4] == command]

    def workers(self) -> list[int]:
        """Ids of the processes that it has begun."""
        threads = Path(f"/proc/{self.process.pid}/task").glob("*/children")
        return [int(one) for children in threads for one in children.read_text().split()]

    def log(self) -> list[dict[str, Any]]:
        """The lines on stdout, each of which must be JSON."""
        return [json.loads(line) for line in self.log_path.read_text().splitlines()]


def environment(settings: Settings, **more: str) -> dict[str, str]:
    """What an operator would set."""
    return {
        **{name: value for name, value in os.environ.items() if not name.startswith("CASEWORK_")},
        "CASEWORK_DATABASE_URL": settings.database_url,
        "CASEWORK_KEYS_DIR": str(settings.keys_dir),
        "CASEWORK_LOANS_DIR": str(settings.loans_dir),
        **more,
    }


def is_running(process_id: int) -> bool:
    """Whether there is such a process, and it has not ended."""
    try:
        return Path(f"/proc/{process_id}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


@contextmanager
def serving(
    settings: Settings, place: Path, *arguments: str, files: int | None = None, **more: Any
) -> Iterator[ServerProcess]:
    """Start, wait until it is ready, end it at exit whatever happened.

    `files`: how many it may have open; `more` of its environment, as text.
    """
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    log_path = place / "serve.log"
    limited = [] if files is None else ["bash", "-c", f'ulimit -n {files}; exec "$@"', "-"]
    command = [*limited, *CASEWORK, "serve", "--port", str(port), *arguments]
    with log_path.open("wb") as log, (place / "serve.err").open("wb") as err:
        given = environment(settings, **more)
        # A group of its own, as a terminal gives it: what is typed there reaches all its processes.
        process = subprocess.Popen(command, env=given, stdout=log, stderr=err, cwd=place, process_group=0)
    server = ServerProcess(process, f"http://127.0.0.1:{port}", log_path)
    try:
        _wait_until_ready(server, place)
        yield server
    finally:
        if process.poll() is None:
            process.terminate()
            try:
                process.wait(30)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _wait_until_ready(server: ServerProcess, place: Path) -> None:
    deadline = time.monotonic() + 60
    # Over plain HTTP: the system's certificates, which take longer to read than the answer to come, are left alone.
    with httpx.Client(timeout=5, verify=False) as client:
        while time.monotonic() < deadline and server.process.poll() is None:
            with suppress(httpx.TransportError):
                if client.get(f"{server.url}/health/ready").status_code == 200:
                    return
            time.sleep(0.05)
    raise RuntimeError(f"casework serve did not start: {(place / 'serve.err').read_text()}")
