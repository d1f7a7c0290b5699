"""Where the demo lives: one folder with database, keys and feeds, marked so that it may be made anew."""

import os
import shutil
from pathlib import Path
from typing import Final

from casework.errors import CallerError

FOLDER: Final = Path("demo")
_MARK: Final = ".casework-demo"


def environment(folder: Path = FOLDER) -> dict[str, str]:
    """The variable that names the SQLite file in `folder`, unless CASEWORK_DATABASE_URL names a database."""
    if os.environ.get("CASEWORK_DATABASE_URL"):
        return {}
    return {"CASEWORK_DATABASE_URL": f"sqlite:///{folder / 'casework.db'}"}


def fresh(folder: Path) -> None:
    """An empty, marked folder, taking away an earlier demo; CallerError `folder_not_empty` for any other."""
    if folder.exists():
        if not (folder / _MARK).exists() and any(folder.iterdir()):
            raise CallerError("folder_not_empty", folder=str(folder))
        shutil.rmtree(folder)
    folder.mkdir(parents=True)
    (folder / _MARK).touch()
