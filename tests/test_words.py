"""What people read in Chinese: the branch's own words, with full-width punctuation."""

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
HAN = re.compile(r"[\u4e00-\u9fff]")
# What other houses say → what this branch says.
NOT_OURS = {
    "立案": "入催 (立案 is the court's)", "上门": "下户", "外访(?!照片)": "下户", "联络记录": "催收记录（催记）",
    "第三人": "联系人接通", "号码无效": "空号", "收回委外": "撤回委案", "更换委外机构": "换委",
    "终结未受偿": "执行未果结案", "分行决定": "管理中心决定", "网点": "本机构", "交接": "移交", "调动": "转岗",
    "负责人": "管户人", "责任人": "管户人", "贷款编号": "借据号", "借款人编号": "客户号", "未偿本金": "贷款余额",
    "贷后管理岗": "贷后管理人员", "电催岗": "基础管理岗（电催）", "(?<!核销)认定标准": "核销认定条件",
    "(?<!诉讼)时效核查": "诉讼时效核查", "已履行": "已履约", "未履行": "未履约", "恢复催收": "解除停催",
    "暂停催收": "停催", "已结清": "已出催", "–": "a text of its own where a value is missing",
}  # fmt: skip
HALF_WIDTH = re.compile(r"[\u4e00-\u9fff”）][,;:!?]|[,;:!?][\u4e00-\u9fff“（]|[\u4e00-\u9fff]\(|\)[\u4e00-\u9fff]")
# Files of the bank and of clerks are read by whatever words they have in headers and cells; texts have our own.
AS_THEY_COME = {"headers.py", "sheet.py", "cell.py", "total_row.py"}
PATTERN = re.compile(r"\[0-9|\(\?:|\\s")
IN_A_CELL = re.compile(r"[\u4e00-\u9fff]{1,8}")


def _literals(path: Path) -> Iterator[tuple[int, str]]:
    """Texts that a module holds, docstrings aside; the places that an f-string fills in are left out."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    docs = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in docs:
            yield node.lineno, node.value


def _told(path: Path) -> Iterator[tuple[int, str]]:
    if path.suffix == ".py":
        yield from _literals(path)
    else:
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
            yield from ((number, text) for text in re.findall(r'"([^"]*)"', line))


BOTH = re.compile(r"[A-Za-z]{2}[^\u4e00-\u9fff]* [\u4e00-\u9fff]")
"""English and Chinese in one line, as the shell prints them: its punctuation is the English one's."""
FILES = sorted((*(ROOT / "src").rglob("*.py"), *(ROOT / "statecharts").rglob("*.toml")))


def _is_read(path: Path, text: str) -> bool:
    """Whether it is what a file may have in a cell."""
    of_files = path.name in AS_THEY_COME and path.parent.name in {"feed", "enrolment"}
    return of_files and IN_A_CELL.fullmatch(text) is not None


@cache
def told() -> list[tuple[str, str]]:
    """Every text with Chinese in it and where it stands; read when it is first asked for: it takes seconds."""
    return [
        (f"{path.relative_to(ROOT)}:{line}", text)
        for path in FILES for line, text in _told(path)
        if HAN.search(text) and not _is_read(path, text) and not PATTERN.search(text)
    ]  # fmt: skip


@pytest.mark.parametrize("word", NOT_OURS)
def test_a_word_that_the_branch_does_not_use_is_said_nowhere(word: str) -> None:
    found = [(place, text) for place, text in told() if re.search(word, text)]
    assert found == [], f"say {NOT_OURS[word]}"


def test_chinese_has_full_width_punctuation() -> None:
    found = [
        (place, text)
        for place, text in told()
        if HALF_WIDTH.search(text) and not BOTH.search(text) and "\r\n" not in text
    ]
    assert found == []


def test_no_paper_is_cited_that_is_not_in_the_repository() -> None:
    """What code needs of a paper stands in `docs/`."""
    folders = ("", "docs", "docs/decisions", "statecharts", "benchmarks")
    known = {path.name for folder in folders for path in (ROOT / folder).glob("*.md")}
    cited = {
        (str(path.relative_to(ROOT)), name)
        for folder in ("src", "docs", "statecharts", "tests", "benchmarks")
        for path in (ROOT / folder).rglob("*") if path.suffix in (".py", ".md", ".toml")
        for name in re.findall(r"\b([A-Za-z0-9_-]+\.md)\b", path.read_text(encoding="utf-8"))
    }  # fmt: skip
    assert sorted((path, name) for path, name in cited if name not in known) == []
