"""The units of systemd: nothing is wrong in them, each is hardened, and what they start is a command that there is."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest
from click.testing import CliRunner

from casework.cli.main import main
from casework.settings import Settings
from tests.deploy.blocks import DEPLOY, ROOT

ANALYZE = shutil.which("systemd-analyze")
UNITS = DEPLOY / "systemd"
SERVICES = sorted(path.name for path in UNITS.glob("*.service"))
EXPOSED_AT_MOST = 12  # tenths, of 100; a service without a word on it has 9.6
pytestmark = pytest.mark.skipif(ANALYZE is None, reason="no systemd-analyze on this machine")


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A machine's files as far as they are looked at: its targets, our units, what they start."""
    root = tmp_path_factory.mktemp("root")
    system = root / "usr/lib/systemd/system"
    system.mkdir(parents=True)
    for kind in ("*.target", "*.slice"):
        for path in Path("/lib/systemd/system").glob(kind):
            shutil.copy(path, system)
    shutil.copytree(UNITS, root / "etc/systemd/system")
    for program in ("opt/casework/bin/casework", "bin/sh"):
        (root / program).parent.mkdir(parents=True)
        (root / program).write_text("#!\n")
        (root / program).chmod(0o755)
    return root


def analyze(root: Path, *arguments: str) -> tuple[int, str]:
    """Exit code and what it said."""
    done = subprocess.run(
        [str(ANALYZE), f"--root={root}", *arguments], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        check=False,
    )  # fmt: skip
    return done.returncode, re.sub(r"^# Not showing unlisted.*\n", "", done.stdout, flags=re.MULTILINE)


def test_nothing_is_wrong_in_any_unit(root: Path) -> None:
    assert len(SERVICES) == 6
    units = sorted(path.name for kind in ("*.service", "*.timer") for path in UNITS.glob(kind))
    assert analyze(root, "verify", *units) == (0, "")


@pytest.mark.parametrize(
    ("changed", "to"),
    [("ProtectSystem", "ProtectSystm"), ("ExecStart=/opt/casework", "ExecStart=/nowhere"), ("06:00:00", "06:60:00")],
)
def test_a_fault_in_a_unit_is_told(root: Path, tmp_path: Path, changed: str, to: str) -> None:
    """The corrupt twin: whatever is silent about ours is not silent about these."""
    twin = tmp_path / "root"
    shutil.copytree(root, twin)
    for path in (twin / "etc/systemd/system").rglob("*.*"):
        if path.is_file():
            path.write_text(path.read_text().replace(changed, to))
    assert analyze(twin, "verify", "casework-serve.service", "casework-sweep.timer")[1] != ""


@pytest.mark.parametrize("service", SERVICES)
def test_each_service_is_hardened(root: Path, service: str) -> None:
    """The witness and the timers as the service itself: one file of settings is for all."""
    code, said = analyze(root, "security", "--offline=true", f"--threshold={EXPOSED_AT_MOST}", service)
    assert code == 0, said


@pytest.mark.parametrize("service", SERVICES)
def test_what_a_unit_starts_is_a_command_with_these_options(service: str) -> None:
    (line,) = re.findall(r"^ExecStart=.*/opt/casework/bin/casework (.*)$", (UNITS / service).read_text(), re.MULTILINE)
    words = re.match(r"(?:[a-z]+ ?)+", line)
    assert words is not None
    told = CliRunner().invoke(main, [*words[0].split(), "--help"])
    assert told.exit_code == 0
    assert [option for option in re.findall(r"--[a-z-]+", line) if option not in told.output] == []


def test_the_settings_are_ones_that_there_are() -> None:
    """Those that are set, and those that stand there to be taken."""
    text = (DEPLOY / "casework.env").read_text(encoding="utf-8")
    given = dict(re.findall(r"^#?(CASEWORK_\w+)='?([^'\n]*)'?$", text, re.MULTILINE))
    assert len(given) > 8
    known = (ROOT / "docs" / "settings.md").read_text(encoding="utf-8")
    assert [name for name in given if f"`{name}`" not in known] == []
    assert Settings.from_environment(given).keys_dir == Path("/var/lib/casework/keys")
