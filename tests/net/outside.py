"""A branch as its people reach it: the command line and the HTTP API, by the names that operators and callers use.

Nothing here knows a module of the product: what these tests hold may not turn on where code stands.
"""

import csv
import hashlib
import io
import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from importlib import import_module
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

import httpx
from click import Command
from click.testing import CliRunner


@cache
def _command() -> Command:
    """`casework`, as it is installed: the group beside what its script runs."""
    (script,) = entry_points(group="console_scripts", name="casework")
    found: Command = import_module(script.module).main
    return found


@dataclass(frozen=True)
class Said:
    """How a command ended."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """What it printed, with `--json`."""
        return json.loads(self.out)


@dataclass
class Branch:
    """One branch: the environment that names it, and a folder for what is written on the way."""

    environment: Mapping[str, str]
    folder: Path
    tokens: dict[str, str] = field(default_factory=dict)

    def try_(self, *arguments: str | Path) -> Said:
        """`casework ARGUMENTS`, however it ends; a bug is raised."""
        own: dict[str, str | None] = {name: None for name in os.environ if name.startswith("CASEWORK_")}
        shell = CliRunner(env={**own, **self.environment, "COLUMNS": "118", "NO_COLOR": "1"})
        done = shell.invoke(_command(), list(map(str, arguments)), catch_exceptions=False, prog_name="casework")
        return Said(done.exit_code, done.stdout, done.stderr)

    def do(self, *arguments: str | Path) -> Said:
        """`casework ARGUMENTS`, which must succeed."""
        said = self.try_(*arguments)
        assert said.code == 0, (arguments, said)
        return said

    def feed(self, as_of: str, **files: Sequence[Mapping[str, str]]) -> Said:
        """Import a feed of these rows by kind of file, many vanished loans or none."""
        folder = written_feed(self.folder / f"feed-{as_of}", as_of, files)
        return self.do("feed", "import", folder, "--confirm-vanished", "--json")

    @contextmanager
    def served(self) -> Iterator["Served"]:
        """`casework serve` on it, which leaves the log unsealed."""
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        command: list[str | Path] = [Path(sys.executable).with_name("casework"), "serve", "--port", str(port)]
        own = {name: value for name, value in os.environ.items() if not name.startswith("CASEWORK_")}
        with (self.folder / "serve.log").open("wb") as log:
            process = subprocess.Popen(
                command, stdout=log, stderr=log, cwd=self.folder, env={**own, **self.environment, "CASEWORK_SEAL": "0"}
            )
            try:
                with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=30) as client:
                    _wait_until_ready(client, process)
                    yield Served(client, self.tokens)
            finally:
                process.terminate()
                process.wait(30)


@dataclass(frozen=True)
class Served:
    """The API of a branch, and the tokens of its people."""

    client: httpx.Client
    tokens: Mapping[str, str]

    def ask(self, who: str, method: str, path: str, body: Any = None) -> httpx.Response:
        """One request as somebody."""
        headers = {"Authorization": f"Bearer {self.tokens[who]}"}
        if method == "POST":
            headers["If-Match"] = "*"
        return self.client.request(method, path, json=body, headers=headers)

    def get(self, who: str, path: str) -> Any:
        """What a GET answers, which must be 200."""
        answer = self.ask(who, "GET", path)
        assert answer.status_code == 200, (path, answer.text)
        return answer.json()

    def post(self, who: str, path: str, body: Any) -> Any:
        """What a POST answers, which must succeed."""
        answer = self.ask(who, "POST", path, body)
        assert answer.status_code in (200, 201), (path, body, answer.text)
        return answer.json()


def _wait_until_ready(client: httpx.Client, process: "subprocess.Popen[bytes]") -> None:
    deadline = time.monotonic() + 60
    while process.poll() is None and time.monotonic() < deadline:
        try:
            if client.get("/health/ready").status_code == 200:
                return
        except httpx.TransportError:
            pass
        time.sleep(0.05)
    raise RuntimeError("casework serve did not start")


# ── feeds ────────────────────────────────────────────────────────────────────────────────────────────────────────────

_AMOUNTS: Mapping[str, tuple[str, ...]] = {
    "loans": ("outstanding_principal",),
    "overdue": ("overdue_principal", "overdue_interest", "overdue_penalty"),
    "repayments": ("amount",),
}


def written_feed(folder: Path, as_of: str, files: Mapping[str, Sequence[Mapping[str, str]]]) -> Path:
    """A feed folder of these rows, with the manifest that is right for it."""
    folder.mkdir(parents=True)
    stated = []
    for kind, rows in files.items():
        out = io.StringIO(newline="")
        writer = csv.DictWriter(out, list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
        content, name = out.getvalue().encode(), f"{kind}-{as_of}.csv"
        (folder / name).write_bytes(content)
        total = sum(round(float(row[amount]) * 100) for row in rows for amount in _AMOUNTS[kind])
        stated.append({
            "name": name, "kind": kind, "rows": len(rows), "sha256": hashlib.sha256(content).hexdigest(),
            "control_sum_fen": total,
        })  # fmt: skip
    manifest = {"as_of": as_of, "institution": "wuhan", "files": stated}
    (folder / "manifest.json").write_text(json.dumps(manifest))
    return folder
