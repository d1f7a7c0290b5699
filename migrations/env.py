"""Alembic's entry: works on the connection that `casework.storage.migrate` hands over, inside its transaction."""

import importlib
import pkgutil
from typing import Literal

from alembic import context

import casework
from casework.storage.database import UtcDateTime, metadata, with_conditions

# Every slice's tables, so that `alembic revision --autogenerate` compares with all of them.
for module in pkgutil.walk_packages(casework.__path__, "casework."):
    if module.name.endswith(".tables"):
        importlib.import_module(module.name)


def spell(kind: str, item: object, _context: object) -> str | Literal[False]:
    """How a generated revision spells the project's own types (imported by script.py.mako)."""
    return "UtcDateTime()" if kind == "type" and isinstance(item, UtcDateTime) else False


connection = context.config.attributes["connection"]
context.configure(
    connection=connection,
    target_metadata=with_conditions(metadata),
    # Batch mode would recreate SQLite tables and silently drop their triggers: use plain ALTERs.
    render_as_batch=False,
    compare_type=True,
    render_item=spell,
)
context.run_migrations()
