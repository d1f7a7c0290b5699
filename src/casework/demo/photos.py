"""Photos that nobody took: a house or a door plate, drawn, with what a phone writes beside the pixels."""

import io
from datetime import datetime
from random import Random
from typing import Final

from PIL import ExifTags, Image, ImageDraw, ImageFont

_SIZE: Final = (1280, 960)
_STRIP: Final = 64
_DEVICE: Final = "Demo Phone 1"
_SKY: Final = ((143, 188, 224), (201, 214, 223), (236, 205, 164))
_WALLS: Final = ((176, 108, 84), (188, 176, 152), (132, 146, 160), (166, 138, 110))
_LIT, _DARK = (250, 230, 160), (58, 70, 88)


def drawn_photo(shows: str, number: int, taken_at: datetime) -> bytes:
    """A JPEG of the `building` or the `door_plate` of house `number`, another for each number, taken then and there."""
    random = Random(f"photo {shows} {number}")  # noqa: S311 - a drawing, not a secret
    image = Image.new("RGB", _SIZE, random.choice(_SKY))
    draw = ImageDraw.Draw(image)
    (_building if shows == "building" else _door_plate)(draw, random, number)
    width, height = _SIZE
    draw.rectangle((0, height - _STRIP, width, height), fill=(24, 26, 30))
    caption = f"DRAWN FOR THE DEMO, NO REAL PLACE   {shows} {number}   {taken_at:%Y-%m-%d %H:%M}"
    draw.text((24, height - _STRIP + 16), caption, fill="white", font=ImageFont.load_default(30))
    file = io.BytesIO()
    image.save(file, "JPEG", quality=80, exif=_camera(taken_at, number))
    return file.getvalue()


def _building(draw: ImageDraw.ImageDraw, random: Random, number: int) -> None:
    """Some houses in a street, the last of them with its number over the door."""
    width, height = _SIZE
    draw.rectangle((0, height * 4 // 5, width, height), fill=(96, 100, 96))
    left = 0
    for _ in range(random.randint(2, 4)):
        left, top = random.randint(-100, width - 200), random.randint(80, height // 2)
        right = left + random.randint(260, 560)
        draw.rectangle((left, top, right, height * 4 // 5), fill=random.choice(_WALLS))
        side = random.randint(36, 72)
        for x in range(left + 20, right - side, side * 3 // 2):
            for y in range(top + 24, height * 4 // 5 - side, side * 2):
                draw.rectangle((x, y, x + side, y + side), fill=_LIT if random.random() < 0.3 else _DARK)
    draw.rectangle((left + 60, height * 4 // 5 - 150, left + 150, height * 4 // 5), fill=(70, 48, 36))
    draw.text((left + 62, height * 4 // 5 - 200), str(number), fill="white", font=ImageFont.load_default(40))


def _door_plate(draw: ImageDraw.ImageDraw, random: Random, number: int) -> None:
    """A wall of bricks, and a plate on it."""
    width, height = _SIZE
    wall, high = random.choice(_WALLS), random.randint(40, 90)
    for row, y in enumerate(range(0, height, high)):
        for x in range(-high * 2 + row % 2 * high, width, high * 2):
            shade = random.randint(-24, 24)
            draw.rectangle((x, y, x + high * 2 - 5, y + high - 5), fill=tuple(part + shade for part in wall))
    left, top = random.randint(120, 560), random.randint(120, 420)
    plate = (20, 60 + random.randint(0, 60), 140)
    draw.rounded_rectangle((left, top, left + 520, top + 280), 28, fill=plate, outline="white", width=10)
    draw.text((left + 60, top + 70), f"No. {number}", fill="white", font=ImageFont.load_default(120))


def _camera(taken_at: datetime, number: int) -> Image.Exif:
    exif = Image.Exif()
    exif[ExifTags.Base.Model] = _DEVICE
    exif.get_ifd(ExifTags.IFD.Exif).update({
        ExifTags.Base.DateTimeOriginal: f"{taken_at:%Y:%m:%d %H:%M:%S}",
        ExifTags.Base.OffsetTimeOriginal: taken_at.isoformat()[-6:],
    })  # fmt: skip
    exif.get_ifd(ExifTags.IFD.GPSInfo).update({  # in a lake, where nobody lives
        ExifTags.GPS.GPSLatitude: (30.0, 33.0, float(number % 60)), ExifTags.GPS.GPSLatitudeRef: "N",
        ExifTags.GPS.GPSLongitude: (114.0, 23.0, float(number % 60)), ExifTags.GPS.GPSLongitudeRef: "E",
    })  # fmt: skip
    return exif
