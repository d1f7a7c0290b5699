"""Photos of visits over HTTP: sent by who visits, listed, looked at; each look is an entry."""

import asyncio
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Annotated, Any, Final
from zoneinfo import ZoneInfo

import msgspec
from litestar import Request, Response, get, post
from litestar.openapi.datastructures import ResponseSpec
from litestar.params import QueryParameter

from api.auth import actor_of
from api.changing import respond
from api.example import Example
from api.nouns import Number
from api.one_file import OneFile, form_of, one_file, said_in
from api.outcomes import Named, answer_of, etag
from api.problems import problem_responses, request_id_of
from api.reading.asking import answers, check_parameters
from api.reading.exports import saved_as
from api.serving import serving_of
from casework.clock import now
from casework.errors import CallerError, TryAgain
from casework.file_names import file_name
from casework.lifecycle.commands import Outcome
from casework.pictures import MAX_BYTES
from casework.storage.database import reading
from casework.work.cases.lifecycles import VISITS
from casework.work.photos.alike import Alike, alike_of
from casework.work.photos.showing import Captured, PhotoLine, photos_of, show_capture, show_photo
from casework.work.photos.storing import PhotoKept, PhotoSent, keep_photo

_SAID: Final = ("shows", "consent")
_TOLD: Final = ("photo", "place", "device")
_LONGEST: Final = 128
MAX_BODY_BYTES: Final = MAX_BYTES + 64 * 1024
_NEVER_KEPT: Final = {"Cache-Control": "private, no-store"}
_VISIT: Final = Named("/visits", "id", "下户", "visit", VISITS.word)
Purpose = Annotated[
    str | None,
    QueryParameter(max_length=64, description="A purpose of permissions.toml; the usual one of your posts if none."),
]


class LooksAlike(Alike):
    """A photo of the visit (`of`), and another anywhere that looks the same."""

    of: int


class PhotosBody(msgspec.Struct):
    """All of one visit, in the order in which they came; for the reviewer those that look the same elsewhere."""

    visit_id: int
    items: list[PhotoLine]
    alike: list[LooksAlike]
    next: None = None


_HASH = "sha256:" + "0f" * 32
_KEPT = {
    "photo_id": 12, "photo": _HASH, "taken_at": "2026-03-09T02:05:00Z", "entry_id": "case:17:9", "version": 4,
    "alike": [], "again": False,
}  # fmt: skip
_LINE = {
    "id": 12, "photo": _HASH, "shows": "building", "media_type": "image/heic", "size_bytes": 2_310_044, "width": 4032,
    "height": 3024, "taken_at": "2026-03-09T02:05:00Z", "sent_by": "S0012", "sent_at": "2026-03-09T02:06:00Z",
}  # fmt: skip
_ALIKE = {"photo_id": 9, "visit_id": 27, "case_id": 1140, "bits": 4, "of": 12}


_CREATED = ResponseSpec(
    PhotoKept, generate_examples=False, description="Kept", examples=[Example(summary="kept", value=_KEPT)]
)  # fmt: skip


_AGAIN = ResponseSpec(
    PhotoKept, generate_examples=False, description="Kept before, of this visit",
    examples=[Example(summary="again", value={**_KEPT, "again": True})],
)  # fmt: skip


class _OnePhoto(OneFile):
    """A photo, what it shows; when, where and with what it was taken, where it does not say so itself; its hash."""

    choices: Mapping[str, Sequence[str]] = dict.fromkeys((*_SAID, "taken_at", *_TOLD), ())
    instants = ("taken_at",)


@post(
    "/visits/{number:int}/photos", status_code=201, tags=["visits"], summary="Send a photo of a visit",
    operation_class=_OnePhoto,
    responses={200: _AGAIN, 201: _CREATED, **problem_responses(
        "malformed_request", "body_too_large", "unsupported_media_type", "post_not_permitted", "key_not_permitted",
        f"unknown_{VISITS.word}", "not_a_visitor", "photo_unfit", "photo_without_time", "photo_known", "refused",
        "faulty_data", "file_store_failed")},
)  # fmt: skip
async def send_photo(request: Request[Any, Any, Any], number: Number) -> Response[Any]:
    """One file (JPEG, PNG, WebP, HEIC; at most 15 MB and 50 megapixels) by one of the visitors.

    `shows` says what it shows; the interior and persons need `consent`, a reference. `taken_at` (with offset), `place`
    and `device` count where the file does not say them; `photo` is its hash as it was taken, checked. The same photo of
    the same visit again is answered as the first time, with 200 and `again`.
    """
    form, _ = await form_of(request)
    said_in(form, _OnePhoto.choices)
    kept = await photo_sent(request, number)
    if not isinstance(kept, PhotoKept):
        return respond(answer_of(kept, request_id_of(request), named=_VISIT))
    headers = {"Location": f"/photos/{kept.photo_id}", "ETag": etag(kept.version)}
    return Response(kept, status_code=200 if kept.again else 201, headers=headers)


async def photo_sent(request: Request[Any, Any, Any], number: int, zone: str | None = None) -> PhotoKept | Outcome:
    """Keep the photo that a form brings; `zone`: of a time that is given without its offset, as people type it."""
    form, _, content = await one_file(request)
    said = {name: str(form[name]) for name in _SAID if form.get(name)}
    told = {name: str(form[name])[:_LONGEST] for name in _TOLD if form.get(name)}
    sent = PhotoSent(number, content, said, _instant(form.get("taken_at"), zone), **told)
    serving, actor = serving_of(request), actor_of(request)

    def keep() -> PhotoKept | Outcome:
        return keep_photo(serving.engine, serving.branch, serving.branch.files, actor, sent)

    try:
        return await asyncio.to_thread(keep)
    except TryAgain:  # sent twice at once: now the other one is seen
        return await asyncio.to_thread(keep)


def _instant(told: Any, zone: str | None) -> datetime | None:
    if not told:
        return None
    try:
        found = datetime.fromisoformat(str(told))
    except ValueError:
        found = None
    if found is not None and found.tzinfo is None and zone is not None:
        found = found.replace(tzinfo=ZoneInfo(zone))
    if found is None or found.tzinfo is None:
        raise CallerError(
            "invalid_request", "taken_at 须为带时区的时间，如 2026-11-29T10:05:00+08:00",
            "taken_at must be a time with its offset, such as 2026-11-29T10:05:00+08:00", field="taken_at",
        )  # fmt: skip
    return found


@get("/visits/{number:int}/photos", sync_to_thread=True, tags=["visits"], summary="The photos of a visit",
     responses=answers(PhotosBody, {"visit_id": 31, "items": [_LINE], "alike": [_ALIKE]},
                       f"unknown_{VISITS.word}"))  # fmt: skip
def photos_of_visit(request: Request[Any, Any, Any], number: Number) -> PhotosBody:
    """What is known of each; a look is GET /photos/{number}."""
    check_parameters(request, ())
    serving = serving_of(request)
    with reading(serving.engine) as conn:
        found = photos_of(conn, serving.branch, actor_of(request), number, now())
        alike = alike_of(conn, [one.id for one in found])
    near = [LooksAlike(**msgspec.structs.asdict(one), of=of) for of in sorted(alike) for one in alike[of]]
    return PhotosBody(number, found, near)


def _shown(media_type: str, what: str) -> dict[int, ResponseSpec]:
    spec = ResponseSpec(bytes, media_type=media_type, generate_examples=False, description=what)
    return {200: spec, **problem_responses(
        "post_not_permitted", "unknown_photo", "purpose_unknown", "purpose_not_permitted", "file_gone",
        "file_store_failed", "sealed_value_altered",
    )}  # fmt: skip


@get("/photos/{number:int}", sync_to_thread=True, tags=["visits"], summary="Look at a photo", media_type="image/jpeg",
     responses=_shown("image/jpeg", "Smaller, and without what the device wrote beside the pixels."))  # fmt: skip
def look_at_photo(request: Request[Any, Any, Any], number: Number, purpose: Purpose = None) -> Response[bytes]:
    """A preview; an entry says who looked and what for."""
    return _look(request, number, purpose, original=False)


_TAKEN = {
    "place": "30.59276,114.30525", "device": "Pixel 8", "told": ["place"], "photo_id": 12,
    "taken_at": "2026-03-09T02:05:00Z",
}  # fmt: skip


@get("/photos/{number:int}/capture", sync_to_thread=True, tags=["visits"],
     summary="When, where and with what a photo was taken",
     responses=answers(Captured, _TAKEN, "unknown_photo", "purpose_unknown", "purpose_not_permitted"))  # fmt: skip
def capture_of_photo(request: Request[Any, Any, Any], number: Number, purpose: Purpose = None) -> Captured:
    """As the photo says, else as whoever sent it told (`told` names that); an entry says who looked and what for."""
    check_parameters(request, ("purpose",))
    serving = serving_of(request)
    return show_capture(serving.engine, serving.branch, actor_of(request), number, purpose=purpose)


@get("/photos/{number:int}/original", sync_to_thread=True, tags=["visits"], summary="A photo as it came",
     media_type="image/*", responses=_shown("image/*", "The file, byte for byte."))  # fmt: skip
def photo_as_it_came(request: Request[Any, Any, Any], number: Number, purpose: Purpose = None) -> Response[bytes]:
    """With all that the device wrote into it; an entry says who looked and what for."""
    return _look(request, number, purpose, original=True)


def _look(request: Request[Any, Any, Any], number: int, purpose: str | None, *, original: bool) -> Response[bytes]:
    check_parameters(request, ("purpose",))  # an entry says what for: a misspelt purpose is not the usual one
    serving = serving_of(request)
    shown = show_photo(
        serving.engine, serving.branch, serving.branch.files, actor_of(request), number, purpose=purpose,
        original=original,
    )  # fmt: skip
    headers = dict(_NEVER_KEPT)
    if original:
        day = serving.branch.today(shown.taken_at)
        name = file_name("照片", "photo", number, day, kind=shown.media_type.rpartition("/")[2])
        headers["Content-Disposition"] = saved_as(name)
    return Response(shown.content, media_type=shown.media_type, headers=headers)


uploads = (send_photo,)
route_handlers = (photos_of_visit, look_at_photo, capture_of_photo, photo_as_it_came)
