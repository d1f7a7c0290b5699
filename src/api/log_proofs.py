"""What proves the log and what witnesses say of it, below `/log`: proofs, keys, receipts, cosignatures."""

import asyncio
from typing import Annotated, Any

import msgspec
from litestar import Request, Response, get, post
from litestar.openapi.datastructures import ResponseSpec
from litestar.openapi.spec import OpenAPIMediaType, Schema
from litestar.openapi.spec.enums import OpenAPIType
from litestar.params import FromPath, PathParameter

from api.auth import still_valid
from api.example import Example
from api.log import FOR_EVER, FRESH
from api.one_file import OwnBody
from api.problems import problem_responses
from api.reading.asking import check_parameters, reader_of
from api.serving import Serving, serving_of
from casework.clock import now
from casework.errors import CallerError
from casework.log.check.honoured import change_of_entry
from casework.log.format.proof import encode_hashes
from casework.log.format.times import instant_text
from casework.log.format.tree import MAX_SIZE
from casework.log.proving import consistency_of, inclusion_of
from casework.log.write import receipt_keys, signer
from casework.log.write.cosignatures import CosignaturesTaken, take_in
from casework.log.write.witnesses import known_witnesses
from casework.storage.database import reading, writing

READ_ALL = "log.read"
Size = Annotated[int, PathParameter(description="How many leaves: the size of a checkpoint.")]


class CosignatureBody(msgspec.Struct):
    """A cosignature that is on file: of which size, by whom, when by the witness's clock; `new` since now."""

    size: int
    witness: str
    cosigned_at: str
    new: bool


class TakenList(msgspec.Struct):
    """One for each known witness that has signed the note."""

    cosignatures: list[CosignatureBody]


_TAKEN = ResponseSpec(
    TakenList, generate_examples=False, description="On file.",
    examples=[Example(id="example", summary="one witness", value={"cosignatures": [
        {"size": 1307, "witness": "audit.bank.example+1f0e7a9c+BGq7…", "cosigned_at": "2026-03-09T08:20:00.000000Z",
         "new": True}]})],
)  # fmt: skip


@get(
    "/log/proof/{entry_id:str}", sync_to_thread=True, tags=["log"], media_type="text/plain",
    summary="The proof that an entry is in the log",
    responses=problem_responses("log_not_begun", "unknown_entry", "not_sealed_yet", "proof_fails",
                                "post_not_permitted"),
)  # fmt: skip
def inclusion(request: Request[Any, Any, Any], entry_id: FromPath[str]) -> Response[bytes]:
    """C2SP tlog-proof: the leaf's index, the path to the newest checkpoint, and that checkpoint."""
    serving, _ = reader_of(request)
    witnesses = known_witnesses(serving.settings.keys_dir)
    with reading(serving.engine, snapshot=True) as conn:
        proof = inclusion_of(conn, entry_id, witnesses)
    return Response(proof.encode(), media_type="text/plain", headers=FRESH)


@get(
    "/log/consistency/{old:int}/{new:int}", sync_to_thread=True, tags=["log"], media_type="text/plain",
    summary="The proof that a larger log begins with a smaller one",
    responses=problem_responses("log_not_begun", "size_unknown", "tree_damaged", "post_not_permitted"),
)  # fmt: skip
def consistency(request: Request[Any, Any, Any], old: Size, new: Size) -> Response[bytes]:
    """Hashes in base64, one a line (RFC 6962, 2.1.2); nothing where nothing is to be proven. It never changes."""
    serving, _ = reader_of(request)
    if not 0 <= old <= new <= MAX_SIZE:
        raise CallerError("size_unknown")
    with reading(serving.engine, snapshot=True) as conn:
        data = encode_hashes(consistency_of(conn, old, new))
    return Response(data, media_type="text/plain", headers=FOR_EVER)


@get(
    "/log/keys", sync_to_thread=True, tags=["log"], media_type="text/plain", summary="The log's public keys",
    responses=problem_responses("log_keys_malformed", "post_not_permitted"),
)  # fmt: skip
def keys(request: Request[Any, Any, Any]) -> Response[bytes]:
    """Verifier keys, one a line: every one that ever signed a log of this branch, then those of receipts.

    Compare them with what you were given on paper: who serves the log serves them too.
    """
    serving, _ = reader_of(request)
    folder = serving.settings.keys_dir
    texts = [key.text for key in (*signer.known_keys(folder), *receipt_keys.known_keys(folder))]
    return Response("".join(f"{text}\n" for text in texts).encode(), media_type="text/plain", headers=FRESH)


@get(
    "/log/receipt/{entry_id:str}", sync_to_thread=True, tags=["log"], media_type="text/plain",
    summary="A receipt for an entry",
    responses=problem_responses("unknown_entry", "receipt_key_missing", "proof_fails", "post_not_permitted"),
)  # fmt: skip
def receipt(request: Request[Any, Any, Any], entry_id: FromPath[str]) -> Response[bytes]:
    """A signed note that names the entry and its leaf hash, for who wrote it and for auditors.

    Answers to changes of more than 20 entries carry none: fetch them here, and keep them.
    """
    serving, actor = reader_of(request)
    may_all = serving.branch.rulebook.permissions.may(actor, READ_ALL)
    signs = serving.receipts.key.signer()
    if signs is None:
        raise CallerError("receipt_key_missing")
    with reading(serving.engine, snapshot=True) as conn:
        change = change_of_entry(conn, entry_id, serving.branch.mac_key, of_actor=None if may_all else actor.id)
    return Response(signs.sign(change), media_type="text/plain", headers={"cache-control": "private, no-cache"})


class _Note(OwnBody):
    """The body is a signed note (C2SP signed-note)."""

    def bodies(self) -> dict[str, OpenAPIMediaType]:
        return {"text/plain": OpenAPIMediaType(schema=Schema(type=OpenAPIType.STRING, min_length=1))}


@post(
    "/log/cosignatures", status_code=200, tags=["log"], summary="Hand in a cosigned checkpoint", operation_class=_Note,
    responses={200: _TAKEN, **problem_responses(
        "malformed_note", "unknown_checkpoint", "checkpoint_differs", "witness_unknown", "cosignature_wrong",
        "cosigned_time_off", "witnesses_malformed", "body_too_large", "post_not_permitted", "key_not_permitted",
        "database_busy", "database_full")},
)  # fmt: skip
async def cosign(request: Request[Any, Any, Any]) -> TakenList:
    """The body is the note as the witness signed it, `text/plain`. A repeat changes nothing."""
    check_parameters(request, ())
    data = await request.body()
    taken = await asyncio.to_thread(_take, serving_of(request), request, data)
    return TakenList([CosignatureBody(one.size, one.witness.text, instant_text(one.at), one.new) for one in taken])


def _take(serving: Serving, request: Request[Any, Any, Any], data: bytes) -> list[CosignaturesTaken]:
    witnesses = known_witnesses(serving.settings.keys_dir)
    with writing(serving.engine) as conn:
        still_valid(conn, request)
        return take_in(conn, data, witnesses, now())


route_handlers = [inclusion, consistency, keys, receipt, cosign]
