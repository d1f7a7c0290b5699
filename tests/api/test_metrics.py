"""What Prometheus is told: the build, the processes, the pools, and how long ago what must be done daily was done."""

import json
import re
import threading
import time
from datetime import timedelta
from math import inf

import msgspec
import pytest
from click.testing import CliRunner

from casework.cli import main
from casework.clock import now
from casework.errors import CallerError
from casework.evidence import verifying
from casework.intake.feed.tables import feed_runs
from casework.log.backups import BACKED_UP, BACKUPS
from casework.log.check.findings import Report
from casework.log.write.trail import Draft
from casework.operation import closing
from casework.people.identity.tables import log_in_failures
from casework.people.staff.actor import system
from casework.storage import jobs, schema
from casework.storage.database import MOST_LENT, reading, writing
from tests.api.conftest import Running
from tests.api.test_readiness import _asked_each_time as _asked_each_time  # noqa: PLC0414  # a fixture for all here

SAMPLE = re.compile(r"([a-z_]+)(?:\{(.*)\})? (\S+)")


def told(running: Running) -> dict[str, float]:
    """Every sample of a scrape, by its name and labels as they stand there."""
    lines = running.get("/metrics").text.splitlines()
    samples = [match for line in lines if (match := SAMPLE.fullmatch(line))]
    return {
        f"{name}{{{labels}}}" if labels else name: float(value) for name, labels, value in map(re.Match.groups, samples)
    }


def test_the_build_is_told_by_version_commit_and_schema(running: Running) -> None:
    (build,) = [one for one in told(running) if one.startswith("casework_build_info")]
    assert f'schema="{schema.NEWEST}"' in build
    assert re.search(r'version="\d+\.\d+', build)
    assert re.search(r'commit="([0-9a-f]{12}|unknown)"', build)


def test_the_process_tells_its_memory_time_and_files(running: Running) -> None:
    found = told(running)
    assert found["process_resident_memory_bytes"] > 10_000_000
    assert found["process_cpu_seconds_total"] > 0
    assert 0 < found["process_open_fds"] < found["process_max_fds"]
    assert found["process_start_time_seconds"] < time.time()


def test_a_pool_tells_what_is_lent_and_who_waits_for_more(running: Running) -> None:
    engine = running.client.app.state["serving"].engine
    let_go, held = threading.Event(), threading.Barrier(4)

    def hold() -> None:
        with reading(engine):
            held.wait(5)
            let_go.wait(10)

    readers = [threading.Thread(target=hold) for _ in range(3)]
    for reader in readers:
        reader.start()
    held.wait(5)
    found = told(running)
    let_go.set()
    for reader in readers:
        reader.join()
    assert found['casework_pool_in_use{pool="reading"}'] >= 3
    assert found['casework_pool_size{pool="reading"}'] == MOST_LENT
    after = told(running)
    assert after['casework_pool_in_use{pool="reading"}'] == found['casework_pool_in_use{pool="reading"}'] - 3
    assert after['casework_pool_waiting{pool="writing"}'] == 0


def test_what_nobody_has_done_yet_was_done_endlessly_long_ago(running: Running) -> None:
    found = told(running)
    for what in ("sweep", "verification", "backup"):
        assert found[f"casework_last_{what}_age_seconds"] == inf
    assert "casework_last_verification_sound" not in found
    assert not any(one.startswith("casework_last_feed_age_seconds") for one in found)


def test_what_was_done_tells_its_age_and_whether_the_log_was_sound(running: Running) -> None:
    started, ago = running.started, now() - timedelta(hours=2)
    closing.close(started.engine, started.branch)
    with writing(started.engine) as conn:
        trail = started.branch.trail(ago)
        trail.append(conn, BACKUPS, Draft(BACKED_UP, system("cli").signed, {}))
        trail.write(conn)
        jobs.ended(conn, verifying.RUN, "system", ago, msgspec.json.encode(Report(entries=3)))
        applied = {"institution": "wuhan", "correction": False, "actor_id": "system", "via": "cli"}
        for status, at in (("applied", ago), ("refused", now())):
            conn.execute(feed_runs.insert().values(applied | {"status": status, "started_at": at, "finished_at": at}))
    found = told(running)
    assert found["casework_last_backup_age_seconds"] == pytest.approx(7_200, abs=60)
    assert found['casework_last_feed_age_seconds{institution="wuhan"}'] == pytest.approx(7_200, abs=60)
    assert found["casework_last_sweep_age_seconds"] < 60
    assert found["casework_last_verification_age_seconds"] < 60
    assert found["casework_last_verification_sound"] == 1
    with writing(started.engine) as conn:
        tampered = Report(entries=3)
        tampered.find("link_broken", "case:1", 2)
        jobs.ended(conn, verifying.RUN, "system", ago, msgspec.json.encode(tampered))
    assert told(running)["casework_last_verification_sound"] == 0


def test_who_is_locked_out_is_told_as_a_number_of_numbers_and_addresses(running: Running) -> None:
    assert told(running)['casework_log_ins_locked{by="staff_no"}'] == 0
    later, earlier = now() + timedelta(minutes=5), now() - timedelta(minutes=5)
    held = {"staff:R1": later, "staff:T1": later, "staff:P1": earlier, "address:00ff": later, "address:01ff": None}
    with writing(running.started.engine) as conn:
        for subject, until in held.items():
            row = {"subject": subject, "failures": 5, "first_at": earlier, "locked_until": until}
            conn.execute(log_in_failures.insert().values(row))
    found = told(running)
    assert found['casework_log_ins_locked{by="staff_no"}'] == 2
    assert found['casework_log_ins_locked{by="address"}'] == 1


def test_a_refusal_of_the_signer_is_told_by_its_code_until_it_signs_again(running: Running) -> None:
    sealing = running.client.app.state["serving"].sealing
    assert told(running)['casework_signer_refused{code="none"}'] == 0
    sealing.refusal = CallerError("tree_shrank")
    assert told(running)['casework_signer_refused{code="tree_shrank"}'] == 1
    sealing.refusal = None
    assert told(running)['casework_signer_refused{code="tree_shrank"}'] == 0


def test_whether_work_can_be_taken_is_told_with_the_cause(running: Running) -> None:
    found = told(running)
    assert found["casework_ready"] == 1
    assert not any(one.startswith("casework_not_ready{") for one in found)
    running.client.app.state["serving"].writer.stop()
    found = told(running)
    assert found["casework_ready"] == 0
    assert found['casework_not_ready{code="writer_stopped"}'] == 1


def test_whoever_waits_for_a_connection_is_told(running: Running) -> None:
    serving = running.client.app.state["serving"]
    registry = serving.metrics.registry
    let_go, held = threading.Event(), threading.Barrier(MOST_LENT + 1)

    def hold() -> None:
        with reading(serving.engine):
            held.wait(10)
            let_go.wait(10)

    def wait() -> None:
        with reading(serving.engine):
            pass

    holders = [threading.Thread(target=hold) for _ in range(MOST_LENT)]
    for holder in holders:
        holder.start()
    held.wait(10)
    waiter = threading.Thread(target=wait)
    waiter.start()

    def waiting() -> float | None:
        found: float | None = registry.get_sample_value("casework_pool_waiting", {"pool": "reading"})
        return found

    deadline = time.monotonic() + 5
    while waiting() != 1 and time.monotonic() < deadline:
        time.sleep(0.01)
    seen = waiting()
    let_go.set()
    for one in (*holders, waiter):
        one.join()
    assert seen == 1
    assert waiting() == 0
    assert registry.get_sample_value("casework_pool_in_use", {"pool": "reading"}) == 0


def test_a_verification_at_the_shell_is_known_to_metrics_and_pages(running: Running) -> None:
    settings = running.started.settings
    given = {"CASEWORK_DATABASE_URL": settings.database_url, "CASEWORK_KEYS_DIR": str(settings.keys_dir)}
    done = CliRunner().invoke(main, ["audit", "verify", "--json"], env=given)
    assert json.loads(done.stdout)["verdict"] in ("sound", "cannot_tell")
    found = told(running)
    assert found["casework_last_verification_age_seconds"] < 60
    assert found["casework_last_verification_sound"] == (done.exit_code == 0)
    with reading(running.started.engine) as conn:
        run = jobs.newest(conn, verifying.RUN)
    assert run is not None
    assert (run.state, run.actor_id) == (jobs.DONE, "system")
