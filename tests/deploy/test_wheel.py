"""The package as it is carried to another machine: whole, nothing else in it, and at work far from the repository.

It is installed beside what the run-time lock pins and nothing of ours, taken from this environment: that `pip` fetches
just these by their hashes, `make demo` shows daily, and `test_installed` for a machine of its own.
"""

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import sysconfig
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from importlib.metadata import distribution
from pathlib import Path
from urllib.error import URLError
from urllib.request import urlopen
from zipfile import ZipFile

import pytest

from supply.lock import pins
from tests.deploy.blocks import ROOT

MOVED = {"src/": "", "statecharts/": "casework/_statecharts/", "migrations/": "casework/_migrations/"}


@pytest.fixture(scope="module")
def carried(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What `make wheel` makes."""
    place = tmp_path_factory.mktemp("carried") / "dist"
    made = subprocess.run(["make", "wheel", f"DIST={place}"], cwd=ROOT, capture_output=True, text=True, check=False)
    if made.returncode and "No matching distribution" in made.stderr:
        pytest.skip("what builds the package cannot be had: no package index here")
    assert made.returncode == 0, made.stderr
    return place


def linked(source: str | Path, target: str | Path) -> None:
    """The same file once more, copied where it lies on another disk."""
    try:
        os.link(source, target)
    except OSError:
        shutil.copy(source, target)


@pytest.fixture(scope="module")
def elsewhere(carried: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with an environment of its own in `.venv`, as somebody has it who never saw the repository."""
    place = tmp_path_factory.mktemp("elsewhere")
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", place / ".venv"], check=True)
    python = place / ".venv/bin/python"
    site = place / f".venv/lib/python{sys.version_info.major}.{sys.version_info.minor}/site-packages"
    here = Path(sysconfig.get_path("purelib"))
    for pin in pins(ROOT / "requirements.txt"):
        files = (distribution(pin.name).files or ()) if pin.is_for_here else ()
        for top in {file.parts[0] for file in files} - {"..", "__pycache__"}:
            if (here / top).is_dir():
                shutil.copytree(here / top, site / top, copy_function=linked, dirs_exist_ok=True)
            else:
                linked(here / top, site / top)
    (wheel,) = carried.glob("*.whl")
    pip = [
        sys.executable,
        "-m",
        "pip",
        "--python",
        str(python),
        "install",
        "--quiet",
        "--no-deps",
        "--no-index",
        str(wheel),
    ]
    subprocess.run(pip, check=True)
    return place


def environment(place: Path) -> dict[str, str]:
    """Of a shell there: no setting of ours, and the program not on the PATH."""
    return {"PATH": "/usr/bin:/bin", "HOME": str(place), "LC_ALL": "C.UTF-8"}


def casework(place: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """The program as it is typed there."""
    command = [".venv/bin/casework", *arguments]
    return subprocess.run(command, cwd=place, env=environment(place), capture_output=True, text=True, check=False)


@contextmanager
def served(place: Path) -> Iterator[str]:
    """The demo, served there; its address."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{probe.getsockname()[1]}"
    command = [".venv/bin/casework", "serve", "--demo", "--port", url.rpartition(":")[2]]
    with (place / "serve.log").open("wb") as log, subprocess.Popen(
        command, cwd=place, env=environment(place), stdout=log, stderr=log
    ) as process:  # fmt: skip
        try:
            deadline = time.monotonic() + 30
            while time.monotonic() < deadline and process.poll() is None:
                with suppress(URLError):
                    assert urlopen(f"{url}/health/ready").status == 200
                    break
                time.sleep(0.05)
            yield url
        finally:
            process.send_signal(signal.SIGTERM)


def test_the_package_has_what_the_repository_has_and_nothing_else(carried: Path) -> None:
    """Code, charts, migrations, words and assets; no test, no bytecode, nothing that nobody committed."""
    tracked = subprocess.run(
        ["git", "ls-files", *MOVED], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout.splitlines()
    expected = {
        there + name.removeprefix(here) for name in tracked for here, there in MOVED.items() if name.startswith(here)
    }
    (wheel,) = carried.glob("*.whl")
    with ZipFile(wheel) as archive:
        found = {name for name in archive.namelist() if ".dist-info/" not in name}
        metadata = archive.read(next(name for name in archive.namelist() if name.endswith("/METADATA"))).decode()
    assert found == expected
    assert "pytest" not in metadata
    assert str(ROOT) not in metadata


def test_what_is_carried_has_its_digests(carried: Path) -> None:
    """The lock with the hash of everything, the units, the settings; a file that was changed on the way is found."""
    check = ["sha256sum", "--check", "--quiet", "SHA256SUMS"]
    assert subprocess.run(check, cwd=carried, capture_output=True, check=False).returncode == 0
    assert (carried / "requirements.txt").read_bytes() == (ROOT / "requirements.txt").read_bytes()
    settings = carried / "deploy/casework.env"
    kept = settings.read_bytes()
    settings.write_bytes(kept + b"CASEWORK_ALLOW_OWNER=1\n")
    assert subprocess.run(check, cwd=carried, capture_output=True, check=False).returncode == 1
    settings.write_bytes(kept)


def test_it_works_far_from_the_repository(elsewhere: Path) -> None:
    """The demo, what the demo prints, the service with its console; and a demo that is served stays as it is."""
    made = casework(elsewhere, "demo", "--loans", "1000")
    assert made.returncode == 0, made.stderr
    printed = re.findall(r"^  (export .*|\.venv/bin/casework (?:feed|case) .*)$", made.stdout, re.MULTILINE)
    assert len(printed) == 3
    typed = subprocess.run(
        ["bash", "-euc", "\n".join(printed)], cwd=elsewhere, env=environment(elsewhere), capture_output=True, text=True,
        check=False,
    )  # fmt: skip
    assert typed.returncode == 0, typed.stderr
    assert "To look at it: .venv/bin/casework serve --demo, then" in made.stdout
    with served(elsewhere) as url:
        assert urlopen(f"{url}/health/ready").read() == b'{"status":"ok"}'
        page = urlopen(f"{url}/console").read().decode()
        style = re.search(r'href="(/console/[^"]+\.css[^"]*)"', page)
        assert style is not None
        assert urlopen(url + style[1]).status == 200
        assert b'"openapi":"3.1' in urlopen(f"{url}/schema/openapi.json").read().replace(b" ", b"")
        before = (elsewhere / "demo/casework.db").stat().st_ino
        again = casework(elsewhere, "demo", "--loans", "1000")
        assert (again.returncode, again.stderr[:13]) == (1, "demo_in_use: ")
        assert "casework serve --demo" in again.stderr
        time.sleep(1)  # the sealer has looked twice
        assert urlopen(f"{url}/health/ready").status == 200
        assert (elsewhere / "demo/casework.db").stat().st_ino == before
    assert '"level":"error"' not in (elsewhere / "serve.log").read_text()
    assert casework(elsewhere, "audit", "verify").returncode == 2  # no database is named: nothing there of the demo
