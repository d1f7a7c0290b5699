"""The text of a chart, read and held against the laws whole. Pure but for the file."""

import hashlib
from pathlib import Path

import tomli

from casework.errors import RulesBroken
from casework.rules.statechart.chart import Chart
from casework.rules.statechart.laws import law_faults
from casework.rules.statechart.policy import Policies
from casework.rules.statechart.read import read_chart
from casework.rules.statechart.registry import Registry


def parse_chart(
    text: bytes, registry: Registry, policies: Policies, *, file: str = "chart", past: bool = False
) -> Chart:
    """Read, validate whole and freeze; `RulesBroken` lists file, key and reason of every fault.

    `past`: a version that the log cites. Today's laws do not judge it, and it may name what is retired.
    """
    try:
        document = tomli.loads(text.decode())
    except (ValueError, RecursionError) as error:  # not UTF-8, not TOML, or nested without end
        raise RulesBroken([f"{file}: {error}"]) from None
    faults: list[str] = []
    digest = hashlib.sha256(text).hexdigest()
    chart = read_chart(document, registry, policies, faults, text=text, digest=digest, past=past)
    if chart is not None and not faults and not past:
        faults = law_faults(chart, registry, policies, document.get("laws", []))
    if faults or chart is None:
        raise RulesBroken([f"{file}: {fault}" for fault in faults])
    return chart


def load_chart(path: Path, registry: Registry, policies: Policies) -> Chart:
    """`parse_chart` of a file."""
    return parse_chart(path.read_bytes(), registry, policies, file=path.name)
