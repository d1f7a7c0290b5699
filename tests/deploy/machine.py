"""A machine of its own to install on: this one's files under a layer that goes again, systemd as its first process.

It needs root, `unshare` and overlayfs; nothing outside of its folder is written, and it has no network but while it is
prepared.
"""

import os
import shutil
import subprocess
from pathlib import Path
from typing import Final

# The layer lies in memory. PID 1 must not be in a chroot: whoever is may make no user namespace (PrivateUsers=).
_OUTSIDE: Final = """
set -eu
cd "$PLACE"
mkdir layer; mount -t tmpfs -o mode=755 layer layer
mkdir layer/upper layer/work layer/root
root=$PLACE/layer/root
mount -t overlay overlay -o lowerdir=/,upperdir=layer/upper,workdir=layer/work "$root"
mount --bind /dev "$root/dev"; mount -t sysfs sysfs "$root/sys"; mount -t proc proc "$root/proc"
mount -t tmpfs run "$root/run"; mount -t tmpfs tmp "$root/tmp"
mkdir "$root/tmp/carried"; mount --bind "$PLACE" "$root/tmp/carried"
chroot "$root" bash -eux /tmp/carried/prepare.sh
umount "$root/proc"
export root
exec unshare --net --pid --uts --ipc --cgroup --fork --kill-child bash -eu -c '
  mount -t proc proc "$root/proc"; mount --bind -o ro "$root/proc/sys" "$root/proc/sys"
  mkdir -p "$root/sys/fs/cgroup"; mount -t cgroup2 cgroup "$root/sys/fs/cgroup"
  python3 -c "$LOOPBACK_UP"
  cd "$root"; mkdir old; pivot_root . old
  exec chroot . bash -eu -c "umount -l /old; exec /lib/systemd/systemd --system --unit=trial.target --log-level=warning"
'
"""
_LOOPBACK_UP: Final = (
    "import fcntl, socket, struct; "
    "fcntl.ioctl(socket.socket(), 0x8914, struct.pack('16sh14x', b'lo', 0x1 | 0x40))"  # SIOCSIFFLAGS: IFF_UP, RUNNING
)
# Nothing of this machine's own starts there.
_FIRST: Final = """
find /etc/systemd/system /lib/systemd/system -name '*.wants' -type d -prune -exec rm -rf {} +
rm -rf /etc/systemd/system/*.service /etc/systemd/system/*.timer
cat >/etc/systemd/system/trial.service <<'END'
[Unit]
DefaultDependencies=no
[Service]
Type=oneshot
StandardOutput=file:/tmp/carried/trial.out
StandardError=file:/tmp/carried/trial.out
ExecStart=/bin/bash -eux /tmp/carried/trial.sh
ExecStopPost=/bin/sh -c 'echo "$EXIT_STATUS" >/tmp/carried/trial.code; systemctl --force exit'
END
printf '[Unit]\\nDefaultDependencies=no\\nWants=trial.service\\n' >/etc/systemd/system/trial.target
"""


def wanting() -> str | None:
    """Why there can be no such machine here; None where there can."""
    if os.geteuid() != 0:
        return "only root can make a machine of its own"
    for program in ("unshare", "pivot_root", "systemctl"):
        if shutil.which(program) is None:
            return f"no {program} on this machine"
    tried = subprocess.run(["unshare", "--mount", "--pid", "--fork", "true"], capture_output=True, check=False)
    return "no namespaces can be made here" if tried.returncode else None


def tried_on_a_machine_of_its_own(place: Path, prepare: str, trial: str) -> tuple[int, str]:
    """Exit code and all that was said: `prepare` with a network, `trial` under systemd; `place` is its /tmp/carried."""
    (place / "prepare.sh").write_text(_FIRST + prepare)
    (place / "trial.sh").write_text(trial)
    named = {
        name: value for name, value in os.environ.items() if not name.startswith(("CASEWORK_", "PYTHON", "VIRTUAL"))
    }
    own = {
        "PLACE": str(place),
        "LOOPBACK_UP": _LOOPBACK_UP,
        "PATH": "/usr/sbin:/usr/bin:/sbin:/bin",
        "container": "trial",
    }
    made = subprocess.run(
        ["unshare", "--mount", "--propagation", "private", "bash", "-c", _OUTSIDE], env=named | own,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=600, check=False,
    )  # fmt: skip
    code, out = place / "trial.code", place / "trial.out"
    said = made.stdout + (out.read_text() if out.exists() else "")
    return int(code.read_text()) if code.exists() else -1, said
