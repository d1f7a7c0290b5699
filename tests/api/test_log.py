"""The log below `/log`, as other people's programs fetch it, and the sealer inside the service."""

import time
from dataclasses import replace
from datetime import timedelta

import pytest
import sqlalchemy as sa
from litestar.testing import TestClient
from sqlalchemy.engine import Engine

from api.app import Assembled, create_app
from casework.clock import now
from casework.log.format.chain import leaf_hash
from casework.log.format.checkpoint import Trust
from casework.log.format.tiles import (
    Bundle,
    decode_bundle,
    tile_hashes,
    tiles_grown,
)
from casework.log.format.tree import root_of
from casework.log.tables import entries, leaves, unsealed
from casework.log.write import signer
from casework.log.write.seal import Sealer
from casework.settings import Settings
from casework.storage.database import reading, writing
from tests.api.conftest import Running


def seal(running: Running) -> None:
    started = running.started
    done = Sealer(started.engine, started.branch.mac_key, started.branch.vault, started.settings.keys_dir).round()
    assert (done.left, done.refused) == ([], None)


@pytest.fixture
def sealed(running: Running) -> Running:
    """More than one full tile."""
    running.open(*[f"L{number}" for number in range(270)])
    seal(running)
    return running


def _bundles(size: int) -> list[Bundle]:
    """Of a log of so many entries, each as wide as the tile of leaves over it."""
    return [Bundle(tile.number, tile.width) for tile in tiles_grown(0, size) if tile.level == 0]


def test_with_the_verifier_key_the_whole_log_is_fetched_and_proven_from_outside(sealed: Running) -> None:
    """Checkpoint, bundles and tiles agree: what a monitor of C2SP logs does."""
    folder = sealed.started.settings.keys_dir
    answer = sealed.get("/log/checkpoint", "AUD1")
    assert answer.headers["content-type"] == "text/plain; charset=utf-8"
    signed = Trust(signer.read_keys(folder).origin, signer.known_keys(folder)).open(answer.content).checkpoint
    bodies: list[bytes] = []
    for bundle in _bundles(signed.size):
        bodies += decode_bundle(sealed.get(f"/log/{bundle.path}", "AUD1").content, bundle.width)
    hashes = list(map(leaf_hash, bodies))
    assert root_of(hashes) == signed.root
    for tile in tiles_grown(0, signed.size):
        data = sealed.get(f"/log/{tile.path}", "AUD1").content
        row = hashes if tile.level == 0 else [root_of(hashes[:256])]
        assert tile_hashes(data, tile.width) == row[tile.number * 256 : tile.number * 256 + tile.width]


def test_what_never_changes_may_be_kept_and_the_checkpoint_may_not(sealed: Running) -> None:
    tile = sealed.get("/log/tile/0/000", "AUD1")
    assert tile.headers["content-type"] == "application/octet-stream"
    assert tile.headers.get_list("cache-control") == ["private, max-age=31536000, immutable"]
    assert sealed.get("/log/checkpoint", "AUD1").headers.get_list("cache-control") == ["private, no-cache"]
    assert sealed.get("/cases/1").headers.get_list("cache-control") == ["no-store"]


@pytest.mark.parametrize(
    "path",
    ["0/009", "0/000.p/0", "0/000.p/256", "0/0", "63/000", "64/000", "0/x000/000", "0/x999/x999/x999/x999/x999/999",
     "entries/099", "entries/000.p/300", "..%2f..%2fcheckpoint", "entries", "1/001"],
)  # fmt: skip
def test_a_tile_that_is_not_there_is_404(sealed: Running, path: str) -> None:
    answer = sealed.get(f"/log/tile/{path}", "AUD1")
    assert answer.status_code == 404, answer.text


@pytest.mark.parametrize("path", ["/log/checkpoint", "/log/tile/0/000", "/log/tile/entries/000"])
def test_auditors_alone_fetch_the_log(sealed: Running, path: str) -> None:
    """Bodies carry amounts and name who did what."""
    assert sealed.client.get(path).status_code == 401
    for staff_no in ("R1", "T1", "B1", "ADM1", "V1"):
        assert (staff_no, sealed.get(path, staff_no).status_code) == (staff_no, 403)


def test_before_the_first_sealing_there_is_no_log_to_fetch(running: Running) -> None:
    for path in ("/log/checkpoint", "/log/tile/0/000"):
        answer = running.get(path, "AUD1")
        assert (answer.status_code, answer.json()["code"]) == (422, "log_not_begun")


# --- the sealer in the service


def waiting(engine: Engine) -> int:
    with reading(engine) as conn:
        return int(conn.execute(sa.select(sa.func.count()).select_from(unsealed)).scalar_one())


def test_the_service_seals_what_it_writes_within_a_second_or_so(
    settings: Settings, branch: tuple[object, dict[str, str]], assembled: Assembled
) -> None:
    with TestClient(create_app(replace(settings, seal=True), assembled)) as client:
        engine: Engine = client.app.state["serving"].engine
        headers = {"Authorization": f"Bearer {branch[1]['AUD1']}"}
        deadline = time.monotonic() + 20
        while waiting(engine) or client.get("/log/checkpoint", headers=headers).status_code != 200:
            assert time.monotonic() < deadline
            time.sleep(0.05)
        text = client.get("/metrics", headers=headers).text
        with reading(engine) as conn:
            count = conn.execute(sa.select(sa.func.count()).select_from(entries)).scalar_one()
        assert f"casework_log_leaves {float(count)}" in text
        assert f"casework_log_signed_leaves {float(count)}" in text


def test_health_fails_while_an_entry_waits_longer_than_ten_seconds(sealed: Running, owner_engine: Engine) -> None:
    """An entry that was unsealed by hand, or a sealer that stands still."""
    assert sealed.client.get("/health/ready").status_code == 200
    with writing(owner_engine) as conn:
        old = conn.execute(sa.select(entries.c.id).order_by(entries.c.id).limit(1)).scalar_one()
        conn.execute(unsealed.insert().values(entry=old))
        at = conn.execute(sa.select(entries.c.recorded_at).where(entries.c.id == old)).scalar_one()
    while now() - at < timedelta(seconds=10.5):
        time.sleep(0.2)
    time.sleep(2.1)  # the answer is held for two seconds
    answer = sealed.client.get("/health/ready")
    assert (answer.status_code, answer.json()["reason"]) == (503, "sealing_late")


def test_a_bundle_ends_where_the_log_ended(sealed: Running) -> None:
    """A partial bundle that was fetched once can be fetched again after the log has grown."""
    with reading(sealed.started.engine) as conn:
        size = conn.execute(sa.select(sa.func.count()).select_from(leaves)).scalar_one()
    path = _bundles(size)[-1].path
    before = sealed.get(f"/log/{path}", "AUD1").content
    sealed.open("another")
    seal(sealed)
    assert sealed.get(f"/log/{path}", "AUD1").content == before
