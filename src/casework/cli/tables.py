"""Tables for people: every header in English and Chinese, from one list of words."""

from collections.abc import Sequence
from typing import Any, Final

from rich.cells import cell_len
from rich.table import Column
from rich.table import Table as RichTable

WORDS: Final = {
    "address": "地址",
    "actor": "操作人", "acts": "可办", "after": "之后", "amount": "金额", "approved by": "审批", "as of": "数据日期",
    "asked by": "申请人", "asked for by": "可申请", "before": "之前", "borrower": "客户号", "bucket": "账龄",
    "business date": "业务日期", "by": "操作人", "by rule": "按规则", "capacity": "上限", "carries": "随案事项",
    "case": "案件", "cases": "案件数", "cases after": "其后案件数", "cases before": "此前案件数",
    "last connected": "最近接通", "found by": "发现人", "relation": "关系", "source": "来源", "last tried": "最近联系",
    "cases opened": "入催案件", "cases settled": "出催案件", "changed": "变化", "code": "代码", "column": "列",
    "command": "操作", "complete": "完整", "day": "日期", "days": "天数", "days past due": "逾期天数", "detail": "详情",
    "duty": "任务", "task": "任务", "tasks": "任务数", "held back": "顺延", "list": "清单", "strategy": "策略",
    "dpd": "逾期天数", "ends": "到期", "entries": "分录", "entry": "分录", "event": "事件", "field": "字段",
    "figure": "指标", "file": "文件", "first named": "首次出现", "first reason": "首要原因", "from": "原状态",
    "from → to": "状态变化", "given": "移入",
    "handed in": "上交时间", "gone": "已消失", "handler": "经办人", "how": "方式", "id": "编号",
    "id number": "证件号码", "institution": "机构", "issued": "签发", "kind": "类别", "label": "名称", "last": "最近",
    "last case": "最近案件", "last day": "最后工作日", "last used": "最近使用", "line": "行", "live": "在办",
    "loan": "借据号", "loans overdue": "逾期笔数", "may": "权限", "means": "含义", "name": "姓名", "new": "新增",
    "next": "下一步", "no.": "序号",
    "of": "交出人", "of at most": "上限", "on": "日期", "on leave": "休假", "open before": "原在办",
    "open before → after / most": "在办：原 → 后／上限", "open cases": "在办案件", "opened": "入催",
    "outstanding": "贷款余额", "overdue": "逾期金额", "overdue after": "其后逾期金额", "overdue amount": "逾期金额",
    "overdue before": "此前逾期金额", "overdue yuan": "逾期金额（元）", "owned by": "归属员工", "owner": "管户人",
    "owner, handler": "管户人、经办人", "people": "人数", "person": "人员", "personal data": "个人信息",
    "program": "程序",
    "planned by": "拟定人", "post": "岗位", "posts": "岗位", "principal yuan": "贷款余额（元）", "reason": "原因",
    "reached": "联系情况", "receipt": "回执", "receiver": "接收人", "receives": "接收", "recorded": "记录时间",
    "region": "区域", "replaced by": "取代计划", "request": "申请",
    "reviewed by": "复核", "role": "角色", "rule": "规则", "rules": "规则", "run": "批次", "scope": "范围",
    "sees": "可见", "seq": "序号", "set aside": "搁置", "since": "起", "staff no": "工号", "state": "状态",
    "status": "状态", "stream": "流", "subject": "对象", "supplement": "补充",
    "taken": "移出", "list taken": "领取", "team": "团队",
    "team, region": "团队、区域", "times": "次数", "to": "新状态", "to weigh": "须权衡", "topic": "事项",
    "unchanged": "未变", "unplaced": "无人接收", "until": "止", "value": "值", "version": "版本", "waits for": "待办",
    "goes to": "去向", "how many": "数量", "why not": "原因",
    "channel": "渠道", "late": "逾期未办", "entered late": "补录", "due": "应办", "done": "已完成", "exempt": "豁免",
    "open": "待办", "phone": "电话", "result": "结果",
    "began": "开始时间", "contact": "联系记录", "party": "联系对象", "review": "复核", "staff": "人员",
    "finds there": "可见内容",
    "ground": "事由", "last day in force": "最后停催日", "made on": "作出日期", "pay by": "承诺还款日",
    "received ¥": "到账金额", "reference": "编号", "what": "事项", "who": "人员", "why": "原因", "¥": "金额",
    "principal": "贷款本金", "visit": "下户", "on hold": "停催", "planned for": "计划日期", "area": "片区",
    "stop": "站次", "leads": "主访人", "goes along": "同行人",
    "cell": "单元格", "what is wrong": "有误之处",
    "rows": "行数", "shift": "班次", "stand-in": "替班人", "answers": "承担人",
}  # fmt: skip
"""Header in small letters → Chinese. A header that has its Chinese in it already, or is a code, needs none."""

_CELL: Final = 24
NONE: Final = "none 无"
"""Where a value is missing and an empty cell would not say so."""


class Table(RichTable):
    """A table whose headers, or the names in front of its rows where it has none, are shown in both languages."""

    def __init__(self, *headers: Column | str, **more: Any) -> None:
        """As `rich` takes it; headers are given in English."""
        super().__init__(*headers, **more)
        for column in self.columns:
            if (zh := _zh(column.header)) is not None:
                column.header = f"{column.header}\n{zh}"

    def add_row(self, *cells: Any, **more: Any) -> None:
        """A row; in a table without headers its first cell names the others."""
        if not self.show_header and cells and (zh := _zh(cells[0])) is not None:
            cells = (f"{cells[0]} {zh}", *cells[1:])
        super().add_row(*cells, **more)


def fitting(headers: Sequence[str], rows: Sequence[Sequence[str]], width: int) -> list[int]:
    """Which columns can be read side by side in `width`: in their order, those that say something, while there is room.

    The first is always one of them; a cell takes `_CELL` at most and is folded beyond that.
    """
    shown, left = list[int](), width
    for number, header in enumerate(headers):
        cells = [row[number] for row in rows]
        if number and not any(cells):
            continue
        lines = (line for text in (header, *cells) for line in text.split("\n"))
        needed = min(max(map(cell_len, lines)), _CELL) + 2
        if number == 0 or needed <= left:
            shown.append(number)
            left -= needed
    return shown


def _zh(header: Any) -> str | None:
    return WORDS.get(header.lower()) if isinstance(header, str) else None
