"""Which column of a file is which: English names as in the feed's description, and their Chinese ones.

A new name that a bank uses is one more alias here; nothing else changes.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import date, timedelta
from typing import Final, Literal, NamedTuple, get_args

from casework.errors import CallerError
from casework.intake.feed.cell import FLAGS, LOAN_STATUSES, RISK_CLASSES, ROLES
from casework.intake.sheets.column import CellKind, FileColumn, is_ours, names_of, normal, one_of
from casework.intake.sheets.kinds import DAY, KEY, PHONE, STAFF, YUAN, text
from casework.people.staff.person import LONGEST_CODE

Kind = Literal["loans", "overdue", "contacts", "repayments"]
KINDS: Final[tuple[Kind, ...]] = get_args(Kind)


def _must(name: str, kind: CellKind, *aliases: str, example: str | None = None) -> FileColumn:
    return FileColumn(name, kind, True, aliases, example, name in PERSONAL)


def _may(name: str, kind: CellKind, *aliases: str, example: str | None = None) -> FileColumn:
    return FileColumn(name, kind, False, aliases, example, name in PERSONAL)


PERSONAL: Final = frozenset({"borrower_name", "id_number", "person_name", "phone", "address"})
HIDDEN: Final = "***"
"""What a cell of a column that nobody knows is shown as."""
_LOAN: Final = _must("loan_id", KEY, "借据号", "贷款编号", "借据编号", "贷款账号")
_BORROWER: Final = _must("borrower_id", KEY, "客户号", "客户编号", "借款人编号", example="EX-C0001")
_OUTSTANDING: Final = _must("outstanding_principal", YUAN, "贷款余额", "剩余本金", "本金余额", example="50000.00")
_ID_NUMBER: Final = CellKind(
    "证件号码：5至32位字母、数字或 ( ) -", "an identity document's number: 5 to 32 letters, digits or ( ) -",
    "000000190001010000", code=False,
)  # fmt: skip
_FLAG: Final = one_of(
    {word: "true" if value else "false" for word, value in FLAGS.items()}, "是"
)  # fmt: skip
_DAYS: Final = CellKind("整数天数", "a whole number of days", "41")
COLUMNS: Final[Mapping[Kind, tuple[FileColumn, ...]]] = {
    "loans": (
        _LOAN,
        _BORROWER,
        _may("borrower_name", text(128, "示例客户"), "客户姓名", "借款人姓名", "客户名称", "姓名"),
        _may("id_number", _ID_NUMBER, "证件号码", "身份证号", "身份证号码", "证件号"),
        _may("product", text(32, "haihua", code=True), "产品", "产品名称", "产品代码"),
        _may("channel_code", text(32, "CH01", code=True), "渠道编号", "渠道代码", "渠道"),
        _may("owner_staff_no", STAFF, "管户人工号", "责任人工号", "客户经理工号"),
        _may("team", text(LONGEST_CODE, "T1", code=True), "团队", "所属团队"),
        _may("region", text(LONGEST_CODE, "R1", code=True), "区域", "所属区域"),
        _may("disbursed_on", DAY, "放款日期", "放款日", example="2023-06-01"),
        _may("self_payment", _FLAG, "自主支付", "是否自主支付"),
        _may("principal", YUAN, "贷款金额", "放款金额", "贷款本金", example="60000.00"),
        _OUTSTANDING.like(may_be_empty=True),
        _may("risk_class", one_of(RISK_CLASSES, "special_mention"), "五级分类", "风险分类"),
        _may("npl_since", DAY, "转不良日期", "不良日期", "不良起始日", example=""),
        _may("status", one_of(LOAN_STATUSES, "on_book"), "贷款状态", "状态", "借据状态"),
    ),
    "overdue": (
        _LOAN,
        _must("oldest_due_date", DAY, "最早逾期日期", "最早到期日", "最早应还日", "逾期起始日", example="2024-04-20"),
        _must("overdue_principal", YUAN, "逾期本金", "拖欠本金", example="1000.00"),
        _must("overdue_interest", YUAN, "逾期利息", "拖欠利息", example="80.50"),
        _must("overdue_penalty", YUAN, "罚息", "逾期罚息", example="3.20"),
        _OUTSTANDING,
        _may("days_past_due", _DAYS, "逾期天数", example=""),
    ),
    "contacts": (
        _BORROWER,
        _may("person_name", text(128, "示例联系人"), "姓名", "联系人姓名"),
        _must("role", one_of(ROLES, "contact"), "角色", "联系人类型", "身份"),
        _may("relation", text(32, "配偶", code=True), "关系", "与借款人关系"),
        _may("phone", PHONE, "电话", "联系电话", "手机号", "手机号码"),
        _may("address_kind", text(16, "home", code=True), "地址类型"),
        _may("address", text(256, "示例市示例路1号"), "地址", "联系地址"),
        _may("source", text(64, "contract", code=True), "来源", "信息来源"),
        _may("legal_basis", text(64, "contract", code=True), "合法性依据", "合法依据", "法律依据"),
    ),
    "repayments": (
        _must("payment_id", KEY, "还款流水号", "流水号", "交易流水号", example="EX-P0001"),
        _LOAN,
        _must("paid_on", DAY, "还款日期", "还款日", "交易日期", example="2024-05-31"),
        _must("amount", YUAN, "还款金额", "金额", "交易金额", example="100.00"),
        # Without it a reversal would read as one more payment, so a file has to have it, empty or not.
        _must("reverses", KEY, "冲正流水号", "被冲正流水号", "原流水号", example="").like(may_be_empty=True),
    ),
}

# Columns that are never missed: the extra figure of `overdue`, what few banks send of a loan, and ours on set-aside
# rows that are fed again.
NOT_MISSED: Final = frozenset({"days_past_due", "status"})
SET_ASIDE_COLUMNS: Final = ("set_aside_line", "set_aside_column", "set_aside_code", "set_aside_reason")
APART: Final = "; "  # between several columns, codes and reasons of a row
SAFE_COLUMN: Final = "set_aside_safe"  # a file that has it has its cells defused (`safe_form`)


class SheetHeader(NamedTuple):
    """The first row of a file, understood: where each known column is, and what was odd about it."""

    names: tuple[str, ...]  # as the file spells them
    positions: Mapping[str, int]  # known column → index; a column that is not there is not a key
    absent: tuple[str, ...]  # columns that the file could have had
    unknown: tuple[str, ...]  # columns that nothing here reads


_KNOWN: Final[Mapping[Kind, Mapping[str, str]]] = {kind: names_of(COLUMNS[kind]) for kind in KINDS}


def understand(kind: Kind, cells: Sequence[str]) -> SheetHeader:
    """Find the columns of a file of `kind` in its first row.

    `CallerError` column_repeated (one column under one or two names) or column_missing, naming our columns
    only: a file without a header row begins with somebody's data, which must not reach an error's text.
    """
    known = _KNOWN[kind]
    positions: dict[str, int] = {}
    unknown: list[str] = []
    for index, cell in enumerate(cells):
        name = known.get(normal(cell))
        if name is None:
            if cell.strip() and not is_ours(cell):
                unknown.append(cell.strip()[:64])
        elif name in positions:
            raise CallerError("column_repeated", kind=kind, column=name)
        else:
            positions[name] = index
    missing = [column.name for column in COLUMNS[kind] if column.compulsory and column.name not in positions]
    if missing:
        raise CallerError(
            "column_missing",
            f"{kind} 文件缺少必需的列：{'、'.join(missing)}{hint_of(cells, known)[0]}",
            f"the {kind} file lacks the compulsory column(s) {', '.join(missing)}{hint_of(cells, known)[1]}",
            kind=kind,
            columns=missing,
        )
    absent = tuple(c.name for c in COLUMNS[kind] if c.name not in positions and c.name not in NOT_MISSED)
    return SheetHeader(tuple(cells), positions, absent, tuple(unknown))


def sound_cells(kind: Kind, as_of: date) -> dict[str, str]:
    """By column a cell that can be read in a feed of this day."""
    before = (as_of - timedelta(days=1)).isoformat()
    return {one.name: before if one.kind is DAY else one.filled for one in COLUMNS[kind]}


def hint_of(cells: Sequence[str], known: Mapping[str, str]) -> tuple[str, str]:
    """What a first row that is no header may be, zh and en, to stand behind an error; empty where it may be one."""
    if any(normal(cell) in known for cell in cells):
        return "", ""
    if sum(bool(cell.strip()) for cell in cells) > 1:
        return (
            "；第一行没有一个可识别的列名：表头上方的标题行和工作簿前面的封面工作表须删除，表头须为第一行",
            "; no cell of its first row names a column: take away a title above the header, and a cover sheet",
        )
    return (
        "；第一行只有一个单元格：表头上方的标题行和工作簿前面的封面工作表须删除，表头须为第一行",
        "; its first row has a single cell: take away a title above the header, and a cover sheet before the sheet",
    )


def places_of(header: Sequence[str], known: Mapping[str, str], compulsory: Iterable[str]) -> dict[str, int]:
    """Where the columns of a file of any other kind are; `known` by `normal` of every name that they may have.

    CallerErrors column_repeated, column_missing: they name our columns only, as `understand`'s.
    """
    found = [known.get(normal(cell)) for cell in header]
    named = [name for name in found if name is not None]
    repeated = sorted({name for name in named if named.count(name) > 1})
    if repeated:
        raise CallerError(
            "column_repeated", f"列重复：{'、'.join(repeated)}", f"more than once in the header: {', '.join(repeated)}",
            columns=repeated,
        )  # fmt: skip
    missing = [name for name in compulsory if name not in named]
    if missing:
        raise CallerError(
            "column_missing", f"缺少必需的列：{'、'.join(missing)}{hint_of(header, known)[0]}",
            f"the file lacks the compulsory column(s) {', '.join(missing)}{hint_of(header, known)[1]}", columns=missing,
        )  # fmt: skip
    return {name: place for place, name in enumerate(found) if name is not None}
