"""What the environment decides, and the keys beside the database."""

import threading
from datetime import time
from pathlib import Path

import pytest

from casework.errors import CallerError
from casework.settings import KEY_BYTES, Keys, Settings, ensure_keys, fingerprint, load_keys


def test_nothing_set_means_a_file_in_the_current_folder_with_its_keys_beside_it() -> None:
    settings = Settings.from_environment({})
    assert settings.database_url == "sqlite:///casework.db"
    assert settings.keys_dir == Path("casework.db.keys")
    assert settings.database_owner_url is None
    assert not settings.allow_owner
    assert settings.seal
    assert (settings.statecharts / "overdue_loan.toml").is_file()


def test_every_variable_is_heard() -> None:
    settings = Settings.from_environment(
        {
            "CASEWORK_DATABASE_URL": "sqlite:////srv/a.db",
            "CASEWORK_DATABASE_OWNER_URL": "sqlite:////srv/b.db",
            "CASEWORK_ALLOW_OWNER": "yes", "CASEWORK_KEYS_DIR": "/k", "CASEWORK_LOANS_DIR": "/l",
            "CASEWORK_STATECHARTS": "/s",
            "CASEWORK_FEED_ROWS": "7", "CASEWORK_FEED_MEMORY_MIB": "128",
            "CASEWORK_FEED_PROCESSES": "1",
            "CASEWORK_FEED_INBOX": "/in", "CASEWORK_LOG_LEVEL": "debug",
            "CASEWORK_HOST": "::1", "CASEWORK_PORT": "81",
            "CASEWORK_CONNECTIONS": "99", "CASEWORK_HEADER_TIMEOUT_S": "3", "CASEWORK_BODY_TIMEOUT_S": "4",
            "CASEWORK_IDLE_TIMEOUT_S": "5",
            "CASEWORK_SEAL": "0", "CASEWORK_LOG_ORIGIN": "bank.example/1",
            "CASEWORK_SWEEP_AT": "06:30", "CASEWORK_COMMIT": "f82fe6bb",
            "CASEWORK_AS": "token", "CASEWORK_TOKEN": "cw_x",
        }
    )  # fmt: skip
    assert settings == Settings(
        database_url="sqlite:////srv/a.db",
        database_owner_url="sqlite:////srv/b.db",
        allow_owner=True,
        keys_dir=Path("/k"),
        loans_dir=Path("/l"),
        statecharts=Path("/s"),
        feed_inbox=Path("/in"),
        feed_rows=7,
        feed_memory_mib=128,
        feed_processes=1,
        log_level="DEBUG",
        host="::1",
        port=81,
        connections=99,
        header_timeout_s=3,
        body_timeout_s=4,
        idle_timeout_s=5,
        seal=False,
        log_origin="bank.example/1",
        sweep_at=time(6, 30),
        commit="f82fe6bb",
        as_needs_token=True,
        token="cw_x",
    )


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("ALLOW_OWNER", "perhaps"),
        ("PORT", "-1"),
        ("PORT", "65536"),
        ("PORT", "http"),
        ("LOG_LEVEL", "LOUD"),
        ("SWEEP_AT", "6 o'clock"),
        ("SWEEP_AT", "24:00"),
        ("SWEEP_AT", "06:00:30"),
        ("FEED_ROWS", "0"),
        ("FEED_MEMORY_MIB", "127"),
        ("FEED_PROCESSES", "3"),
        ("FEED_MEMORY_MIB", "2 GiB"),
        ("FEED_UPLOAD_MIB", "9" * 10),
        ("CONNECTIONS", "15"),
        ("HEADER_TIMEOUT_S", "0"),
        ("BODY_TIMEOUT_S", "3601"),
        ("IDLE_TIMEOUT_S", "1.5"),
    ],
)
def test_a_malformed_variable_is_named(name: str, text: str) -> None:
    with pytest.raises(CallerError, match=f"CASEWORK_{name}") as refused:
        Settings.from_environment({f"CASEWORK_{name}": text})
    assert refused.value.code == "setting_malformed"


@pytest.mark.parametrize("text", ["", "0", "false", "no", "OFF"])
def test_an_empty_or_negative_flag_is_off(text: str) -> None:
    assert not Settings.from_environment({"CASEWORK_ALLOW_OWNER": text}).allow_owner


def test_the_keys_of_a_server_lie_in_the_state_folder_one_folder_per_database() -> None:
    def place(url: str) -> Path:
        return Settings.from_environment({"CASEWORK_DATABASE_URL": url, "XDG_STATE_HOME": "/state"}).keys_dir

    first = place("postgresql://app:secret@db/casework")
    assert first.parent == Path("/state/casework")
    assert first == place("postgresql://owner@db:5432/casework?application_name=x")
    assert len({first, place("postgresql://db:5433/casework"), place("postgresql://db/other")}) == 3
    assert place("postgresql:///d?host=/run/a") != place("postgresql:///d?host=/run/b")


def test_a_password_does_not_show() -> None:
    url = "postgresql://app:hunter2@db/x"
    assert "hunter2" not in repr(Settings(database_url=url, database_owner_url=url))


def test_keys_are_made_once_private_and_all_different(tmp_path: Path) -> None:
    folder = tmp_path / "a" / "keys"
    keys = ensure_keys(folder)
    assert folder.stat().st_mode & 0o777 == 0o700
    assert {file.name: file.stat().st_mode & 0o777 for file in folder.iterdir()} == {
        "mac": 0o600, "personal": 0o600, "blind": 0o600,
    }  # fmt: skip
    assert {len(key) for key in (keys.mac, keys.personal, keys.blind)} == {KEY_BYTES}
    assert len({keys.mac, keys.personal, keys.blind}) == 3
    assert ensure_keys(folder) == load_keys(folder) == keys


def test_two_processes_starting_at_once_agree_on_the_keys(tmp_path: Path) -> None:
    found: list[Keys] = []
    threads = [threading.Thread(target=lambda: found.append(ensure_keys(tmp_path / "keys"))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 8
    assert all(keys == found[0] for keys in found)
    assert len(list((tmp_path / "keys").iterdir())) == 3


def test_a_missing_key_is_not_made_up_when_reading(tmp_path: Path) -> None:
    ensure_keys(tmp_path / "keys")
    (tmp_path / "keys" / "blind").unlink()
    with pytest.raises(CallerError, match="blind") as refused:
        load_keys(tmp_path / "keys")
    assert refused.value.code == "key_missing"


@pytest.mark.parametrize("spoil", ["readable by others", "short", "folder writable by others"])
def test_an_unsafe_key_is_refused(tmp_path: Path, spoil: str) -> None:
    folder = tmp_path / "keys"
    ensure_keys(folder)
    if spoil == "short":
        (folder / "mac").write_bytes(b"x" * (KEY_BYTES - 1))
    elif spoil == "readable by others":
        (folder / "mac").chmod(0o640)
    else:
        folder.chmod(0o777)
    with pytest.raises(CallerError, match="mac") as refused:
        load_keys(folder)
    assert refused.value.code == "key_unsafe"


def test_a_key_does_not_show_but_its_fingerprint_tells_it_apart() -> None:
    keys = Keys(b"a" * 32, b"b" * 32, b"c" * 32)
    assert "aaa" not in repr(keys)
    prints = {fingerprint("mac", keys.mac), fingerprint("mac", keys.blind), fingerprint("blind", keys.blind)}
    assert len(prints) == 3
    assert {len(text) for text in prints} == {16}
