"""What every entry of the log is called: the nouns by their charts, all else by the list below.

What happened to something else than a case is called with its name before it. `docs/evidence.md` has the same list.
"""

from collections.abc import Mapping
from typing import Final

from casework.lifecycle.event_names import Names, names_of
from casework.work.cases.noun import CASE
from casework.work.cases.nouns import NOUNS
from casework.work.cases.rulebook import Rulebook

_OTHERS: Final[Mapping[str, tuple[str, str]]] = {
    "audit.exported": ("导出日志检索结果", "Entries that were found taken out"),
    "audit.mined": ("导出流程挖掘数据", "Log taken out for process mining"),
    "branch.backed_up": ("备份", "Backup made"),
    "calendar.loaded": ("更新工作日历", "Calendar loaded"),
    "case.dossier_made": ("制作案件卷宗", "Dossier made"),
    "cases.exported": ("导出案件清单", "List of cases taken out"),
    "chart.move_approved": ("批准按新版状态图迁移", "Move to a chart's next version approved"),
    "chart.moved": ("按新版状态图迁移", "Moved to a chart's next version"),
    "chart.published": ("发布状态图", "Chart published"),
    "contact.added": ("登记联系方式", "Number or address added"),
    "contact.breach_found": ("发现违规联系", "Breach found"),
    "contact.breach_reviewed": ("复核联系", "Contact reviewed"),
    "contact.corrected": ("更正联系结果", "Contact corrected"),
    "contact.ended": ("停用联系方式", "Number or address no longer used"),
    "contact.reviews_exported": ("导出违规及待复核联系", "Contacts to review taken out"),
    "contact.recorded": ("登记联系", "Contact recorded"),
    "contact.refused": ("登记拒绝联系", "Refusal to be contacted noted"),
    "day.handed_in": ("上交当日台账", "Day's ledger handed in"),
    "day.kept": ("日终留存案件情况", "Cases kept as they stood at the close of the day"),
    "day.report_exported": ("导出催收日报", "Daily report taken out"),
    "duties.published": ("发布职责规则", "Rules of duties published"),
    "duties.taken": ("日终登记职责", "Duties of a closed day taken"),
    "feed.agreed_taken": ("导入承诺或停催文件", "File of promises or holds taken in"),
    "feed.applied": ("数据导入", "Feed applied"),
    "feed.payments_taken": ("日间还款导入", "Repayments taken in during the day"),
    "feed.refused": ("数据导入被拒", "Feed refused"),
    "feed.rows_restated": ("重述账务数据", "Rows of the books stated anew"),
    "institution.added": ("登记机构", "Institution added"),
    "list.exported": ("导出清单", "List taken out"),
    "log.begun": ("日志开始", "Log begun"),
    "log.exported": ("导出日志", "Log taken out"),
    "log.heads": ("每日案件声明", "Daily statement of the heads of all cases"),
    "log.key_changed": ("更换签名密钥", "Signing key changed"),
    "log.receipt_key": ("回执密钥", "Key of receipts"),
    "outage.declared": ("登记故障", "Outage declared"),
    "outage.withdrawn": ("撤回故障", "Outage withdrawn"),
    "owners.published": ("发布分派规则", "Rules of owners published"),
    "permissions.published": ("发布权限表", "Permissions published"),
    "personal.read": ("查看个人信息", "Personal data read"),
    "personal.revealed": ("查看个人信息明文", "Personal data shown in clear"),
    "policy.published": ("发布策略", "Policy published"),
    "privacy.erase_refused": ("删除个人信息被拒", "Erasure refused"),
    "privacy.erased": ("删除个人信息", "Personal data erased"),
    "privacy.hold_placed": ("设置个人信息保全", "Legal hold placed"),
    "privacy.hold_released": ("解除个人信息保全", "Legal hold released"),
    "privacy.published": ("发布个人信息规则", "Rules of privacy published"),
    "register.region_set": ("设置区域", "Region set"),
    "register.team_set": ("设置团队", "Team set"),
    "results.published": ("发布联系结果表", "Results of contacts published"),
    "roster.entered": ("录入班表", "Roster entered"),
    "sample.committed": ("抽样前承诺", "Seed and list of a sample committed"),
    "sample.drawn": ("抽样", "Sample drawn"),
    "shifts.published": ("发布班次规则", "Rules of shifts published"),
    "sources.published": ("发布信息来源表", "Lawful sources published"),
    "staff.absence_ended": ("结束请假", "Leave ended"),
    "staff.absent": ("请假", "On leave"),
    "staff.access_ended": ("终止访问", "Access ended"),
    "staff.added": ("登记员工", "Person added"),
    "staff.certified": ("登记证书", "Certificate registered"),
    "staff.changed": ("更改员工资料", "Person changed"),
    "staff.confirmed": ("核实员工", "Person confirmed"),
    "staff.deputy_ended": ("终止代理", "Deputy ended"),
    "staff.key_issued": ("签发访问密钥", "Key issued"),
    "staff.key_revoked": ("吊销访问密钥", "Key revoked"),
    "staff.left": ("离职", "Left"),
    "staff.locked": ("账户锁定", "Locked out"),
    "staff.log_in_failed": ("登录失败", "Log-in failed"),
    "staff.logged_in": ("登录", "Logged in"),
    "staff.logged_out": ("退出登录", "Logged out"),
    "staff.merged": ("合并工号", "Merged into somebody"),
    "staff.moved": ("转岗", "Moved to another team"),
    "staff.named_by_feed": ("数据中首次出现", "Named by a feed"),
    "staff.password_set": ("设置密码", "Password set"),
    "staff.post_ended": ("免去岗位", "Post ended"),
    "staff.post_granted": ("授予岗位", "Post granted"),
    "staff.reset_code_issued": ("签发重置码", "Reset code issued"),
    "staff.returned": ("返岗", "Returned"),
    "staff.second_factor_enrolled": ("启用第二要素", "Second factor enrolled"),
    "staff.second_factor_removal_asked": ("申请移除第二要素", "Removal of the second factor asked for"),
    "staff.second_factor_removed": ("移除第二要素", "Second factor removed"),
    "staff.session_ended": ("结束会话", "Session ended"),
    "staff.tokens_revoked": ("吊销全部令牌", "All tokens revoked"),
    "tasks.added": ("人工添加任务", "Task added"),
    "tasks.begun": ("领取下一项任务", "Task begun"),
    "tasks.done": ("了结人工任务", "Task added by hand done"),
    "tasks.made": ("生成任务清单", "Tasks made"),
    "tasks.moved": ("转派任务", "Task moved"),
    "tasks.postponed": ("任务延后", "Task put off"),
    "tasks.published": ("发布任务规则", "Rules of tasks published"),
    "tasks.strategy": ("启动催收策略", "Strategy started"),
    "tasks.taken": ("领取任务清单", "Task list taken"),
}  # fmt: skip


def event_names(rulebook: Rulebook) -> Names:
    """Every name that an entry may have under the charts in force; made once for each set of charts."""
    key = tuple(chart.ref for chart in rulebook.charts.values())
    if key not in _KNOWN:
        _KNOWN.clear()
        names = dict(_OTHERS)
        for noun in NOUNS:
            chart = rulebook.charts[noun.chart]
            for event, (zh, en) in names_of(noun, chart).items():
                names.setdefault(event, (zh, en) if noun is CASE else (f"{chart.zh}：{zh}", f"{chart.en}: {en}"))
        _KNOWN[key] = names
    return _KNOWN[key]


_KNOWN: dict[tuple[str, ...], Names] = {}


def label_of(rulebook: Rulebook, event: str) -> tuple[str, str]:
    """What people call an entry's event, zh and en; the code itself where no chart of today knows it."""
    return event_names(rulebook).get(event, (event, event))
