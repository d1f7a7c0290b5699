"""From settings to a working branch: engine, keys, rulebook, and the checks that must hold before work begins."""

from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy.engine import Connection, Engine

from casework.clock import Clock, now
from casework.errors import CallerError
from casework.log.tables import keys as key_rows
from casework.log.tables import texts
from casework.operation.keys_needed import as_it_is, check_nothing_needed, keys_at_hand
from casework.oversight.privacy.columns import ALL
from casework.people.staff.actor import Actor
from casework.personal import Vault
from casework.settings import Keys, Settings, ensure_keys, fingerprint
from casework.storage import schema
from casework.storage.append_only import missing_guards
from casework.storage.database import open_engine, reading, writing
from casework.work.cases.branch import Above, Branch
from casework.work.cases.rulebook import load_rulebook
from casework.work.cases.unpublished import check_as_published, unpublished


@dataclass(frozen=True)
class Started:
    """What an edge works with."""

    settings: Settings
    engine: Engine
    branch: Branch


def start(settings: Settings, *, check: bool = True) -> Started:
    """Open the branch that `settings` name; CallerError if the database, the keys or the rulebook are not ready."""
    keys = keys_at_hand(settings)
    branch = branch_of(settings, keys)
    engine = open_engine(settings.database_url)
    try:
        if check:
            with reading(engine) as conn:
                check_ready(conn, branch, keys)
    except BaseException:
        engine.dispose()
        raise
    return Started(settings, engine, branch)


def branch_of(settings: Settings, keys: Keys) -> Branch:
    """The rulebook and keys, without a database."""
    vault = Vault(keys.personal, keys.blind)
    rulebook = load_rulebook(settings.statecharts)
    return Branch(
        rulebook,
        vault,
        keys.mac,
        look_above=_above,
        loans_dir=settings.loans_dir,
        files_at=(settings.files or str(settings.loans_dir.with_suffix(".files")), settings.file_secrets),
    )


def _above() -> Above:
    from casework.lifecycles import AFTERWARDS, APART, KINDS  # noqa: PLC0415  # see Branch.look_above
    from casework.work.gate.visits import against_visits  # noqa: PLC0415  # see Branch.look_above
    from casework.work.handover.standing import handing_over  # noqa: PLC0415  # see Branch.look_above

    return Above(APART, KINDS, handing_over, AFTERWARDS, against_visits)


def upgrade(settings: Settings, actor: Actor, *, clock: Clock = now) -> list[str]:
    """`casework db upgrade`: schema, keys, published rulebook; what was published now.

    CallerErrors `key_missing`, `key_wrong`, `text_changed` where the database is in use and what it was written with is
    not at hand: then nothing is changed, the schema neither.
    """
    # Most commands neither make keys nor walk nor publish, and importing what does takes long.
    from casework.log.write import receipt_keys, signer  # noqa: PLC0415  # see above
    from casework.storage import migrate  # noqa: PLC0415  # see above
    from casework.work.cases.publish import publish  # noqa: PLC0415  # see above

    check_nothing_needed(settings)
    keys = ensure_keys(settings.keys_dir)
    branch = branch_of(settings, keys)
    _check_fits(settings, branch, keys)
    origin = origin_of(settings, keys)
    signer.make_keys_once(settings.keys_dir, origin)
    receipt_keys.make_once(settings.keys_dir, signer.signed_origin(settings.keys_dir) or origin)
    migrate.upgrade(settings)
    engine = open_engine(settings.database_url)
    try:
        with writing(engine) as conn:
            _register_keys(conn, keys)
            return publish(conn, branch, actor, clock=clock)
    finally:
        engine.dispose()


def _check_fits(settings: Settings, branch: Branch, keys: Keys) -> None:
    """Keys and texts against what the database was written with, at whatever schema it is."""
    with as_it_is(settings) as conn:
        there = set() if conn is None else set(sa.inspect(conn).get_table_names())
        if conn is not None and key_rows.name in there and conn.execute(sa.select(key_rows)).first() is not None:
            check_keys(conn, keys)
        if conn is not None and texts.name in there:
            check_as_published(conn, branch)


def origin_of(settings: Settings, keys: Keys) -> str:
    """The name of the log that this branch begins: the setting's, or one that no other branch has."""
    from casework.log.write.logs import default_origin  # noqa: PLC0415  # see `upgrade`

    return settings.log_origin or default_origin(fingerprint("casework/log-origin\n", keys.mac))


def check_ready(conn: Connection, branch: Branch, keys: Keys) -> None:
    """Schema at head, append-only guards standing, the right keys, the rulebook published; else CallerError."""
    check_schema(conn)
    missing = missing_guards(conn)
    if missing:
        raise CallerError("guards_missing", guards=missing)
    check_keys(conn, keys)
    waiting = unpublished(conn, branch)
    if waiting:
        raise CallerError("rulebook_unpublished", texts=waiting)


def check_schema(conn: Connection) -> None:
    """CallerError `schema_not_current` unless the database is at the newest revision, and as that is today."""
    revision = schema.revision(conn)
    if revision == schema.NEWEST and (lacking := schema.lacking(conn, ALL)):
        raise CallerError(
            "schema_not_current", f"数据库由同一结构编号的另一版本建立，缺少{'、'.join(lacking[:3])}",
            f"the database was made by another version with the same revision: it lacks {', '.join(lacking[:3])}",
            revision=revision, lacking=lacking,
        )  # fmt: skip
    if revision != schema.NEWEST:
        raise CallerError("schema_not_current", revision=revision)


def fingerprints(keys: Keys) -> dict[str, str]:
    """What tells these keys from others, by purpose; kept in the database and beside backups."""
    return {name: fingerprint(f"casework/{name}\n", getattr(keys, name)) for name in ("mac", "personal", "blind")}


def _register_keys(conn: Connection, keys: Keys) -> None:
    if conn.execute(sa.select(sa.func.count()).select_from(key_rows)).scalar_one() == 0:
        rows = [{"purpose": name, "fingerprint": text} for name, text in fingerprints(keys).items()]
        conn.execute(key_rows.insert(), rows)
    check_keys(conn, keys)


def check_keys(conn: Connection, keys: Keys) -> None:
    """CallerError `key_wrong` unless these are the keys that the database was written with."""
    wrong = unlike(conn, keys)
    if wrong:
        raise CallerError(
            "key_wrong",
            f"密钥 {'、'.join(wrong)} 与数据库不符；请取回写入该数据库时所用的密钥文件",
            f"the keys {', '.join(wrong)} are not the ones this database was written with: bring those back",
            keys=wrong,
        )


def unlike(conn: Connection, keys: Keys) -> list[str]:
    """The purposes of the keys that are others than the database's own row of them says."""
    held = {row.purpose: row.fingerprint for row in conn.execute(sa.select(key_rows))}
    return sorted(name for name, text in fingerprints(keys).items() if held.get(name) != text)


__all__ = [
    "Started", "branch_of", "check_keys", "check_ready", "check_schema", "fingerprints", "origin_of", "start",
    "unlike", "upgrade",
]  # fmt: skip
