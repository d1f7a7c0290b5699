"""What the surroundings decide: environment variables, read once at the edge, and the keys."""

import contextlib
import hashlib
import ipaddress
import os
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import time
from pathlib import Path
from urllib.parse import urlsplit

from casework.address import parse_url, place_of
from casework.errors import CallerError
from casework.file_limit import LEAST_CONNECTIONS
from casework.written_file import written_to

DEFAULT_URL = "sqlite:///casework.db"
KEY_BYTES = 32
LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})
Network = ipaddress.IPv4Network | ipaddress.IPv6Network
KEY_NAMES = ("mac", "personal", "blind")
_FLAGS = dict.fromkeys(("1", "true", "yes", "on"), True) | dict.fromkeys(("0", "false", "no", "off"), False)


@dataclass(frozen=True)
class Settings:
    """One reading of the environment; URLs may hold passwords and stay out of repr."""

    database_url: str = field(default=DEFAULT_URL, repr=False)
    database_owner_url: str | None = field(default=None, repr=False)
    allow_owner: bool = False
    keys_dir: Path = Path("casework.db.keys")
    loans_dir: Path = Path("casework.db.loans")  # the loans as each feed brought them
    files: str | None = None  # photos of visits: a folder, or s3://bucket/prefix; none: a folder beside the loans
    file_secrets: tuple[tuple[str, str], ...] = field(default=(), repr=False)  # by which the bucket is reached
    statecharts: Path = Path("statecharts")
    feed_inbox: Path | None = None
    feed_upload_mib: int = 256
    feed_rows: int = 1 << 20  # that a file of a feed may have
    feed_memory_mib: int = 2_048  # that an import may take, in each process of its own
    feed_processes: int = 2  # that an import may use, as far as there are cores
    export_rows: int = 2_000  # that a list may have to be answered at once; a longer one is made behind its page
    log_level: str = "INFO"
    host: str = "127.0.0.1"
    port: int = 8000
    connections: int = 1_024  # of each process, as far as it may open files
    header_timeout_s: int = 10
    body_timeout_s: int = 30  # and longer for what is large, sent or read at a kibibyte a second
    idle_timeout_s: int = 75  # longer than a proxy keeps its connections to us
    oidc_issuer: str | None = None
    oidc_audience: str | None = None
    oidc_claim: str = "preferred_username"
    trusted_proxies: tuple[Network, ...] = ()
    cors_origins: tuple[str, ...] = ()  # whose pages may call the API from a browser, each by its exact origin
    seal: bool = False  # what `casework serve` reads from the environment is on; a program that embeds the API says so
    log_origin: str | None = None
    as_needs_token: bool = False  # at the shell `--as` is not taken on trust: CASEWORK_TOKEN has to be theirs
    token: str | None = field(default=None, repr=False)
    commit: str | None = None  # that this was built from, for the metrics
    sweep_at: time | None = None  # when `casework serve` closes the day, in branch time; none: cron does

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] | None = None) -> "Settings":
        """Settings of `CASEWORK_…` variables (empty: unset); CallerError `setting_malformed` names one."""
        given = _Given(os.environ if environment is None else environment)
        text, path, number = given.text, given.path, given.number
        url, level = text("DATABASE_URL") or DEFAULT_URL, text("LOG_LEVEL") or cls.log_level
        return cls(
            database_url=url,
            database_owner_url=text("DATABASE_OWNER_URL"),
            allow_owner=given.flag("ALLOW_OWNER"),
            keys_dir=path("KEYS_DIR") or default_keys_dir(url, given.environment),
            loans_dir=path("LOANS_DIR") or default_loans_dir(url, given.environment),
            files=text("FILES"),
            file_secrets=tuple(
                (name.lower(), told)
                for name in ("ENDPOINT", "REGION", "ACCESS_KEY_ID", "SECRET_ACCESS_KEY")
                if (told := text(f"FILES_{name}")) is not None
            ),
            statecharts=path("STATECHARTS") or shipped("statecharts"),
            feed_inbox=path("FEED_INBOX"),
            feed_upload_mib=number("FEED_UPLOAD_MIB", cls.feed_upload_mib, 1, 4_096),
            feed_rows=number("FEED_ROWS", cls.feed_rows, 1, 100_000_000),
            feed_memory_mib=number("FEED_MEMORY_MIB", cls.feed_memory_mib, 128, 1_000_000),
            feed_processes=number("FEED_PROCESSES", cls.feed_processes, 1, 2),
            export_rows=number("EXPORT_ROWS", cls.export_rows, 0, 20_000),
            log_level=_one_of("LOG_LEVEL", level.upper(), "DEBUG", "INFO", "WARNING", "ERROR"),
            host=text("HOST") or "127.0.0.1",
            port=number("PORT", cls.port, 0, 65_535),
            connections=number("CONNECTIONS", cls.connections, LEAST_CONNECTIONS, 100_000),
            header_timeout_s=number("HEADER_TIMEOUT_S", cls.header_timeout_s, 1, 3_600),
            body_timeout_s=number("BODY_TIMEOUT_S", cls.body_timeout_s, 1, 3_600),
            idle_timeout_s=number("IDLE_TIMEOUT_S", cls.idle_timeout_s, 1, 3_600),
            **_outside(text("OIDC_ISSUER"), text("OIDC_AUDIENCE"), text("OIDC_CLAIM")),
            trusted_proxies=_networks(text("TRUSTED_PROXIES") or ""),
            cors_origins=_origins(text("CORS_ORIGINS") or ""),
            seal=given.flag("SEAL", usual="1"),
            log_origin=text("LOG_ORIGIN"),
            as_needs_token=_one_of("AS", text("AS") or "trust", "trust", "token") == "token",
            token=text("TOKEN"),
            commit=text("COMMIT"),
            sweep_at=_time_of_day("SWEEP_AT", text("SWEEP_AT")),
        )


class _Given:
    """Variables `CASEWORK_…` by the rest of their names; what is empty is unset."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        self.environment = environment

    def text(self, name: str) -> str | None:
        return self.environment.get(f"CASEWORK_{name}") or None

    def path(self, name: str) -> Path | None:
        given = self.text(name)
        return Path(given) if given else None

    def number(self, name: str, usual: int, least: int, most: int) -> int:
        given = self.text(name) or str(usual)
        if not given.isdecimal() or len(given) > 9 or not least <= int(given) <= most:
            raise _malformed(name, f"{least}-{most}")
        return int(given)

    def flag(self, name: str, usual: str = "0") -> bool:
        given = (self.text(name) or usual).lower()
        if given not in _FLAGS:
            raise _malformed(name, "1, 0")
        return _FLAGS[given]


def _malformed(name: str, wanted: str) -> CallerError:
    return CallerError(
        "setting_malformed",
        f"环境变量 CASEWORK_{name} 须为 {wanted}",
        f"CASEWORK_{name} must be one of {wanted}",
        setting=f"CASEWORK_{name}",
    )  # fmt: skip


def _one_of(name: str, given: str, *known: str) -> str:
    if given not in known:
        raise _malformed(name, ", ".join(known))
    return given


def _time_of_day(name: str, given: str | None) -> time | None:
    try:
        found = None if given is None else time.fromisoformat(given)
    except ValueError:
        found = time.max
    if found is not None and given != f"{found:%H:%M}":
        raise _malformed(name, "a time such as 06:00")
    return found


def _outside(issuer: str | None, audience: str | None, claim: str | None) -> dict[str, str]:
    """Whose tokens are taken beside our own; an issuer without an audience would let in tokens made for others."""
    if issuer is None:
        if audience or claim:
            raise _malformed("OIDC_ISSUER", "an https:// address (it goes with CASEWORK_OIDC_AUDIENCE)")
        return {}
    if not is_safe_address(issuer):
        raise _malformed("OIDC_ISSUER", "an https:// address (http:// on this machine only)")
    if audience is None:
        raise _malformed("OIDC_AUDIENCE", "the audience that tokens for this service name")
    return {"oidc_issuer": issuer, "oidc_audience": audience, **({"oidc_claim": claim} if claim else {})}


def is_safe_address(url: str) -> bool:
    """Whether keys may be fetched from it: https, or http from this machine; no user, query or fragment."""
    try:
        parts = urlsplit(url)
        known = parts.scheme == "https" or (parts.scheme == "http" and parts.hostname in LOOPBACK)
        return known and bool(parts.hostname) and not (parts.username or parts.query or parts.fragment)
    except ValueError:
        return False


def _networks(text: str) -> tuple[Network, ...]:
    try:
        return tuple(ipaddress.ip_network(part.strip()) for part in text.split(",") if part.strip())
    except ValueError:
        raise _malformed("TRUSTED_PROXIES", "addresses or networks, such as 10.0.0.7,10.1.0.0/24") from None


def _origins(text: str) -> tuple[str, ...]:
    """Exact origins, as a browser sends them; never `*`, which would be everybody's pages."""
    found = tuple(part.strip() for part in text.split(",") if part.strip())
    if not all(is_safe_address(one) and one == _origin_of(one) for one in found):
        raise _malformed("CORS_ORIGINS", "exact origins, such as https://desk.example.com (http:// on this machine)")
    return found


def _origin_of(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}".lower()


def shipped(name: str) -> Path:
    """`statecharts` or `migrations`: the repository's own, or the copy inside an installed wheel."""
    inside = Path(__file__).parent / f"_{name}"
    return inside if inside.is_dir() else Path(__file__).resolve().parents[2] / name


def default_keys_dir(url: str, environment: Mapping[str, str]) -> Path:
    """Beside the SQLite file; for PostgreSQL in the user's state folder, one folder per database."""
    return _beside(url, environment, ".keys", "")


def default_loans_dir(url: str, environment: Mapping[str, str]) -> Path:
    """The same for the loans of past days."""
    return _beside(url, environment, ".loans", ".loans")


def _beside(url: str, environment: Mapping[str, str], of_sqlite: str, of_postgresql: str) -> Path:
    parsed = parse_url(url)
    if parsed.get_backend_name() == "sqlite":
        return Path(f"{parsed.database}{of_sqlite}")
    state = environment.get("XDG_STATE_HOME") or "~/.local/state"
    folder = hashlib.sha256(place_of(parsed).encode()).hexdigest()[:16]
    return Path(state).expanduser() / "casework" / f"{folder}{of_postgresql}"


@dataclass(frozen=True, repr=False)
class Keys:
    """One key per purpose: entry MACs, sealing personal data (AES-256), blind indexes; 32 bytes each."""

    mac: bytes
    personal: bytes
    blind: bytes


def ensure_keys(folder: Path) -> Keys:
    """Create what is missing (0600 in a 0700 folder), never replace what is there; then `load_keys`.

    CallerError `keys_folder_unwritable`.
    """
    with written_to(folder, "keys_folder_unwritable"):
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        for name in KEY_NAMES:
            if not (folder / name).exists():
                _create(folder / name)
    return load_keys(folder)


def _create(path: Path) -> None:
    """Whole, and by one process only: written beside, then linked, which fails where it exists."""
    beside = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    handle = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(secrets.token_bytes(KEY_BYTES))
            file.flush()
            os.fsync(file.fileno())
        with contextlib.suppress(FileExistsError):
            os.link(beside, path)
    finally:
        beside.unlink()


def load_keys(folder: Path) -> Keys:
    """The keys of `folder`; CallerErrors `key_missing`, which names all, `key_unsafe` (wide permissions, length)."""
    found = {name: _read(folder / name) for name in KEY_NAMES}
    missing = [name for name, key in found.items() if key is None]
    if missing:
        raise CallerError(
            "key_missing",
            f"{folder} 中缺少密钥文件 {'、'.join(missing)}；请从备份取回（新数据库请运行 casework db upgrade）",
            f"{folder} lacks the key files {', '.join(missing)}, or they cannot be read: bring them back from their "
            "copy (for a database that was never used: casework db upgrade)",
            key=missing[0], keys=missing,
        )  # fmt: skip
    return Keys(**{name: key for name, key in found.items() if key is not None})


def _read(path: Path) -> bytes | None:
    try:
        mode = path.stat().st_mode
        parent_mode = path.parent.stat().st_mode
        key = path.read_bytes()
    except OSError:
        return None
    # Writable by others is as bad for the folder as readable for the file: the key could be exchanged.
    if mode & 0o077 or parent_mode & 0o022 or len(key) != KEY_BYTES:
        raise CallerError(
            "key_unsafe", f"密钥文件 {path.name} 权限过宽或长度不符",
            f"the key file {path.name} must be 0600, {KEY_BYTES} bytes, in a folder only its owner writes",
            key=path.name,
        )  # fmt: skip
    return key


def fingerprint(label: str, key: bytes) -> str:
    """16 hex digits that tell keys apart and tell nothing about them."""
    return hashlib.sha256(label.encode() + key).hexdigest()[:16]
