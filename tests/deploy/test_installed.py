"""The papers on installing, run as they stand on a machine of its own: systemd starts what they install, hardened."""

import os
import re
import subprocess
from pathlib import Path

import pytest

from tests.deploy.blocks import DEPLOY, ROOT, blocks
from tests.deploy.machine import tried_on_a_machine_of_its_own, wanting

pytestmark = [
    pytest.mark.skipif("CASEWORK_LONG" not in os.environ, reason="CASEWORK_LONG: two minutes, and a package index"),
    pytest.mark.skipif(wanting() is not None, reason=str(wanting())),
]
README = blocks(DEPLOY / "README.md")
SQLITE = (
    "sed -i 's/^CASEWORK_DATABASE_URL/#&/; s/^#\\(CASEWORK_DATABASE_URL=sqlite\\)/\\1/' /etc/casework/casework.env\n"
)
WAIT = """
ready() {
  local asked='import urllib.request; urllib.request.urlopen("http://127.0.0.1:8000/health/ready")'
  for _ in $(seq 300); do python3 -c "$asked" 2>/dev/null && return 0; sleep 0.2; done
  return 1
}
of() { systemctl show --value --property="$1" "$2"; }
"""
# What the units say lies beside the rest: there is no journal on that machine.
HEARD = r"""
printf '[Service]\nStandardOutput=append:/tmp/carried/units.out\nStandardError=append:/tmp/carried/units.out\n' \
  >/etc/systemd/system/casework-.service.d/trial.conf
systemctl daemon-reload
"""
EACH = """
ready
[ "$(stat -c %a%U /var/lib/casework/casework.db)" = 600casework ]
for one in sweep verify backup; do systemctl start casework-$one.service; done
ls /var/backups/casework/*.manifest.json
systemctl list-timers --all --no-pager | grep -c casework- | grep -qx 4
[ "$(of NoNewPrivileges casework-serve.service)" = yes ]
[ "$(stat -c %U /proc/$(of MainPID casework-serve.service))" = casework ]
"""
WITNESS = """
casework staff add W1 审计 --post auditor
casework staff token W1 | install -m 400 -o casework-witness /dev/stdin /etc/casework/witness.token
LOG_KEY=$(casework keys show)
"""
LOOKS = """
casework keys witness add "$WITNESS_KEY"
echo WITNESSED=http://127.0.0.1:8000 >/etc/casework/witness.env
systemctl start casework-witness.service
/usr/bin/test -s /var/lib/casework-witness/log/last
systemctl start casework-witness.timer
systemctl stop casework-serve.service
if systemctl start casework-witness.service; then exit 3; fi
[ "$(of ExecMainStatus casework-witness.service)" = 2 ]
"""


def test_what_the_papers_install_runs_under_systemd(tmp_path: Path) -> None:
    """Package, users, folders, settings, units, timers, witness, and an upgrade; each block is a shell's own."""
    subprocess.run(["make", "wheel", f"DIST={tmp_path / 'dist'}"], cwd=ROOT, check=True, capture_output=True)
    here = "cd /tmp/carried/dist\n"
    installing, settling, starting, witness = README.values()
    upgrade = blocks(ROOT / "docs" / "operations.md")["a new version of the service"]
    init = re.sub(r"^(setpriv.*)$", r"WITNESS_KEY=$(\1)", witness, flags=re.MULTILINE)
    trial = here + WAIT + settling + HEARD + SQLITE + starting + EACH + WITNESS + init + LOOKS + upgrade + "\nready\n"
    code, said = tried_on_a_machine_of_its_own(tmp_path, here + installing, trial)
    assert code == 0, said + (tmp_path / "units.out").read_text()
