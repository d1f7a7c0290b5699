"""Addresses of databases as operators write them: what each means, and what a faulty one is told."""

import pytest
from click.testing import CliRunner

from casework.address import names_several, parse_url, place_of
from casework.cli import main
from casework.errors import CallerError

MANY = [
    "postgresql://app:pw@db1:5432,db2:5433/casework?target_session_attrs=read-write",
    "postgresql://app:pw@db1:5432,db2:5433/casework",  # of several the one that takes writes is meant
    "postgres://app:pw@db1,db2:5433/casework",
    "postgresql+asyncpg://app:pw@/casework?host=db1,db2&port=5432,5433",
    "postgresql://app:pw@/casework?host=db1:5432&host=db2:5433",
    "postgresql://app:pw@/casework?host=db1:5432,db2:5433&target_session_attrs=read-write",
    "postgresql://app:pw@/casework?host=db1&host=db2&port=5432&port=5433",
]


@pytest.mark.parametrize("text", MANY)
def test_every_spelling_of_several_hosts_comes_to_the_same(text: str) -> None:
    url = parse_url(text)
    assert (url.host, url.port, url.username, url.password, url.database) == (None, None, "app", "pw", "casework")
    assert dict(url.query) == {"host": "db1,db2", "port": "5432,5433", "target_session_attrs": "read-write"}
    assert (names_several(url), place_of(url)) == (True, "db1,db2:5432,5433/casework")


@pytest.mark.parametrize(
    ("text", "query"),
    [
        ("postgresql://u@h1,h2/d", {"host": "h1,h2"}),
        ("postgresql://u@h1,h2/d?port=5433", {"host": "h1,h2", "port": "5433,5433"}),
        ("postgresql://u@[::1]:5433,[fe80::2]/d", {"host": "::1,fe80::2", "port": "5433,5432"}),
        ("postgresql:///d?host=/run/a,/run/b", {"host": "/run/a,/run/b"}),
        ("postgresql://%2Frun%2Fa,%2Frun%2Fb/d", {"host": "/run/a,/run/b"}),
        ("postgresql://u:a,b%40c@h1,h2/d", {"host": "h1,h2"}),
    ],
)
def test_ports_folders_and_ipv6_have_their_place_in_a_list(text: str, query: dict[str, str]) -> None:
    assert dict(parse_url(text).query) == {**query, "target_session_attrs": "read-write"}


@pytest.mark.parametrize("wanted", ["any", "primary", "prefer-standby"])
def test_who_asks_for_another_kind_of_host_gets_it(wanted: str) -> None:
    assert parse_url(f"postgresql://h1,h2/d?target_session_attrs={wanted}").query["target_session_attrs"] == wanted


@pytest.mark.parametrize(
    ("text", "host", "port", "query"),
    [
        ("postgresql://u@h/d", "h", None, {}),
        ("postgresql://u@h:5433/d?application_name=x", "h", 5433, {"application_name": "x"}),
        ("postgresql://u@h/d?port=5433", "h", 5433, {}),
        ("postgresql://u@[::1]:5433/d", "::1", 5433, {}),
        ("postgresql:///d?host=/run/a", None, None, {"host": "/run/a"}),
        ("postgresql:///d?port=5433", None, None, {"port": "5433"}),
        ("postgresql:///d", None, None, {}),
    ],
)
def test_one_host_stays_as_it_was(text: str, host: str | None, port: int | None, query: dict[str, str]) -> None:
    url = parse_url(text)
    assert (url.host, url.port, dict(url.query)) == (host, port, query)
    assert not names_several(url)


FAULTY = {
    "mysql://x/y": "sqlite:///FILE or postgresql://",
    "sqlite://": "sqlite:///FILE or postgresql://",
    "nonsense": "sqlite:///FILE or postgresql://",
    "postgresql://u:secret@h1:5432,h2:many/d": "a host is written",
    "postgresql://u:secret@h1,,h2/d": "a host is written",
    "postgresql://u:secret@h1:5432:5433,h2/d": "a host is written",
    "postgresql://u:se@cret@h1,h2/d": "a host is written",
    "postgresql://u:secret@h1:70000,h2/d": "a port must be",
    "postgresql://u:secret@h/d?port=0": "a port must be",
    "postgresql://u:secret@/d?host=a,b&port=1,2,3": "2 hosts, but 3 ports",
    "postgresql://u:secret@a,b/d?host=c": "before the slash and in ?host=",
    "postgresql://u:secret@/d?host=a:1,b:2&port=3": "behind the hosts and in ?port=",
    "postgresql://u:secret@a,b/d?target_session_attrs=rw": "target_session_attrs must be one of any, read-write",
    "postgresql://u:secret@a,b/d?target_session_attr=any": "libpq knows no option target_session_attr",
    "postgresql://u:secret@a,b/d?sslmode=none": "sslmode must be one of",
    "postgresql://u:secret@a,b/d?connect_timeout=soon": "connect_timeout must be a whole number",
    "postgresql://u:secret@a,b/d?sslmode=require&sslmode=disable": "sslmode stands twice",
}


@pytest.mark.parametrize("text", FAULTY)
def test_a_faulty_address_is_told_in_one_line_without_the_password(text: str) -> None:
    with pytest.raises(CallerError, match="the database URL cannot be used") as refused:
        parse_url(text)
    assert refused.value.code == "database_url_unusable"
    assert FAULTY[text] in refused.value.en
    answer = CliRunner().invoke(main, ["db", "status"], env={"CASEWORK_DATABASE_URL": text, "CASEWORK_KEYS_DIR": "k"})
    assert answer.exit_code == 1
    assert len(answer.stderr.splitlines()) == 1
    assert "cret" not in answer.output
