"""The log as other people's programs read it (C2SP tlog-tiles), below `/log`, for auditors: bodies carry amounts.

What is there never changes but the checkpoint, so everything else may be kept by whoever fetched it.
"""

from typing import Any

from litestar import Request, Response, get
from litestar.params import FromPath

from api.problems import problem_responses
from api.reading.asking import reader_of
from casework.errors import CallerError
from casework.log.format.tiles import (
    TILE_HEIGHT,
    TILE_WIDTH,
    Bundle,
    MalformedTile,
    Tile,
    parse_path,
)
from casework.log.proving import cosigned_note, published_note
from casework.log.write.grown import (
    begun_log,
    read_bundle,
    read_tile,
    size_of,
)
from casework.log.write.witnesses import known_witnesses
from casework.storage.database import reading

FOR_EVER = {"cache-control": "private, max-age=31536000, immutable"}
FRESH = {"cache-control": "private, no-cache"}


@get(
    "/log/checkpoint", sync_to_thread=True, tags=["log"], media_type="text/plain",
    summary="The newest signed checkpoint",
    responses=problem_responses("log_not_begun", "no_checkpoint", "post_not_permitted"),
)  # fmt: skip
def checkpoint(request: Request[Any, Any, Any]) -> Response[bytes]:
    """A signed note: origin, size, root, the log's signature, and cosignatures of witnesses (C2SP tlog-checkpoint)."""
    serving, _ = reader_of(request)
    witnesses = known_witnesses(serving.settings.keys_dir)
    with reading(serving.engine, snapshot=True) as conn:
        return Response(published_note(conn, witnesses), media_type="text/plain", headers=FRESH)


@get(
    "/log/checkpoint/cosigned", sync_to_thread=True, tags=["log"], media_type="text/plain",
    summary="The newest checkpoint that a witness has cosigned",
    responses=problem_responses("log_not_begun", "no_cosigned_checkpoint", "post_not_permitted"),
)  # fmt: skip
def cosigned_checkpoint(request: Request[Any, Any, Any]) -> Response[bytes]:
    """As the newest checkpoint, perhaps an older one: at least one witness that the branch knows has signed it."""
    serving, _ = reader_of(request)
    witnesses = known_witnesses(serving.settings.keys_dir)
    with reading(serving.engine, snapshot=True) as conn:
        return Response(cosigned_note(conn, witnesses), media_type="text/plain", headers=FRESH)


@get(
    "/log/tile/{tile_path:path}", sync_to_thread=True, tags=["log"], media_type="application/octet-stream",
    summary="A tile of the tree, or a bundle of entries",
    responses=problem_responses("log_not_begun", "unknown_tile", "post_not_permitted"),
)  # fmt: skip
def tile(request: Request[Any, Any, Any], tile_path: FromPath[str]) -> Response[bytes]:
    """`<level>/<number>[.p/<width>]`: 32-byte hashes; `entries/<number>[.p/<width>]`: entries after their lengths.

    Partial ones are given in any width that the log has reached.
    """
    serving, _ = reader_of(request)
    try:
        wanted = parse_path(f"tile/{tile_path.removeprefix('/')}")
        with reading(serving.engine, snapshot=True) as conn:
            log = begun_log(conn)
            if not _is_there(wanted, size_of(conn, log)):
                raise _unknown()
            data = read_tile(conn, log, wanted) if isinstance(wanted, Tile) else read_bundle(conn, log, wanted)
    except MalformedTile:
        raise _unknown() from None
    return Response(data, media_type="application/octet-stream", headers=FOR_EVER)


def _is_there(wanted: Tile | Bundle, size: int) -> bool:
    """Whether the log has grown as far: a number beyond every log must not reach the database."""
    level = wanted.level if isinstance(wanted, Tile) else 0
    return wanted.number * TILE_WIDTH + wanted.width <= size >> (TILE_HEIGHT * level)


def _unknown() -> CallerError:
    return CallerError("unknown_tile")


route_handlers = [checkpoint, cosigned_checkpoint, tile]
"""What `create_app` adds."""
