"""Where the database is, as operators write it, in the one form that the driver, pg_dump and pg_restore all take.

A replicated PostgreSQL has several hosts: `postgresql://app@db1:5432,db2:5432/casework`, as libpq writes them, or
`?host=db1,db2&port=5432`, or SQLAlchemy's `?host=db1:5432&host=db2:5432`. All become `host` and `port` of the query. Of
several hosts the one that takes writes is meant, unless `target_session_attrs` says otherwise.
"""

import re
from collections.abc import Mapping, Sequence
from functools import cache
from typing import Final
from urllib.parse import unquote

import sqlalchemy as sa
from sqlalchemy.engine import URL, make_url

from casework.errors import CallerError

WRITABLE: Final = "read-write"
_PARTS: Final = re.compile(
    r"(?P<scheme>[\w+]+)://(?P<user>(?:[^:/]*(?::[^@]*)?@)?)(?P<hosts>[^/?]*)(?P<after>.*)", re.DOTALL
)
_HOST: Final = re.compile(r"(?:\[(?P<v6>[0-9A-Fa-f:.%]+)\]|(?P<name>[^:\[\]@]*))(?::(?P<port>[0-9]*))?")
_OF_MANY: Final[Mapping[str, Sequence[str]]] = {
    "target_session_attrs": ("any", WRITABLE, "read-only", "primary", "standby", "prefer-standby"),
    "load_balance_hosts": ("disable", "random"),
    "sslmode": ("disable", "allow", "prefer", "require", "verify-ca", "verify-full"),
}
_NUMBERS: Final = ("connect_timeout", "tcp_user_timeout")


def parse_url(text: str) -> URL:
    """The service's URL with the driver it derives; CallerError `database_url_unusable` says what is wrong with it.

    Of PostgreSQL with several hosts, `host` and `port` stand in the query, as comma-separated lists of one length.
    """
    parts = _PARTS.fullmatch(text)
    if parts and parts["scheme"].partition("+")[0] in ("postgresql", "postgres"):
        return _postgresql(parts)
    try:
        url = make_url(text)
    except (sa.exc.ArgumentError, ValueError):
        url = None
    if url is not None and url.get_backend_name() == "sqlite" and url.database not in (None, "", ":memory:"):
        return url.set(drivername="sqlite+pysqlite")
    raise _unusable("地址须为 sqlite:///文件 或 postgresql://…", "it must be sqlite:///FILE or postgresql://…")


def place_of(url: URL) -> str:
    """Hosts, ports and database of a PostgreSQL, to be shown and told from others; nobody's name or password."""
    host = url.host or str(url.query.get("host", "localhost"))
    return f"{host}:{url.port or url.query.get('port', 5432)}/{url.database}"


def names_several(url: URL) -> bool:
    """Whether a connection may be to any of several hosts."""
    return "," in str(url.query.get("host", ""))


def _postgresql(parts: re.Match[str]) -> URL:
    url = make_url(f"postgresql+psycopg://{parts['user']}{parts['after']}")
    for name, value in url.query.items():
        _check_option(name, value)
    before = parts["hosts"]
    if before and "host" in url.query:
        raise _unusable("主机在斜杠前和 ?host= 中各出现一次", "hosts stand before the slash and in ?host= as well")
    places = _places(before.split(",") if before else _listed(url.query.get("host")), _listed(url.query.get("port")))
    if not places:
        return url
    url = url.difference_update_query(("host", "port"))
    if len(places) > 1:
        several = {"host": ",".join(host for host, _ in places)}
        if any(port for _, port in places):
            several["port"] = ",".join(port or "5432" for _, port in places)
        usual = {} if "target_session_attrs" in url.query else {"target_session_attrs": WRITABLE}
        return url.update_query_dict({**several, **usual})
    ((host, port),) = places
    if before:
        return url.set(host=host, port=int(port) if port else None)
    return url.update_query_dict({"host": host, **({"port": port} if port else {})})


def _listed(given: str | Sequence[str] | None) -> list[str]:
    return [] if given is None else [part for text in _texts(given) for part in text.split(",")]


def _texts(given: str | Sequence[str]) -> Sequence[str]:
    return [given] if isinstance(given, str) else given


def _places(hosts: Sequence[str], ports: Sequence[str]) -> list[tuple[str, str]]:
    """Each host with its port; one port goes for all."""
    found = [_place(host) for host in hosts]
    if ports and any(port for _, port in found):
        raise _unusable("端口在主机后和 ?port= 中各出现一次", "ports stand behind the hosts and in ?port= as well")
    if len(ports) > 1 and len(ports) != len(hosts):
        raise _unusable(
            f"有 {len(hosts)} 个主机、{len(ports)} 个端口，须一一对应", f"{len(hosts)} hosts, but {len(ports)} ports"
        )
    given = list(ports) * len(hosts) if len(ports) == 1 else ports or [port for _, port in found]
    for port in given:
        if port and not (port.isdecimal() and len(port) <= 5 and 0 < int(port) <= 65_535):
            raise _unusable("端口须为 1 至 65535", "a port must be 1 to 65535")
    return [(host, port) for (host, _), port in zip(found, given, strict=True)]


def _place(text: str) -> tuple[str, str]:
    name = unquote(text)
    if name.startswith(("/", "@")):  # the folder of a Unix socket, or an abstract one
        return name, ""
    found = _HOST.fullmatch(text)
    if found is None or not (found["v6"] or found["name"]):
        raise _unusable(
            "主机须写作 host:port 或 [IPv6]:port，多个主机以逗号分隔",
            "a host is written NAME:PORT or [IPV6]:PORT, several with commas between them",
        )
    return found["v6"] or unquote(found["name"]), found["port"] or ""


def _check_option(name: str, value: str | Sequence[str]) -> None:
    if name not in _known_options():
        shown = name if re.fullmatch(r"[A-Za-z_]{1,40}", name) else "?"
        raise _unusable(f"libpq 没有参数 {shown}", f"libpq knows no option {shown}")
    if not isinstance(value, str):
        if name not in ("host", "port"):
            raise _unusable(f"参数 {name} 出现两次", f"{name} stands twice")
        return
    if name in _OF_MANY and value not in _OF_MANY[name]:
        choices = "、".join(_OF_MANY[name]), ", ".join(_OF_MANY[name])
        raise _unusable(f"参数 {name} 须为 {choices[0]} 之一", f"{name} must be one of {choices[1]}")
    if name in _NUMBERS and not value.isdecimal():
        raise _unusable(f"参数 {name} 须为整数", f"{name} must be a whole number")


@cache
def _known_options() -> frozenset[str]:
    from psycopg import pq  # noqa: PLC0415 (asked of addresses of PostgreSQL alone; elsewhere it is not imported)

    return frozenset(option.keyword.decode() for option in pq.Conninfo.get_defaults())


def _unusable(zh: str, en: str) -> CallerError:
    return CallerError("database_url_unusable", f"数据库地址不可用：{zh}", f"the database URL cannot be used: {en}")
