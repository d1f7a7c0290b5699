"""What may be wrong with a cell or row of a file, and what is odd, by code, in Chinese and English. Pure."""

from collections.abc import Mapping
from typing import Final

from casework import ids
from casework.rules.statechart.fields import EARLIEST, LATEST

TEXTS: Final[Mapping[str, tuple[str, str]]] = {
    **ids.TEXTS,
    "malformed_amount": (
        "金额不是最多两位小数的数字",
        "not an amount in yuan with at most two decimal places",
    ),
    "negative_amount": ("金额为负数", "the amount is negative"),
    "malformed_date": (
        "不是有效日期（如 2026-11-01、2026/11/1、20261101、2026年11月1日）",
        "not a date that can be read in one way only, such as 2026-11-01, 2026/11/1 or 20261101",
    ),
    "placeholder_date": (
        f"日期早于{EARLIEST}或晚于{LATEST}，是占位日期",
        f"a date before {EARLIEST} or after {LATEST} only fills the place of an unknown one",
    ),
    "due_after_as_of": ("到期日晚于数据日期", "the due date is after the feed's business date"),
    "not_past_due": (
        "到期日就是数据日期，尚未逾期",
        "due on the feed's business date itself, so not past due",
    ),
    "paid_after_as_of": ("还款日期晚于数据日期", "the payment is dated after the feed's business date"),
    "malformed_flag": ("不是“是/否”，按未知处理", "neither yes nor no; taken as unknown"),
    "cut_character": ("文字在字符中间被截断", "the text is cut in the middle of a character"),
    "malformed_phone": ("不是电话号码", "not a phone number"),
    "malformed_id_number": ("不是证件号码", "not an identity document's number"),
    "unknown_role": ("未知的联系人角色", "not one of debtor, co_borrower, guarantor, contact"),
    "wrong_cell_count": ("单元格数与表头不符", "the row has more or fewer cells than the header"),
    "repeated_loan": ("同一借据在文件中重复出现", "the loan is in the file already, on an earlier line"),
    "repeated_payment": (
        "同一流水号在文件中重复出现",
        "the payment is in the file already, on an earlier line",
    ),
    "unknown_loan": ("借据不在贷款台账中", "no such loan on the books"),
    "unknown_borrower": ("客户不在贷款台账中", "no such borrower on the books"),
    "payment_differs": (
        "同一流水号此前已导入，借据、日期、金额或冲正流水号不同",
        "a payment of this number came before with another loan, date, amount or payment undone",
    ),
    "unknown_payment": ("被冲正的还款不存在", "no such payment to be reversed"),
    "reversal_of_itself": ("冲正流水号就是本行的流水号", "the row reverses itself"),
    "reversal_of_reversal": ("被冲正的流水本身是冲正", "what it reverses is itself a reversal"),
    "reversal_of_another_loan": ("被冲正的还款属于另一借据", "the payment that it reverses belongs to another loan"),
    "reversal_amount_differs": ("冲正金额与原还款金额不同", "its amount is not that of the payment it reverses"),
    "reversed_already": ("该还款此前已被冲正", "the payment was reversed before"),
    # Warnings: the row goes in.
    "dated_after_as_of": (
        "日期晚于数据日期，按未知处理",
        "the date is after the feed's business date; taken as unknown",
    ),
    "due_before_disbursement": (
        "最早到期日早于放款日期",
        "the oldest due date is before the day on which the loan was paid out",
    ),
    "npl_before_disbursement": (
        "转不良日期早于放款日期，按未知处理",
        "non-performing before the day on which the loan was paid out; taken as unknown",
    ),
    "first_sheet_hidden": (
        "工作簿的第一张工作表是隐藏的，已读取第一张可见的工作表",
        "the workbook's first sheet is hidden; the first visible one was read",
    ),
    "total_row": ("合计行，不是贷款，未读取", "a row of totals and no loan; it was not read"),
    "days_past_due_differs": (
        "报送的逾期天数与计算不符",
        "the reported days past due differ from the computed ones",
    ),
    "unknown_loan_status": ("未知的贷款状态，按未知处理", "not a known status of a loan; taken as unknown"),
    "unknown_risk_class": ("未知的五级分类，按未知处理", "not a known risk class; taken as unknown"),
    "nothing_outstanding_yet_overdue": (
        "贷款文件显示无余额，逾期文件中仍在逾期，以逾期文件为准",
        "nothing outstanding in the loans file, yet in arrears; the overdue file decides",
    ),
    "class_better_than_floor": (
        "五级分类优于按逾期天数应有的最低分类",
        "the class is better than the days past due allow",
    ),
    "omitted_yet_overdue": (
        "贷款文件中没有该借据，逾期文件中仍在逾期，以逾期文件为准",
        "not in the loans file, yet in arrears; the overdue file decides",
    ),
    "closed_yet_outstanding": (
        "贷款状态为结清而余额不为零，以状态为准",
        "closed by its status, yet something is outstanding; the status decides",
    ),
    "class_worse_than_floor": (
        "五级分类劣于按逾期天数应有的最低分类",
        "the class is worse than the days past due call for",
    ),
    "owner_unreadable": (
        "管户人不是一个工号（如两人并列），按没有管户人处理",
        "the owner is not one staff number (two in a cell, say); the loan goes in without an owner",
    ),
    "owner_without_owning_post": (
        "管户人所在岗位不负责案件（如审计、系统管理员），其案件按规则另定管户人",
        "the owner's posts own no cases (an auditor, an administrator); the rules name whose they are",
    ),
    "owner_reserved": (
        "管户人是系统保留名称，按没有管户人处理",
        "the owner is a name that the service keeps for itself; the loan goes in without an owner",
    ),
    "code_unreadable": (
        "内容过长或含有控制字符，按未知处理",
        "too long, or with a control character; taken as unknown",
    ),
    "column_absent": (
        "文件没有此列，按未知处理",
        "the file lacks this column; its values are taken as unknown",
    ),
    "institution_registered": (
        "第一批数据：其机构已登记，其他机构须先运行 casework institution add",
        "the branch's first feed: its institution is registered; any other needs casework institution add",
    ),
    "column_unknown": ("无法识别的列，已忽略", "an unknown column, not read"),
    "control_sum_undecided": (
        "有金额无法读取，无法核对控制总额",
        "an amount cannot be read, so the control sum could not be checked to the end",
    ),
}
"""Code → zh, en: for set-aside rows and warnings alike."""
