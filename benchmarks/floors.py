"""The floor under `events`: pgbench sends what the service sends for one event, one transaction per event."""

import subprocess
from dataclasses import dataclass
from pathlib import Path

from benchmarks.machine import Spread
from benchmarks.place import Place
from tests.postgres_server import APP

REPEATS = 3
ALL, LEAN = "pgbench, every statement", "pgbench, five statements"
NAMES = (ALL, LEAN)


@dataclass
class Floor:
    """What pgbench made of one script."""

    name: str
    clients: int
    per_second: Spread
    mean_ms: float
