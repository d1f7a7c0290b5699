"""The environment of a command or process of its own: which database, which keys."""

from pathlib import Path

from casework.settings import Settings
from tests.postgres_server import APP, OWNER, Server


def variables_of(settings: Settings) -> dict[str, str]:
    """Of a branch that is there."""
    return {
        "CASEWORK_DATABASE_URL": settings.database_url,
        "CASEWORK_DATABASE_OWNER_URL": settings.database_owner_url or "",
        "CASEWORK_KEYS_DIR": str(settings.keys_dir),
    }


def variables_of_new(database: str, folder: Path, server: Server, name: str) -> dict[str, str]:
    """Of a database that is still empty: a file in `folder`, or one of this name on the server, which is made."""
    keys = {"CASEWORK_KEYS_DIR": str(folder / "keys")}
    if database == "sqlite":
        return keys | {"CASEWORK_DATABASE_URL": f"sqlite:///{folder / 'branch.db'}"}
    server.create_database(name)
    return keys | {
        "CASEWORK_DATABASE_URL": server.url(name, APP), "CASEWORK_DATABASE_OWNER_URL": server.url(name, OWNER)
    }  # fmt: skip
