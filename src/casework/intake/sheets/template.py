"""The template of a kind of file: header, an invented row to write over, and a sheet that explains each column. Pure.

It is made from the columns by which such a file is read, so it says what the reader takes.
"""

import csv
import io
from typing import Any, Final, Literal

from casework.intake.sheets.column import FileColumn, FileForm
from casework.intake.sheets.fault import letters
from casework.spreadsheet import WORKBOOK

Lang = Literal["zh", "en"]
_EXPLAINED: Final = (
    ("列", "Column", 6), ("名称", "Name", 22), ("其他名称", "Also called", 34), ("必填", "Required", 12),
    ("可填内容", "What it may hold (zh)", 70), ("What it may hold", "What it may hold", 70), ("示例", "Example", 26),
)  # fmt: skip
_EMPTY: Final = {"zh": "列必需，值可空", "en": "column yes, value no"}
_YES: Final = {"zh": ("是", "否"), "en": ("yes", "no")}


def template(form: FileForm, lang: Lang) -> bytes:
    """The workbook; its first sheet is a file of this kind, with headers of this language."""
    import xlsxwriter  # noqa: PLC0415  # most commands make no workbook

    out = io.BytesIO()
    with xlsxwriter.Workbook(out, WORKBOOK) as book:
        bold, text = book.add_format({"bold": True}), book.add_format({"num_format": "@"})
        invented = book.add_format({"num_format": "@", "italic": True, "font_color": "#7F7F7F"})
        sheet = book.add_worksheet(form.zh.replace("：", " ")[:31])
        sheet.freeze_panes(1, 0)
        for at, column in enumerate(form.columns):
            name = header(column, lang)
            sheet.set_column(at, at, max(14, 2 * len(name), len(column.filled) + 2), text)
            sheet.write_string(0, at, name, bold)
        for at, column in enumerate(form.columns):
            if column.filled:
                sheet.write_string(1, at, column.filled, invented)
        _explain(book, form, lang, bold)
    return out.getvalue()


def template_csv(form: FileForm, lang: Lang) -> bytes:
    """Header and invented row alone, in UTF-8 with the mark by which spreadsheets know it."""
    out = io.StringIO(newline="")
    csv.writer(out).writerows([[header(one, lang) for one in form.columns], [one.filled for one in form.columns]])
    return out.getvalue().encode("utf-8-sig")


def header(column: FileColumn, lang: Lang) -> str:
    """What the file calls the column."""
    return column.zh if lang == "zh" else column.name


def _explain(book: Any, form: FileForm, lang: Lang, bold: Any) -> None:
    page, wraps = book.add_worksheet("说明 Notes"), book.add_format({"text_wrap": True, "valign": "top"})
    page.write_string(0, 0, f"{form.zh} / {form.en} · casework {form.shell}", bold)
    page.write_string(
        1, 0, "第一张表第2行是虚构的示例，请改写后发送。 The second row of the first sheet is invented: write over it."
    )  # fmt: skip
    for at, (zh, en, width) in enumerate(_EXPLAINED):
        page.set_column(at, at, width)
        page.write_string(3, at, zh if lang == "zh" else en, bold)
    for row, column in enumerate(form.columns, 4):
        needed = _YES[lang][not column.compulsory]
        if column.may_be_empty:
            needed = _EMPTY[lang]
        also = "、".join(one for one in (column.name, *column.aliases) if one != header(column, lang))
        said = (
            letters(row - 4), header(column, lang), also, needed, column.kind.zh, column.kind.en, column.filled
        )  # fmt: skip
        for at, cell in enumerate(said):
            page.write_string(row, at, cell, wraps)
