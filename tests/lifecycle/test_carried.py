"""What is told of promises and holds outside the house: a bundle, verified deep, and a case's dossier."""

from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path

from casework.evidence.bundle.deep import replay
from casework.evidence.bundle.export import export_log, fresh_folder
from casework.evidence.bundle.trust import KeysHeld
from casework.evidence.bundle.verify import verify_bundle
from casework.evidence.dossier.heads import state_heads
from casework.evidence.dossier.make import make_dossier
from casework.log.write import signer
from casework.log.write.seal import Sealer
from casework.storage.database import reading
from tests.lifecycle.lived import CASE, live
from tests.log.built_log import built_log, clock
from tests.postgres_server import Server


def test_a_bundle_and_a_dossier_carry_them_and_are_sound(
    tmp_path: Path, migrated_sqlite: Path, postgres_servers: Callable[[str], Server]
) -> None:
    with built_log("sqlite", tmp_path, migrated_sqlite, postgres_servers) as log:
        live(log)
        now = clock()

        def tick() -> datetime:
            nonlocal now
            now += timedelta(seconds=1)
            return now

        sealer = Sealer(log.engine, log.branch.mac_key, log.branch.vault, log.settings.keys_dir, clock=tick)
        sealer.round()
        state_heads(log.engine, log.branch, daily=False, clock=tick)
        sealer.round()
        keys = signer.known_keys(log.settings.keys_dir)
        with fresh_folder(tmp_path / "bundle") as folder, reading(log.engine, snapshot=True) as conn:
            shown = make_dossier(conn, log.branch, CASE, keys).shown
            export_log(conn, folder, keys, made_at=now)
    events = {entry.event for entry in shown.complete}
    assert {"promise.opened", "promise.step.keep", "promise.refused_opening"} <= events
    report = verify_bundle(tmp_path / "bundle", KeysHeld(), deep=replay, jobs=1)
    assert (report.findings, report.cases_not_replayed) == ([], 0)
    assert report.replayed_facts > 0
