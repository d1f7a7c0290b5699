"""A photo as it comes: what it is by its content, how it looks, what its camera says; and a preview that says nothing.

JPEG, PNG, WebP and HEIC, which phones send. A file's name and declared type are never asked.
"""

import hashlib
import io
import threading
import warnings
from datetime import datetime, timedelta, timezone
from typing import Final, NamedTuple

import numpy as np
import pdqhash
import pillow_heif
from PIL import ExifTags, Image, ImageOps, UnidentifiedImageError

from casework.errors import CallerError

MAX_BYTES: Final = 15 * 1024 * 1024
MAX_PIXELS: Final = 50_000_000
MIN_SIDE: Final = 200
"""Pixels: of what is smaller nobody sees what it shows."""
PREVIEW_SIDE: Final = 1_280
BANDS: Final = 16
"""Parts of the look, 2 bytes each. Looks that differ in fewer bits than that share at least one."""
ALIKE_BITS: Final = 31
"""Looks that differ in so many of 256 bits or fewer are of one picture (the bound that PDQ's authors advise)."""
_FORMATS: Final = {"JPEG": "image/jpeg", "PNG": "image/png", "WEBP": "image/webp", "HEIF": "image/heic"}
_LOOK_SIDE: Final = 512
_WAVES: Final = 16
_QUALITY: Final = 82
_TEXT: Final = 100
_AT_WORK: Final = threading.BoundedSemaphore(2)  # 50 megapixels take 150 MiB while they are read
_OFFSET: Final = ExifTags.Base.OffsetTimeOriginal
_TAKEN: Final = ExifTags.Base.DateTimeOriginal

pillow_heif.register_heif_opener(thumbnails=False)


class Picture(NamedTuple):
    """What one is. `sha256`: of the bytes as they came; `look`: its perceptual hash, 32 bytes.

    `taken_at`: as its camera says, where that says the offset too; `clock`: what it showed, where it does not. `place`:
    latitude and longitude, as it says.
    """

    sha256: str
    look: bytes
    media_type: str
    width: int
    height: int
    taken_at: datetime | None
    clock: datetime | None
    device: str | None
    place: str | None
    preview: bytes


def read_picture(content: bytes) -> Picture:
    """Read it whole. CallerError `photo_unfit`, which says what is wrong and what is allowed."""
    if len(content) > MAX_BYTES:
        raise _unfit(f"大小{len(content):,}字节", f"it has {len(content):,} bytes")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # a bomb is refused by its size below, before a pixel is read
            image = Image.open(io.BytesIO(content), formats=tuple(_FORMATS))
        if image.width * image.height > MAX_PIXELS or min(image.size) < MIN_SIDE:
            raise _unfit(f"{image.width}×{image.height}像素", f"it has {image.width} × {image.height} pixels")
        width, height, exif = image.width, image.height, image.getexif()
        with _AT_WORK:
            image.draft("RGB", (PREVIEW_SIDE, PREVIEW_SIDE))  # a JPEG is decoded no larger than it is needed
            image.thumbnail((PREVIEW_SIDE, PREVIEW_SIDE))
            upright = ImageOps.exif_transpose(image).convert("RGB")
    except (UnidentifiedImageError, Image.DecompressionBombError):
        raise _unfit("不是可识别的照片", "it is no photo that can be read") from None
    except (OSError, ValueError, SyntaxError, EOFError, RuntimeError, MemoryError):  # what decoders say of what is cut
        raise _unfit("照片不完整或已损坏", "the photo is cut short or broken") from None
    small = upright.resize((_LOOK_SIDE, _LOOK_SIDE), Image.Resampling.BILINEAR)
    bits, _quality = pdqhash.compute(np.asarray(small))
    camera = exif.get_ifd(ExifTags.IFD.Exif)
    return Picture(
        f"sha256:{hashlib.sha256(content).hexdigest()}", np.packbits(bits.astype(np.uint8)).tobytes(),
        _FORMATS[str(image.format)], width, height, *_taken(camera.get(_TAKEN), camera.get(_OFFSET)),
        _text(exif.get(ExifTags.Base.Model)), _place(exif.get_ifd(ExifTags.IFD.GPSInfo)), _preview(upright),
    )  # fmt: skip


def bands_of(look: bytes) -> list[int]:
    """The parts of a look: pictures that share none are not alike."""
    return [int.from_bytes(look[2 * place : 2 * place + 2]) for place in range(BANDS)]


def turned(look: bytes) -> list[bytes]:
    """The looks of one picture turned and mirrored in all eight ways, as it is first.

    A look is the signs of 16 × 16 waves: turning a picture swaps its rows and columns, mirroring it turns the sign of
    every second row or column (of uneven waves).
    """
    own = np.unpackbits(np.frombuffer(look, np.uint8)).reshape(_WAVES, _WAVES)
    row, column = np.indices((_WAVES, _WAVES), np.uint8) % 2
    signs = (np.zeros_like(row), row, column, row ^ column)
    return [np.packbits(side ^ sign).tobytes() for side in (own, own.T) for sign in signs]


def bits_apart(one: bytes, other: bytes) -> int:
    """In how many bits two looks differ."""
    return (int.from_bytes(one) ^ int.from_bytes(other)).bit_count()


def _unfit(zh: str, en: str) -> CallerError:
    allowed_zh = (
        f"照片须为 JPEG、PNG、WebP 或 HEIC，不超过{MAX_BYTES // 1024**2} MB、{MAX_PIXELS // 1_000_000:,}百万像素，"
        f"每边不少于{MIN_SIDE}像素"
    )
    allowed_en = (
        f"JPEG, PNG, WebP or HEIC of at most {MAX_BYTES // 1024**2} MB and {MAX_PIXELS // 1_000_000} megapixels, with"
        f" {MIN_SIDE} pixels a side or more"
    )
    return CallerError("photo_unfit", f"{zh}；{allowed_zh}", f"{en}; a photo is {allowed_en}", field="file")


def _preview(upright: Image.Image) -> bytes:
    """Its pixels, and nothing of what the file said beside them."""
    written = io.BytesIO()
    Image.fromarray(np.asarray(upright)).save(written, "JPEG", quality=_QUALITY)
    return written.getvalue()


def _taken(told: object, offset: object) -> tuple[datetime | None, datetime | None]:
    """EXIF writes 2026:11:29 10:05:00 and +08:00; without the offset it is a time of nowhere."""
    try:
        naive = datetime.strptime(str(told).strip("\x00 "), "%Y:%m:%d %H:%M:%S")  # noqa: DTZ007  # its zone follows
    except ValueError:
        return None, None
    try:
        sign, hours, minutes = str(offset)[:1], int(str(offset)[1:3]), int(str(offset)[4:6])
        zone = timezone({"+": 1, "-": -1}[sign] * timedelta(hours=hours, minutes=minutes))
    except (ValueError, KeyError):
        return None, naive
    return naive.replace(tzinfo=zone), None


def _text(told: object) -> str | None:
    return "".join(one for one in told if one.isprintable())[:_TEXT].strip() or None if isinstance(told, str) else None


def _place(told: dict[int, object]) -> str | None:
    """Degrees with five decimals: a metre or so."""
    try:
        found = [
            _degrees(told[ExifTags.GPS.GPSLatitude], str(told[ExifTags.GPS.GPSLatitudeRef]), "S"),
            _degrees(told[ExifTags.GPS.GPSLongitude], str(told[ExifTags.GPS.GPSLongitudeRef]), "W"),
        ]
    except (KeyError, ValueError, TypeError, ZeroDivisionError):
        return None
    return ",".join(f"{one:.5f}" for one in found)


def _degrees(parts: object, side: str, negative: str) -> float:
    degrees, minutes, seconds = (float(one) for one in parts)  # type: ignore[attr-defined]  # what else raises TypeError
    return (-1 if side == negative else 1) * (degrees + minutes / 60 + seconds / 3600)
