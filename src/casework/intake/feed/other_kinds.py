"""What a file is that is no table, by how it begins: what people send for one, and what to do with it. Pure."""

from collections.abc import Mapping
from typing import Final

_ARCHIVE: Final = ("是压缩包；请解压后逐个发送", "it is an archive; send what is in it, one by one")
_PICTURE: Final = ("是图片；请发送表格本身", "it is a picture; send the table itself")
_MARKUP: Final = ("是网页或 XML 文本；请在电子表格中打开并另存为 XLSX",
                  "it is a web page or XML; open it in a spreadsheet and save it as XLSX")  # fmt: skip
_BEGINS: Final[Mapping[bytes, tuple[str, str]]] = {
    b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1": (
        "是旧版 Excel 或 WPS 工作簿（.xls、.et），或带有密码；请去除密码并另存为 XLSX",
        "it is an old workbook (.xls, .et), or one with a password; take the password off and save it as XLSX",
    ),
    b"%PDF": ("是 PDF；请发送表格本身", "it is a PDF; send the table itself"),
    b"Rar!": _ARCHIVE, b"7z\xbc\xaf\x27\x1c": _ARCHIVE, b"\x89PNG": _PICTURE, b"\xff\xd8\xff": _PICTURE,
}  # fmt: skip
_TAGS: Final = (b"<html", b"<!doctype", b"<?xml", b"<table", b"mime-version:")


def other_kind(content: bytes) -> tuple[str, str] | None:
    """What it is and what to do, in Chinese and English; none of what may be a table."""
    for begins, told in _BEGINS.items():
        if content.startswith(begins):
            return told
    head = content[:256].removeprefix(b"\xef\xbb\xbf").lstrip().lower()
    return _MARKUP if head.startswith(_TAGS) else None
