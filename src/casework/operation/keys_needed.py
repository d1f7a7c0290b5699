"""Which keys a database was written with and are not at hand: a database that is in use never gets new ones.

New keys would fit nothing that is there: no entry could be verified, no name read again, and a log would go on under a
signing key that nobody trusts. So what is missing is named, to be brought back from its copy.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from casework.address import parse_url
from casework.errors import CallerError, TryAgain
from casework.log.tables import entries, logs
from casework.log.tables import keys as key_rows
from casework.settings import KEY_NAMES, Keys, Settings, load_keys
from casework.storage.database import open_engine, reading
from casework.storage.driver_errors import try_again


def check_nothing_needed(settings: Settings) -> None:
    """CallerError `key_missing` where the database of `settings` was written with keys that its folder lacks.

    A signing key alone that is gone is no hindrance (`signing_key_missing` tells of it): no other is made for it.
    TryAgain where a server does not answer.
    """
    with as_it_is(settings) as conn:
        names = [] if conn is None else needed(conn, settings.keys_dir)
    if names:
        raise _missing(settings.keys_dir, names)


@contextmanager
def as_it_is(settings: Settings) -> Iterator[Connection | None]:
    """The database read before anything is done to it, at whatever schema; none where SQLite has no file yet."""
    url = settings.database_owner_url or settings.database_url
    place = parse_url(url)
    if place.get_backend_name() == "sqlite" and not Path(str(place.database)).exists():
        yield None
        return
    engine = open_engine(url, read_only=True)
    try:
        with reading(engine) as conn:
            yield conn
    finally:
        engine.dispose()


def keys_at_hand(settings: Settings) -> Keys:
    """`load_keys`; where the database is in use, `key_missing` names everything that is to be brought back.

    Where the file of the database is missing with them, TryAgain `database_gone`: that is what stands in the way first.
    """
    try:
        return load_keys(settings.keys_dir)
    except CallerError as lacking:
        if lacking.code == "key_missing":
            _check_file(settings)
            with suppress(TryAgain):  # a database that does not answer cannot say what it was written with
                check_nothing_needed(settings)
        raise


def _check_file(settings: Settings) -> None:
    url = parse_url(settings.database_url)
    if url.get_backend_name() == "sqlite" and not (file := Path(str(url.database)).absolute()).exists():
        raise try_again("database_gone", f"{file}: there is no such file; a new database: casework db upgrade")


def needed(conn: Connection, folder: Path) -> list[str]:
    """The files of keys that this database was written with and that `folder` lacks; none while it is unused."""
    from casework.log.write import receipt_keys, signer  # noqa: PLC0415  # asked where keys lack: not by most commands

    there = set(sa.inspect(conn).get_table_names())
    names = []
    if _has_rows(conn, there, key_rows) or _has_rows(conn, there, entries):
        names += _absent(folder, KEY_NAMES)
    if _has_rows(conn, there, logs) and len(_absent(folder, (signer.KEYS_FILE, signer.KNOWN_FILE))) == 2:
        of_log = signer.KEYS_FILE, signer.KNOWN_FILE, signer.MEMORY_FILE, receipt_keys.KEY_FILE, receipt_keys.KNOWN_FILE
        names += _absent(folder, of_log)
    return names


def _absent(folder: Path, names: Sequence[str]) -> list[str]:
    return [name for name in names if not (folder / name).exists()]


def _has_rows(conn: Connection, there: set[str], table: sa.Table) -> bool:
    return table.name in there and conn.execute(sa.select(sa.literal(1)).select_from(table).limit(1)).scalar() == 1


def _missing(folder: Path, names: Sequence[str]) -> CallerError:
    return CallerError(
        "key_missing",
        f"该数据库已用密钥写入，而 {folder} 中缺少 {'、'.join(names)}；请从备份取回这些文件，未作任何更改",
        f"this database was written with keys that {folder} lacks: bring back {', '.join(names)} from their copy "
        "(or set CASEWORK_KEYS_DIR to where they are); nothing was changed",
        key=names[0], keys=list(names),
    )  # fmt: skip
