"""`casework serve`: the API under uvicorn."""

import os
import signal
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from casework.cli.shell import as_typed, told
from casework.errors import CallerError
from casework.file_limit import raise_file_limit, room_for

if TYPE_CHECKING:
    from casework.settings import Settings


_DRAIN_S = 30


@click.command("serve")
@click.option("--host", help="Address to listen on (default: CASEWORK_HOST or 127.0.0.1).")
@click.option("--port", type=click.IntRange(0, 65_535), help="Port to listen on (default: CASEWORK_PORT or 8000).")
@click.option("--workers", type=click.IntRange(1, 64), default=1, show_default=True, help="Processes that serve.")
@click.option("--demo", is_flag=True, help="Serve the branch that `casework demo` made.")
def cli(host: str | None, port: int | None, workers: int, *, demo: bool) -> None:
    """Serve the pages and the API until interrupted; what is being written is finished first.

    On PostgreSQL it refuses to start with the owner's rights, unless CASEWORK_ALLOW_OWNER=1.

    \b
    Examples:
      casework serve
      casework serve --host 0.0.0.0 --port 8080 --workers 2
    """
    from casework.settings import Settings

    with told():
        settings = Settings.from_environment(_environment(demo=demo))
        _check(settings, workers)
        # The server ends its work at SIGTERM and raises it again: what lies around it must get its turn too.
        signal.signal(signal.SIGTERM, lambda *_: sys.exit())
        with _beside(settings, workers):
            _run(replace(settings, host=host or settings.host, port=settings.port if port is None else port), workers)


@contextmanager
def _beside(settings: "Settings", workers: int) -> Iterator[None]:
    """A folder in which several workers count together, and the sealer, which outlives them, says how it does."""
    from api import logs  # as `api.app` below
    from api.sealing_apart import sealed_apart

    logs.configure(settings.log_level)
    with tempfile.TemporaryDirectory(prefix="casework-serve-") as folder:
        if workers > 1:
            os.environ["PROMETHEUS_MULTIPROC_DIR"] = folder  # read when the workers import the library
        with sealed_apart(Path(folder)) if settings.seal else nullcontext():
            yield


def _environment(*, demo: bool) -> dict[str, str]:
    """The environment, with the demo's database where that is asked for; the workers see the same."""
    if demo:
        from casework.demo.place import FOLDER, environment, made  # only `--demo` needs it

        named = environment()
        if named and not made():
            raise CallerError("demo_missing", folder=str(FOLDER), command=as_typed())
        os.environ.update(named)
    return dict(os.environ)


def _check(settings: "Settings", workers: int) -> None:
    """Tell what stands in the way before any process is started: one line instead of one per worker."""
    from casework.operation.startup import start

    raise_file_limit(settings.connections)
    if (room := room_for(settings.connections)) < settings.connections:
        click.echo(
            f"warning: the limit on open files leaves room for {room} connections (ulimit -n) / "
            f"可打开文件数上限只容许 {room} 个连接",
            err=True,
        )
    if workers > 1 and settings.database_url.startswith("sqlite"):
        click.echo(
            "warning: on SQLite several processes wait for each other's lock and are slower than one; for more, use "
            "PostgreSQL / SQLite 多进程互相等待锁，比单进程更慢；需要多进程请使用 PostgreSQL",
            err=True,
        )
    from api.app import refuse_owner  # the web framework is loaded when it is served, not for --help

    started = start(settings)
    try:
        refuse_owner(started.engine, settings)
    finally:
        started.engine.dispose()


def _run(settings: "Settings", workers: int) -> None:
    import uvicorn

    from casework.storage.garbage import collected_as_before

    collected_as_before()
    options: dict[str, Any] = {
        "factory": True, "host": settings.host, "port": settings.port, "workers": workers, "loop": "auto",
        "http": "api.connections:Connection", "timeout_keep_alive": settings.idle_timeout_s, "proxy_headers": False,
        "access_log": False, "server_header": False, "date_header": True,
        "log_config": None, "timeout_graceful_shutdown": _DRAIN_S, "lifespan": "on", "ws": "none", "backlog": 2_048,
    }  # fmt: skip
    at = f"http://{settings.host}:{settings.port}"
    click.echo(f"casework serves {at}/console; for programs {at}/schema/openapi.json", err=True)
    try:
        uvicorn.run("api.app:from_environment", **options)
    except KeyboardInterrupt:
        return
    except SystemExit as ended:
        if ended.code:
            raise CallerError("serve_failed") from None


__all__ = ["cli"]
