"""What takes long is made once in a run of the suite, by the process that asks first; the others wait for it."""

import fcntl
import pickle
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

T = TypeVar("T")


def once(place: Path, make: Callable[[Path], T]) -> T:
    """What `make` told of the folder `place` when it filled it; whoever changes anything there takes a copy."""
    told = place.with_name(f"{place.name}.told")
    with place.with_name(f"{place.name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not told.exists():
            shutil.rmtree(place, ignore_errors=True)  # of one whose making failed
            place.mkdir()
            told.write_bytes(pickle.dumps(make(place)))
        given: T = pickle.loads(told.read_bytes())
        return given
