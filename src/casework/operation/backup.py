"""Backups that are known to be whole: a copy of the database, one of the loans of past days, a manifest of both.

Keys are never in a backup: whoever finds one reads no personal data in it and can forge no entry. They are to
be kept apart, and a backup without its keys cannot be restored.
"""

import errno
import hashlib
import hmac
import os
import shutil
import sqlite3
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any, Final

import msgspec
import sqlalchemy as sa
from psycopg.conninfo import make_conninfo
from sqlalchemy.engine import URL, Connection

from casework.address import names_several, parse_url
from casework.clock import now, utc_text
from casework.errors import CallerError
from casework.evidence.past.past_loans import every_kept
from casework.log.backups import BACKED_UP, BACKUPS
from casework.log.tables import entries
from casework.log.write.kept import measure, sync
from casework.log.write.trail import Draft, Trail
from casework.operation.backed_loans import BackedLoans, loans_path, pack
from casework.operation.keys_needed import keys_at_hand
from casework.operation.startup import check_keys, check_schema, fingerprints
from casework.people.staff.actor import system
from casework.personal import Vault
from casework.settings import Keys, Settings
from casework.storage import schema
from casework.storage.append_only import missing_guards
from casework.storage.database import disposing, open_engine, reading, writing
from casework.storage.driver_errors import translate, try_again
from casework.work.cases.tables import cases
from casework.written_file import written_to

FORMAT: Final = "casework/backup/v1"
"""The stream and event of the entries that say that a backup was made."""
_LABEL: Final = b"casework/backup/v1\n"
_PREFIX: Final = ".casework-backup-"


class Contents(msgspec.Struct, forbid_unknown_fields=True):
    """What a database holds, as far as a copy of it must hold the same."""

    revision: str
    entries: int
    cases: int
    last_entry: str | None  # by id: the head of the log until checkpoints exist
    log_sha256: str  # over the leaf hashes of all entries in order of id


class BackupManifest(msgspec.Struct, forbid_unknown_fields=True):
    """What stands beside a backup; its `mac` needs a key derived from the log's: nobody else can write it."""

    format: str
    kind: str  # sqlite | postgresql
    made_at: datetime
    file: str
    bytes: int
    sha256: str
    contents: Contents
    key_fingerprints: dict[str, str]  # the keys themselves are kept apart
    loans: BackedLoans | None = None  # the loans of past days; none where no feed brought any
    mac: str = ""


def manifest_path(file: Path) -> Path:
    """Where the manifest of a backup lies."""
    return file.with_name(f"{file.name}.manifest.json")


# ── making one ──────────────────────────────────────────────────────────────────────────────────────────────


def backup(settings: Settings, file: Path) -> BackupManifest:
    """Copy the database into `file` (0600) while it is in use; the manifest is written last.

    CallerErrors: backup_exists, backup_unwritable, pg_tool_missing, pg_tool_failed, and what keeps a branch
    from starting (schema_not_current, key_wrong, guards_missing).
    """
    keys = keys_at_hand(settings)
    if any(path.exists() for path in (file, manifest_path(file), loans_path(file))):
        raise CallerError("backup_exists", file=file.name)
    url = parse_url(settings.database_url)
    kind = url.get_backend_name()
    with written_to(file, "backup_unwritable"), beside(file) as temporary, beside(loans_path(file)) as past:
        if kind == "sqlite":
            _copy_sqlite(Path(str(url.database)), temporary)
            copy = open_engine(f"sqlite:///{temporary}", read_only=True)
        else:
            copy = open_engine(settings.database_owner_url or settings.database_url, read_only=True)
        with disposing(copy), reading(copy, snapshot=True) as conn:
            check_sound(conn, keys)
            if kind != "sqlite":
                _dump_postgresql(conn, parse_url(settings.database_owner_url or settings.database_url), temporary)
            contents = contents_of(conn)
            files, lacking = pack(settings.loans_dir, every_kept(conn, keys.mac), past)
        size, digest = measure(temporary)
        prints = fingerprints(keys)
        manifest = BackupManifest(FORMAT, kind, now(), file.name, size, digest, contents, prints)
        if files or lacking:
            manifest.loans = BackedLoans(loans_path(file).name, *measure(past), files, lacking)
        manifest.mac = mac_of(keys, manifest)
        sync(temporary)
        sync(past)
        # Before the file has its name: a backup that nobody knows of could not be named to whoever has data erased.
        _record(settings, keys, manifest)
        temporary.rename(file)
        if manifest.loans is not None:
            past.rename(loans_path(file))
        _write_manifest(file, manifest)
    return manifest


def _record(settings: Settings, keys: Keys, manifest: BackupManifest) -> None:
    """The entry that a copy of everything was made, in the database that was copied; its name stays outside."""
    engine = open_engine(settings.database_url)
    held = manifest.contents
    data = {
        "kind": manifest.kind, "bytes": manifest.bytes, "sha256": manifest.sha256, "entries": held.entries,
        "cases": held.cases, "last_entry": held.last_entry, "made_at": utc_text(manifest.made_at),
    }  # fmt: skip
    with disposing(engine), writing(engine) as conn:
        trail = Trail(keys.mac, Vault(keys.personal, keys.blind), now())
        trail.append(conn, BACKUPS, Draft(BACKED_UP, system("cli").signed, data))
        trail.write(conn)


def contents_of(conn: Connection) -> Contents:
    """Counts and the digest of the log, in one pass with bounded memory; `conn` must be one snapshot."""
    digest = hashlib.sha256()
    number, last = 0, None
    statement = sa.select(entries.c.stream, entries.c.stream_seq, entries.c.leaf_hash).order_by(entries.c.id)
    for batch in conn.execute(statement, execution_options={"yield_per": 5_000}).partitions():
        number += len(batch)
        last = f"{batch[-1][0]}:{batch[-1][1]}"
        digest.update(b"".join([bytes(row[2]) for row in batch]))
    counted = conn.execute(sa.select(sa.func.count()).select_from(cases)).scalar_one()
    return Contents(str(schema.revision(conn)), number, int(counted), last, digest.hexdigest())


def check_sound(conn: Connection, keys: Keys) -> None:
    """CallerErrors schema_not_current, key_wrong, guards_missing."""
    check_schema(conn)
    check_keys(conn, keys)
    missing = missing_guards(conn)
    if missing:
        raise CallerError("guards_missing", guards=missing)


def _copy_sqlite(source: Path, target: Path) -> None:
    """By SQLite's online backup: one moment of the database, while others read and write it."""
    if not source.exists():
        raise try_again("database_gone", f"there is no file {source}")
    try:
        with closing(sqlite3.connect(f"file:{source}?mode=rw", uri=True, timeout=5)) as live:
            live.execute("PRAGMA query_only=ON")
            with closing(sqlite3.connect(target)) as copy:
                live.backup(copy)  # in one step: a busy writer makes several start again and again
                copy.execute("PRAGMA journal_mode=DELETE")  # one file, nothing beside it
    except sqlite3.Error as exc:
        if getattr(exc, "sqlite_errorcode", 0) & 0xFF == sqlite3.SQLITE_FULL:  # nothing is written into the source
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)) from exc
        raise translate(exc) or exc from exc


def _dump_postgresql(conn: Connection, url: URL, target: Path) -> None:
    """By pg_dump, of the very snapshot that `conn` counts in."""
    snapshot = conn.execute(sa.text("SELECT pg_export_snapshot()")).scalar_one()
    if names_several(url):  # only the server where the snapshot is knows of it
        here: Any = conn.connection.driver_connection
        place = {"host": here.info.host, "port": str(here.info.port), "target_session_attrs": "any"}
        url = url.update_query_dict(place)
    run_tool(
        "pg_dump",
        url,
        "--format=custom",
        "--no-owner",
        "--no-privileges",
        f"--snapshot={snapshot}",
        f"--file={target}",
    )


def run_tool(tool: str, url: URL, *arguments: str) -> None:
    """A tool of PostgreSQL from the PATH; the password goes by environment, not where `ps` shows it."""
    found = shutil.which(tool)
    if found is None:
        raise CallerError("pg_tool_missing", tool=tool)
    named = {key: value for key, value in url.query.items() if isinstance(value, str)}
    given = {"host": url.host, "port": url.port, "user": url.username, "dbname": url.database}
    named |= {key: str(value) for key, value in given.items() if value is not None}
    conninfo = make_conninfo("", **named)
    environment = dict(os.environ) | ({"PGPASSWORD": str(url.password)} if url.password else {})
    done = subprocess.run(  # noqa: S603  # a tool of the PATH with arguments of our own
        [found, f"--dbname={conninfo}", *arguments],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        reason = (done.stderr.strip().splitlines() or ["no reason given"])[0][:300]
        raise CallerError("pg_tool_failed", f"{tool} 失败：{reason}", f"{tool} failed: {reason}", tool=tool)


# ── files ───────────────────────────────────────────────────────────────────────────────────────────────────


@contextmanager
def beside(file: Path) -> Iterator[Path]:
    """A private file in the same folder, to be renamed when it is whole; gone in any case."""
    handle, name = tempfile.mkstemp(prefix=_PREFIX, dir=file.absolute().parent)  # 0600
    os.close(handle)
    temporary = Path(name)
    try:
        yield temporary
    finally:
        for left in (temporary, *(Path(f"{temporary}{suffix}") for suffix in SQLITE_SUFFIXES)):
            left.unlink(missing_ok=True)


SQLITE_SUFFIXES: Final = ("-wal", "-shm", "-journal")


def _write_manifest(file: Path, manifest: BackupManifest) -> None:
    with beside(file) as temporary:
        temporary.write_bytes(msgspec.json.format(msgspec.json.encode(manifest), indent=2) + b"\n")
        sync(temporary)
        temporary.rename(manifest_path(file))
    sync(file.absolute().parent)


def mac_of(keys: Keys, manifest: BackupManifest) -> str:
    """HMAC-SHA256 of the manifest without `mac`, with a key of its own purpose derived from the log's."""
    bare: dict[str, Any] = msgspec.to_builtins(manifest)
    del bare["mac"]
    own = hmac.digest(keys.mac, _LABEL, "sha256")
    return hmac.digest(own, msgspec.json.encode(bare, order="deterministic"), "sha256").hex()
