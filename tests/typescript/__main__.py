"""`python -m tests.typescript`: exit 0 if the types are made and compile, or npm is not here, which is said.

The packages are those of `package-lock.json`, by hash, in a folder made for the occasion (a minute, from npm's index).
"""

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import msgspec

from api.app import assemble
from casework.settings import Settings

_HERE = Path(__file__).parent
_MADE = "casework.d.ts"
_STRICT = ("--noEmit", "--strict", "--lib", "es2022,dom", "--target", "es2022",
           "--module", "nodenext", "--moduleResolution", "nodenext", "--skipLibCheck", "false")  # fmt: skip


def run(folder: Path, *command: str) -> None:
    """A command that must succeed, in silence."""
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(
            f"{' '.join(command)}: exit code {done.returncode}\n{done.stdout[-4000:]}{done.stderr[-4000:]}"
        )


def main() -> None:
    """Describe, generate, compile."""
    npm = shutil.which("npm")
    if npm is None:
        sys.stdout.write("types for TypeScript: skipped, there is no npm here\n")
        return
    described = assemble(Settings.from_environment({}).feed_upload_mib).app.openapi_schema.to_schema()
    with tempfile.TemporaryDirectory(prefix="casework-typescript-") as name:
        folder = Path(name)
        for file in ("package.json", "package-lock.json", "client.ts"):
            shutil.copyfile(_HERE / file, folder / file)
        (folder / "openapi.json").write_bytes(msgspec.json.encode(described, enc_hook=str))
        run(folder, npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund")
        run(folder, npm, "exec", "--offline", "--", "openapi-typescript", "openapi.json", "--output", _MADE)
        run(folder, npm, "exec", "--offline", "--", "tsc", *_STRICT, _MADE, "client.ts")
        lines = (folder / _MADE).read_text(encoding="utf-8").count("\n")
    sys.stdout.write(f"types for TypeScript: {lines} lines are made of {len(described['paths'])} paths, and compile\n")


if __name__ == "__main__":
    main()
