"""The doors by which people hand in a folder: the shell, and an upload to the API. What each makes of it is a run."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from litestar.testing import TestClient

from api.app import create_app
from casework.clock import now
from casework.errors import CallerError
from casework.intake.feed import run as runs
from casework.people.staff import tokens
from casework.people.staff.actor import Actor, system
from casework.storage.database import writing
from tests.api.conftest import assembled_once
from tests.feed.bank import Bank
from tests.feed.shell import casework


def _ended(run: runs.Run) -> runs.Run:
    """The run, or its refusal as whoever imports straight would have had it raised."""
    if run.refusal is not None:
        raise CallerError(run.refusal["code"], run.refusal["zh"], run.refusal["en"], **run.refusal["facts"])
    return run


class AtTheShell(Bank):
    """Its folders go in by `casework feed import`."""

    def take(
        self, folder: Path, *, actor: Actor | None = None, confirm: bool = False, correction: bool = False
    ) -> runs.Run:
        flags = ["--confirm-vanished"] * confirm + ["--correction"] * correction + (["--as", actor.id] if actor else [])
        said = casework(self.started.settings, "feed", "import", folder, *flags)
        run = self.runs()[-1]
        assert said.code == (1 if run.refusal else 0), said
        return _ended(run)


class Uploading(Bank):
    """Its folders go in by `POST /feeds`, file by file, sent by a basic-risk manager."""

    def take(
        self, folder: Path, *, actor: Actor | None = None, confirm: bool = False, correction: bool = False
    ) -> runs.Run:
        assert actor is None, "whoever the token is of"
        files = [("files", (path.name, path.read_bytes())) for path in sorted(folder.iterdir())]
        data = {"confirm_vanished": str(confirm).lower(), "correction": str(correction).lower()}
        answer = self.client.post("/feeds", headers=self.headers, files=files, data=data)
        assert answer.status_code == 202, answer.text
        deadline = time.monotonic() + 60
        while (run := self.runs()[-1]).status == runs.RUNNING and time.monotonic() < deadline:
            time.sleep(0.02)
        assert run.id == answer.json()["run"]
        assert run.status != runs.RUNNING
        return _ended(run)

    @contextmanager
    def open(self) -> Iterator["Uploading"]:
        """The application behind a client, as long as the bank sends."""
        self.staff("UP1", "basic_risk_manager")
        with writing(self.started.engine) as conn:
            trail = self.started.branch.trail(now())
            token = tokens.issue(conn, trail, system("cli"), staff_no="UP1")
            trail.write(conn)
        self.headers = {"Authorization": f"Bearer {token}"}
        settings = self.started.settings
        with TestClient(create_app(settings, assembled_once(settings.feed_upload_mib))) as self.client:
            yield self
