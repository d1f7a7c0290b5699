"""What verification may find, and the report of one run. Pure. No finding carries personal data."""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any, Final, Literal

import msgspec

from casework.log.check.told import plain

Verdict = Literal["sound", "tampered", "cannot_tell"]
EXIT_CODES: Final[Mapping[Verdict, int]] = {"sound": 0, "tampered": 1, "cannot_tell": 2}
Trust = Literal["self_consistent_only", "signer_memory", "witnessed", "trusted_checkpoint"]
TRUST_TEXTS: Final[Mapping[Trust, tuple[str, str]]] = {
    "self_consistent_only": (
        "仅自身一致：未与库外的检查点比对，不能排除运营方改写",
        "self-consistent only: no checkpoint held elsewhere was compared, so no evidence against the operator",
    ),
    "signer_memory": (
        "与签名者在库外保存的检查点一致",
        "consistent with the checkpoint that the signer keeps outside the database",
    ),
    "witnessed": (
        "与您信任的见证人签署的检查点一致",
        "consistent with a checkpoint that a witness you trust has cosigned",
    ),
    "trusted_checkpoint": ("与您持有的检查点一致", "consistent with the checkpoint you hold"),
}
_STRENGTH: Final[tuple[Trust, ...]] = ("self_consistent_only", "signer_memory", "witnessed", "trusted_checkpoint")
_COUNTED: Final = (
    "streams", "entries", "cases", "people", "replayed_steps", "replayed_refusals", "replayed_facts",
    "cases_not_replayed", "days_by_hand", "openings", "openings_erased", "requests_erased", "texts", "rows",
    "kept_files", "leaves", "checkpoints", "cosignatures", "receipts", "streams_continued", "body_bytes",
)  # fmt: skip
KEPT: Final = 1_000  # findings and doubts kept in full; a log changed throughout must not fill the memory

TEXTS: Final[Mapping[str, tuple[str, str]]] = {
    "body_changed": ("分录正文被改动", "the body is not the one that was recorded"),
    "leaf_hash_changed": ("分录的叶哈希被改动", "the stored leaf hash is not that of the body"),
    "mac_wrong": (
        "分录的验证码不符：不是本服务写入的",
        "the MAC does not match: this service did not write it so",
    ),
    "body_malformed": ("分录正文不符合格式", "the body is not in the one canonical form"),
    "column_differs": ("分录的列与正文不一致", "a copied column differs from the body"),
    "value_mistyped": (
        "列中有其类型不允许的值：不是本服务写入的",
        "a column holds values that are not of its kind: this service did not write them",
    ),
    "stream_hole": ("流中缺少分录", "entries of the stream are missing before this one"),
    "stream_repeat": ("流中分录编号重复", "the stream's number was used before"),
    "link_broken": ("与前一分录的链接断裂", "the link to the entry before is broken"),
    "back_dated": ("记录时间早于前一分录", "recorded before the entry before"),
    "tail_cut": ("流尾的分录缺失", "entries at the end of the stream are missing"),
    "head_rewound": ("流首指针被回退", "the head was set back behind the stream's last entry"),
    "head_differs": ("流首指针与最后分录不符", "the head is not the stream's last entry"),
    "head_missing": ("流没有对应的主体", "the stream has entries but no subject"),
    "stream_missing": ("主体没有任何分录", "the subject has no entries at all"),
    "guard_missing": ("防改触发器缺失或被改", "an append-only guard is missing or altered"),
    "foreign_part": (
        "表上有非本服务设置的触发器、规则、策略、子表，或表已换成视图",
        "a trigger, rule, policy or child on a table, or a view in its place, that this service did not put there",
    ),
    "queue_dangling": ("待封存队列指向不存在的分录", "the unsealed queue names an entry that is gone"),
    "queue_repeat": ("已封存的分录又在待封存队列中", "an entry is sealed, and queued for sealing again"),
    "leaf_hole": ("树中缺少叶", "leaves of the tree are missing before this one"),
    "sealed_entry_missing": ("已封存的分录缺失", "an entry that was sealed is gone"),
    "leaf_differs": ("分录不是封存时的那一条", "the entry is not the one that was sealed"),
    "tile_missing": ("树的分块缺失", "a tile of the tree is missing"),
    "tile_differs": ("树的分块与叶不符", "a tile is not what the leaves make of it"),
    "tile_unexpected": ("多出树中没有的分块", "tiles that the tree does not have"),
    "log_statement_missing": ("日志首叶不是其开始分录", "the first leaf is not the entry that begins the log"),
    "log_missing": ("有行不属于任何日志", "rows of a log that was never begun"),
    "checkpoint_malformed": ("检查点不符合格式", "a checkpoint is not in the one form of a signed note"),
    "checkpoint_key_unknown": ("检查点由未知密钥签署", "a checkpoint is signed by no key that is known"),
    "checkpoint_signature_wrong": ("检查点签名不符", "a signature of a checkpoint is wrong"),
    "checkpoint_other_log": ("检查点属于另一日志", "a checkpoint is of another log"),
    "checkpoint_columns_differ": ("检查点的列与其正文不一致", "a checkpoint's row is not what its note says"),
    "checkpoint_root_differs": ("树与已签的检查点不符", "the tree is not the one that a checkpoint signs"),
    "checkpoint_beyond_tree": (
        "检查点比现有的树长：日志尾部被删",
        "a checkpoint signs more leaves than there are: the tail was cut",
    ),
    "cosignature_wrong": ("见证签名不符", "a cosignature is not the witness's, or not of this checkpoint and time"),
    "cosignature_unknown_checkpoint": (
        "见证签名所指的检查点缺失",
        "a witness has cosigned a checkpoint that is gone or unreadable",
    ),
    "witness_not_seen": (
        "没有您所信任的见证人的签名：其时间无从核对",
        "a witness that you trust has signed nothing here: its times could not be compared",
    ),
    "back_dated_behind_cosignature": (
        "记录时间早于不含该分录的检查点被见证之时：倒填，或封存曾停顿",
        "recorded long before a witness saw the log without it: dated back, or sealing stood still",
    ),
    "dated_ahead_of_cosignature": (
        "记录时间晚于包含该分录的检查点被见证之时",
        "recorded, it says, after a witness saw it in the log: the time had not come",
    ),
    "answer_changed": (
        "为重复请求所存的答复被改动或伪造",
        "an answer kept for the repeat of a request is not the one that was stored",
    ),
    "receipt_not_honoured": (
        "已出具回执的分录缺失或被替换",
        "an entry for which a receipt was given is gone, or another one",
    ),
    "memory_root_differs": (
        "历史与签名者库外保存的检查点不符",
        "history is not the one that the signer remembers signing",
    ),
    "memory_beyond_tree": (
        "日志比签名者所签的短：数据库被回退或尾部被删",
        "the log is shorter than the signer signed it: an old copy, or its tail was cut",
    ),
    "memory_other_log": (
        "数据库中的日志不是签名者所签的日志",
        "the signer remembers another log than the database holds",
    ),
    "trusted_root_differs": (
        "历史与您持有的检查点不符",
        "history was rewritten: it is not the one of the checkpoint you hold",
    ),
    "trusted_beyond_tree": ("日志比您持有的检查点短", "the log is shorter than the checkpoint you hold"),
    "trusted_other_log": ("您持有的检查点属于另一日志", "the checkpoint you hold is of another log"),
    "case_heads_malformed": ("每日案件末条声明不符合格式", "a statement of the heads of all cases is not one"),
    "case_heads_differ": (
        "每日案件末条声明与树中的叶不符",
        "a daily statement of the heads of all cases is not what the leaves make of it",
    ),
    "heads_not_kept": (
        "最近一次每日声明的案件末条树缺失",
        "the tree of the newest statement of heads is gone: no dossier can be made of it",
    ),
    "entry_of_another_case": ("档案中混入其他案件的分录", "a dossier holds an entry of another case"),
    "proof_refused": ("证明与已签的检查点不符", "a proof does not lead to the signed checkpoint"),
    "leaf_order": ("案件分录的封存次序不符", "entries of a case are not sealed in their order"),
    "head_not_stated": (
        "日志声明的案件末条不是档案所示：尾部被删，或证明不符",
        "the log does not state the last entry shown as the head of the case: the tail was cut, or the proof is wrong",
    ),
    "head_passed_over": (
        "声明之前已封存的分录未被声明计入",
        "an entry sealed before the statement's leaves ended is not counted by it",
    ),
    "entry_not_covered": (
        "所示分录晚于声明所述的叶，不能由它证明",
        "an entry said to be covered by the statement was sealed after its leaves",
    ),
    "dossier_malformed": ("文件不是一份完整的案件档案", "the file is not one whole dossier in its one form"),
    "trusted_of_another_size": (
        "您持有的检查点无法与档案比对：请以其大小重新索取档案 (--since)",
        "the checkpoint you hold cannot be compared with the dossier: ask for one --since its size",
    ),
    "memory_missing": (
        "签名者的记忆缺失：无法排除改写",
        "the signer's memory is missing: a rewritten history would not show",
    ),
    "log_keys_missing": ("缺少日志公钥：未核对签名", "the log's public keys are missing: signatures were not checked"),
    "queue_incomplete": (
        "分录既未封存也不在待封存队列",
        "the entry is neither sealed nor queued for sealing",
    ),
    "opening_missing": (
        "承诺的原文缺失，且无删除分录",
        "an opening is missing and no entry says it was erased",
    ),
    "opening_not_erased": (
        "分录称已删除的原文仍在",
        "an opening is still there although an entry says that it was erased",
    ),
    "erasure_unlisted": (
        "删除登记表与删除分录不符",
        "the table of erasures does not list this entry, or lists something else",
    ),
    "erasure_of_others": ("删除分录涉及他人的流", "an erasure covers streams that are not the borrower's"),
    "erased_under_hold": ("重放：法律保全期间不得删除", "replay: erased while a legal hold was open"),
    "opening_wrong": ("原文与分录中的承诺不符", "an opening does not open its commitment"),
    "opening_unannounced": ("没有分录承诺过这段原文", "no entry commits to this opening"),
    "text_changed": ("已发布的状态图或策略文本被改动", "a published text is not the one of its digest"),
    "text_missing": ("分录引用的状态图或策略文本缺失", "a text that entries announce or cite is missing"),
    "text_unannounced": ("没有分录宣布过这份文本", "no entry announces this text"),
    "opening_not_allowed": ("重放：当时不得入催", "replay: the case could not be opened then"),
    "step_not_allowed": ("重放：当时不得执行此事件", "replay: the event could not happen then"),
    "move_not_allowed": (
        "重放：当时不得迁移到此版本",
        "replay: it could not be moved to that version of its chart then",
    ),
    "move_differs": (
        "重放：迁移应到另一状态，或来自另一版本",
        "replay: the move leads to another state, or from another version",
    ),
    "fact_not_allowed": ("重放：当时不得登记此事实", "replay: the fact could not be recorded then"),
    "step_elsewhere": ("重放：事件应到另一状态", "replay: the event leads to another state"),
    "state_differs": ("重放：分录的起始状态与案件不符", "replay: the entry starts from another state"),
    "refusal_differs": ("重放：拒绝理由不同", "replay: the reasons of the refusal differ"),
    "flags_differ": ("重放：提示与当时的案件不符", "replay: what was flagged is not what the case calls for"),
    "post_not_permitted": ("重放：该岗位无权执行", "replay: the post may not do this"),
    "out_of_reach": ("重放：该案件不在其管辖范围", "replay: the case was not within the reach of that post"),
    "owner_differs": ("重放：管户人与规则或前任不符", "replay: the owner does not follow from the case and the rules"),
    "owner_history_differs": ("归属历史与分录不符", "the history of owners is not what the entries say"),
    "data_not_typed": ("重放：数据与状态图的声明不符", "replay: the data are not as the chart declares them"),
    "business_date_decreased": ("业务日期倒退", "the business date runs backwards"),
    "replay_impossible": ("重放：分录无法应用", "replay: the entry cannot be applied"),
    "not_told": ("重放：案件没有随之登记应告知的事实", "replay: the case was not told what the entry says"),
    "told_differs": (
        "所登记的事实与其凭据（停催等）不符",
        "a fact that was told is not what its evidence tells, or of somebody else",
    ),
    "permit_differs": (
        "联系所用的许可不存在、属于其他联系，或已被使用",
        "the permit that a contact names is not there, is for another contact, or another used it",
    ),
    "row_differs": ("数据行与其分录不符", "a row is not what its entries make of it"),
    "grant_without_request": ("授岗未经他人审批", "a post was granted without four eyes"),
    "row_missing": ("分录没有对应的数据行", "entries speak of a row that is not there"),
    "row_changed": (
        "数据行的验证码不符：不是本服务写入的",
        "a row of the books is not as this service stored it: its MAC does not hold",
    ),
    "sealed_value_moved": (
        "加密数据被改动，或不在其原来的位置",
        "a sealed value does not open where it lies: it was altered, or moved there from another row or field",
    ),
    "rows_not_as_left": (
        "表中的行不是最近一次导入或删除所留下的：有增、有减，或被换回旧值",
        "the rows of a table are not those that the last feed or erasure left: some are gone, added, or ones of before",
    ),
    "rows_were_changed": (
        "导入或删除时发现，此前留下的数据行已被他人改动",
        "whoever wrote this entry found other rows than the entry before had left: somebody else had changed them",
    ),
    "kept_loans_changed": (
        "留存的某日贷款数据文件与日志所记不符",
        "the loans kept of a past day are not those that the entry of their feed speaks of",
    ),
    "kept_loans_missing": (
        "留存的某日贷款数据文件缺失：该日数据无从查考",
        "the loans kept of a past day are not there: what they were cannot be told",
    ),
    "row_without_entries": ("数据行没有任何分录", "a row that no entry speaks of"),
    "four_eyes_missing": ("重放：须经审批的事件没有对应的申请", "replay: an event under four eyes cites no request"),
    "four_eyes_differs": (
        "重放：分录与其引用的申请不符",
        "replay: an entry and the request it cites do not say the same",
    ),
    "not_another_person": ("重放：同一人在一项申请中担任两种角色", "replay: one person had two parts in a request"),
    "request_without_effect": ("已批准的申请没有执行分录", "an approved request, and no entry of what it led to"),
    "plan_differs": ("移交计划与其摘要不符", "the plan of a hand-over is not the one of its digest"),
    "receipt_differs": ("移交回执与案件分录不符", "the receipts of a hand-over are not the entries of its cases"),
    "bundle_malformed": ("分录包的长度与其分录不符", "a bundle of entries is not exactly its entries"),
    "key_history_wrong": (
        "密钥更换分录不符：不是由旧密钥签署，或不是本日志的密钥",
        "the log's statement of its keys is wrong: not signed by the key that leaves, or not this log's",
    ),
    "log_keys_differ": (
        "日志自述的密钥中没有您持有的密钥",
        "the log states other keys than the ones you hold",
    ),
    "receipt_not_trusted": ("不是本日志签发的回执", "a receipt that this log's receipt key has not signed"),
    "receipts_not_checked": (
        "仅能对完整日志核对回执",
        "receipts can only be held against the whole log: a part may leave out what they promise",
    ),
    "receipt_not_covered": (
        "证据包尚未涵盖该回执的分录",
        "the log as far as it is in the bundle need not hold the entry of the receipt yet",
    ),
    "file_missing": ("缺少文件，或文件过大", "a file is missing, or too large to be what it is called"),
    "bundle_incomplete": (
        "证据包自称的叶远多于其文件所能容纳",
        "the bundle claims far more leaves than its files can hold: nothing of the log was looked at",
    ),
    "bundle_unreadable": ("不是可读的证据包", "this is no bundle that can be read"),
    "manifest_differs": ("清单与检查点不一致", "the manifest says another size than the checkpoint"),
    "point_not_shown": (
        "证据包不含证明该检查点所需的部分",
        "the bundle lacks what would show the tree at this checkpoint",
    ),
    "part_not_compared": (
        "有一部分无法核对：其中的数据无法读取，或本程序有误",
        "a part could not be compared: its rows cannot be read, or this program has a fault",
    ),
    "tree_not_built": ("无法重建整棵树", "the tree could not be built to its end"),
    "file_changed": ("文件与清单中的摘要不符", "a file is not the one of the manifest's digest"),
    "trusted_not_signed": ("您持有的检查点并非由该日志签署", "the checkpoint you hold was not signed by this log"),
    "text_unreadable": ("当前版本无法读取当时的文本", "this version cannot read the text that was in force"),
    "chart_not_cited": ("该记录写于尚无状态图之时，无法复核", "it was written when it had no chart: not to be judged"),
}


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is wrong, where, with details that name columns, codes and numbers only: in JSON's own types."""

    code: str
    stream: str | None = None
    stream_seq: int | None = None
    detail: Mapping[str, Any] = field(default_factory=dict)

    @property
    def zh(self) -> str:
        """The finding for a Chinese reader."""
        return TEXTS[self.code][0]

    @property
    def en(self) -> str:
        """The finding for an English reader."""
        return TEXTS[self.code][1]

    def as_json(self) -> dict[str, Any]:
        """For machines."""
        return {
            "code": self.code, "stream": self.stream, "stream_seq": self.stream_seq,
            "zh": self.zh, "en": self.en, "detail": dict(self.detail),
        }  # fmt: skip


@dataclass(slots=True)
class Report:
    """What was checked and found. `doubts` are what could not be judged: they forbid the verdict sound."""

    streams: int = 0
    entries: int = 0
    cases: int = 0
    people: int = 0
    replayed_steps: int = 0
    replayed_refusals: int = 0
    replayed_facts: int = 0
    cases_not_replayed: int = 0
    days_by_hand: int = 0  # contact days that rest on other evidence than the debtor's stream
    openings: int = 0
    openings_erased: int = 0
    requests_erased: int = 0
    texts: int = 0
    rows: int = 0  # of the books
    kept_files: int = 0  # of loans of past days
    leaves: int = 0
    checkpoints: int = 0
    cosignatures: int = 0
    receipts: int = 0
    trust: Trust = "self_consistent_only"
    scope: Mapping[str, Any] | None = None  # of a bundle: what it is said to be about
    streams_continued: int = 0  # of a period: streams that go on from before it, so that their first link is unseen
    witnessed: list[dict[str, Any]] = field(default_factory=list)
    body_bytes: int = 0
    first_recorded_at: str | None = None
    last_recorded_at: str | None = None
    seconds: float = 0.0
    findings: list[Finding] = field(default_factory=list)
    findings_in_all: int = 0
    doubts: list[Finding] = field(default_factory=list)
    doubts_in_all: int = 0
    _found: set[str] = field(default_factory=set)
    _doubted: set[bytes] = field(default_factory=set)

    def find(self, code: str, stream: str | None = None, stream_seq: int | None = None, /, **detail: Any) -> None:
        """Note a finding; beyond `KEPT` only its number, unless it is the first of its code."""
        self.findings_in_all += 1
        if len(self.findings) < KEPT or code not in self._found:
            self._found.add(code)
            self.findings.append(Finding(code, plain(stream), plain(stream_seq), plain(detail)))

    def doubt(self, code: str, /, **detail: Any) -> None:
        """Note what cannot be judged, once; beyond `KEPT` only its number, unless it is the first of its code."""
        self._doubt(Finding(code, detail=plain(detail)))

    def _doubt(self, doubt: Finding) -> None:
        if len(self.doubts) >= KEPT and any(doubt.code == one.code for one in self.doubts):
            self.doubts_in_all += 1
            return
        said = msgspec.json.encode((doubt.code, doubt.detail), order="sorted")
        if said not in self._doubted:
            self._doubted.add(said)
            self.doubts.append(doubt)
            self.doubts_in_all += 1

    def cut(self) -> "Report":
        """What was found until now, as a report of its own; this one begins anew."""
        part, fresh = Report(), Report()
        for one in fields(self):
            setattr(part, one.name, getattr(self, one.name))
            setattr(self, one.name, getattr(fresh, one.name))
        return part

    def absorb(self, part: "Report") -> None:
        """Add what another run found of its part: findings, doubts, how much was looked at, whom it agrees with."""
        for name in _COUNTED:
            setattr(self, name, getattr(self, name) + getattr(part, name))
        firsts = [one for one in (self.first_recorded_at, part.first_recorded_at) if one is not None]
        lasts = [one for one in (self.last_recorded_at, part.last_recorded_at) if one is not None]
        self.first_recorded_at, self.last_recorded_at = min(firsts, default=None), max(lasts, default=None)
        self.witnessed += part.witnessed
        self.believe(part.trust)
        for found in part.findings:
            if len(self.findings) < KEPT or found.code not in self._found:
                self._found.add(found.code)
                self.findings.append(found)
        self.findings_in_all += part.findings_in_all
        for doubt in part.doubts:
            self._doubt(doubt)
        self.doubts_in_all += part.doubts_in_all - len(part.doubts)

    def believe(self, trust: Trust) -> None:
        """The tree agrees with what somebody else holds; the strongest counts."""
        if _STRENGTH.index(trust) > _STRENGTH.index(self.trust):
            self.trust = trust

    @property
    def verdict(self) -> Verdict:
        """Tampered if anything was found; sound only if something was checked and nothing is in doubt."""
        if self.findings_in_all:
            return "tampered"
        return "sound" if self.entries and not self.doubts else "cannot_tell"

    def as_json(self) -> dict[str, Any]:
        """For machines, and what people are shown is made of: nothing in it but JSON's own types."""
        return {
            "verdict": self.verdict, "trust": self.trust, "trust_zh": TRUST_TEXTS[self.trust][0],
            "trust_en": TRUST_TEXTS[self.trust][1],
            "checked": {
                "streams": self.streams, "entries": self.entries, "cases": self.cases,
                "people": self.people,
                "replayed_steps": self.replayed_steps, "replayed_refusals": self.replayed_refusals,
                "replayed_facts": self.replayed_facts, "cases_not_replayed": self.cases_not_replayed,
                "days_by_hand": self.days_by_hand,
                "leaves": self.leaves, "checkpoints": self.checkpoints, "cosignatures": self.cosignatures,
                "receipts": self.receipts,
                "openings": self.openings, "openings_erased": self.openings_erased,
                "requests_erased": self.requests_erased, "texts": self.texts, "rows": self.rows,
                "kept_files": self.kept_files,
                "body_bytes": self.body_bytes,
                "first_recorded_at": self.first_recorded_at, "last_recorded_at": self.last_recorded_at,
                "seconds": round(self.seconds, 3),
                "entries_per_second": round(self.entries / self.seconds) if self.seconds else None,
            },
            "scope": self.scope, "streams_continued": self.streams_continued, "witnessed": self.witnessed,
            "findings_in_all": self.findings_in_all,
            "findings": [finding.as_json() for finding in self.findings],
            "doubts_in_all": self.doubts_in_all,
            "doubts": [doubt.as_json() for doubt in self.doubts],
        }  # fmt: skip
