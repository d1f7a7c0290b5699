"""A photo is known by its content: what it is, how it looks, what its camera says; and what is none is refused."""

import io
import random
import zlib
from collections.abc import Callable
from typing import Any

import pillow_heif
import pytest
from PIL import ExifTags, Image, ImageDraw, ImageFilter

from casework.errors import CallerError
from casework.pictures import ALIKE_BITS, MAX_BYTES, PREVIEW_SIDE, bands_of, bits_apart, read_picture, turned

pillow_heif.register_heif_opener()


def scene(number: int, size: tuple[int, int] = (1600, 1200)) -> Image.Image:
    """Something like a street, another for each number."""
    chance = random.Random(number)
    image = Image.new("RGB", size, (chance.randrange(256),) * 3)
    draw = ImageDraw.Draw(image)
    for _ in range(60):
        left, top = chance.randrange(size[0]), chance.randrange(size[1])
        right, bottom = left + chance.randrange(30, 600), top + chance.randrange(30, 600)
        draw.rectangle((left, top, right, bottom), fill=tuple(chance.randrange(256) for _ in "rgb"))
    return image.filter(ImageFilter.GaussianBlur(2))


def written(image: Image.Image, form: str = "JPEG", **more: Any) -> bytes:
    file = io.BytesIO()
    image.save(file, form, **more)
    return file.getvalue()


def camera(taken: str = "2026:11:29 10:05:00") -> Image.Exif:
    """What a phone writes beside the pixels."""
    exif = Image.Exif()
    exif[ExifTags.Base.Model] = "Pixel 9"
    exif[ExifTags.Base.Orientation] = 6
    exif.get_ifd(ExifTags.IFD.Exif).update({
        ExifTags.Base.DateTimeOriginal: taken, ExifTags.Base.OffsetTimeOriginal: "+08:00",
    })  # fmt: skip
    exif.get_ifd(ExifTags.IFD.GPSInfo).update({
        ExifTags.GPS.GPSLatitude: (30.0, 16.0, 30.0), ExifTags.GPS.GPSLatitudeRef: "N",
        ExifTags.GPS.GPSLongitude: (120.0, 9.0, 0.0), ExifTags.GPS.GPSLongitudeRef: "E",
    })  # fmt: skip
    return exif


@pytest.mark.parametrize(("form", "media_type"), [
    ("JPEG", "image/jpeg"), ("PNG", "image/png"), ("WEBP", "image/webp"), ("HEIF", "image/heic"),
])  # fmt: skip
def test_what_it_is_is_told_by_its_content(form: str, media_type: str) -> None:
    told = read_picture(written(scene(1), form))
    assert (told.media_type, told.width, told.height) == (media_type, 1600, 1200)
    assert (told.taken_at, told.device, told.place) == (None, None, None)


def test_what_the_camera_says_is_kept_and_the_preview_says_nothing() -> None:
    told = read_picture(written(scene(1), exif=camera()))
    assert (str(told.taken_at), told.device, told.place) == (
        "2026-11-29 10:05:00+08:00",
        "Pixel 9",
        "30.27500,120.15000",
    )
    preview = Image.open(io.BytesIO(told.preview))
    assert (dict(preview.getexif()), "exif" in preview.info, max(preview.size)) == ({}, False, PREVIEW_SIDE)
    assert preview.height > preview.width, "it stands upright, as the camera was held"
    assert b"Pixel" not in told.preview


def test_a_time_without_its_offset_is_no_time_and_a_broken_place_no_place() -> None:
    exif = camera()
    del exif.get_ifd(ExifTags.IFD.Exif)[ExifTags.Base.OffsetTimeOriginal]
    exif.get_ifd(ExifTags.IFD.GPSInfo)[ExifTags.GPS.GPSLatitude] = (30.0,)
    told = read_picture(written(scene(1), exif=exif))
    assert (told.taken_at, told.place) == (None, None)


def smaller(image: Image.Image) -> Image.Image:
    return image.resize((image.width // 2, image.height // 2))


@pytest.mark.parametrize(("what", "changed"), [
    ("another format", lambda image: written(image, "WEBP", quality=70)),
    ("worse and smaller", lambda image: written(smaller(image), quality=40)),
    ("brighter", lambda image: written(image.point(lambda value: min(255, value + 12)))),
])  # fmt: skip
def test_the_same_photo_is_known_again_and_another_is_not(
    what: str, changed: Callable[[Image.Image], bytes]
) -> None:  # fmt: skip
    first, again, other = (
        read_picture(one) for one in (written(scene(1)), changed(scene(1)), written(scene(2)))
    )  # fmt: skip
    assert first.sha256 != again.sha256
    assert bits_apart(first.look, again.look) <= ALIKE_BITS, what
    assert set(enumerate(bands_of(first.look))) & set(enumerate(bands_of(again.look)))
    assert bits_apart(first.look, other.look) > ALIKE_BITS


@pytest.mark.parametrize("way", list(Image.Transpose))
def test_a_photo_that_was_turned_or_mirrored_is_known_again(way: Image.Transpose) -> None:
    for number in (1, 2, 3):
        ways = turned(read_picture(written(scene(number))).look)
        again = read_picture(written(scene(number).transpose(way), quality=60)).look
        assert min(bits_apart(one, again) for one in ways) <= ALIKE_BITS
        assert min(bits_apart(one, read_picture(written(scene(number + 3))).look) for one in ways) > ALIKE_BITS


def bomb() -> bytes:
    """A PNG of a few kilobytes that says to be 30,000 pixels wide and high."""
    flat = bytearray(written(Image.new("1", (8, 8)), "PNG"))
    flat[16:24] = (30_000).to_bytes(4) * 2
    flat[29:33] = zlib.crc32(bytes(flat[12:29])).to_bytes(4)
    return bytes(flat)


# (what it is, the file, a word of what is said)
UNFIT: list[tuple[str, bytes, str]] = [
    ("a script", b"<?php system($_GET['c']); ?>" * 50, "no photo"),
    ("a script that calls itself a picture", b"\x89PNG\r\n\x1a\n<script>alert(1)</script>", "photo"),
    ("an SVG", b"<svg xmlns='http://www.w3.org/2000/svg'><script/></svg>", "no photo"),
    ("a GIF", written(Image.new("P", (9, 9)), "GIF"), "no photo"),
    ("nothing", b"", "no photo"),
    ("cut in the middle", written(scene(1))[:40_000], "cut short"),
    ("of 16 MB", bytes(MAX_BYTES + 1), "bytes"),
    ("a bomb", bomb(), "pixels"),
    ("of 51 megapixels", written(Image.new("1", (10_200, 5_000)), "PNG"), "pixels"),
]  # fmt: skip


@pytest.mark.parametrize(("what", "content", "said"), UNFIT, ids=[one[0] for one in UNFIT])
def test_what_is_no_photo_or_too_much_is_refused_with_what_is_allowed(what: str, content: bytes, said: str) -> None:
    with pytest.raises(CallerError) as caught:
        read_picture(content)
    assert (caught.value.code, "15 MB" in str(caught.value), said in str(caught.value)) == (
        "photo_unfit",
        True,
        True,
    ), what
