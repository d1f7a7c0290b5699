"""A dossier convinces with the log's key alone, and nothing that was changed, cut or slipped in goes unnamed."""

from collections.abc import Callable
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from casework.log.check.dossier import Shown, read_dossier
from casework.log.check.finding_texts import TEXTS
from casework.log.format.case_heads import CaseHead
from casework.log.format.chain import leaf_hash
from casework.log.format.checkpoint import Checkpoint
from casework.log.format.dossier import MAX_DOSSIER_BYTES, Disclosed, Dossier, encode
from casework.log.format.note import LogSigner, to_base64
from casework.log.format.tree import root_of
from tests.conftest import LONGER
from tests.log.dossier_log import ORIGIN, SIGNER, DossierLog, digest, random_log

KEYS = [SIGNER.key]
LOG, STATEMENT = random_log(3)
CASE = 2
GOOD = LOG.dossier(CASE, STATEMENT)
DATA = encode(GOOD)


def read(document: Dossier | bytes, **known: Any) -> Shown:
    data = document if isinstance(document, bytes) else encode(document)
    return read_dossier(data, known.pop("keys", KEYS), **known)


def codes(shown: Shown) -> set[str]:
    found = {one.code for one in (*shown.report.findings, *shown.report.doubts)}
    assert found <= TEXTS.keys()
    return found


def test_a_dossier_shows_all_entries_as_of_the_statement_and_those_after_it() -> None:
    shown = read(GOOD)
    assert (codes(shown), shown.report.verdict) == (set(), "sound")
    own = [one for one in LOG.entries if one.stream == f"case:{CASE}"]
    assert [*shown.complete, *shown.later] == own
    assert 0 < len(shown.later) < len(own)
    acts = [one for one in LOG.entries if one.event == "tasks.begun" and one.data["case"] == CASE]
    assert shown.list_acts == acts
    assert len(acts) > 1
    assert (shown.statement and shown.statement.size) == STATEMENT
    assert set(shown.opened.values()) == {"客户称下周还款"}
    assert shown.report.trust == "self_consistent_only"


@settings(max_examples=5 * LONGER)
@given(st.integers(0, 10_000), st.integers(1, 9), st.integers(0, 30), st.integers(0, 9))
def test_the_dossier_of_every_case_of_any_log_is_sound(seed: int, cases: int, count: int, later: int) -> None:
    log, statement = random_log(seed, cases, count, later)
    for case in range(1, cases + 1):
        shown = read(log.dossier(case, statement))
        assert (codes(shown), shown.report.verdict) == (set(), "sound")


# `made_at` is the one thing that nothing proves.
COVERED = DATA.index(b'"made_at"')


@settings(max_examples=40 * LONGER)
@given(st.integers(0, COVERED * 8 - 1))
def test_any_flipped_bit_is_found(bit: int) -> None:
    flipped = bytearray(DATA)
    flipped[bit // 8] ^= 1 << bit % 8
    assert read(bytes(flipped)).report.verdict != "sound"


# --- a corrupt twin beside the good dossier

Corrupt = Callable[[Dossier], Dossier]
put = msgspec.structs.replace
OTHER = LOG.dossier(3, STATEMENT)


def entries(change: Callable[[list[Any]], list[Any]]) -> Corrupt:
    return lambda good: put(good, entries=change(list(good.entries)))


def entry(place: int, **changes: Any) -> Corrupt:
    return entries(lambda own: [*own[:place], put(own[place], **changes), *own[place + 1 :]])


def acts(change: Callable[[list[Any]], list[Any]]) -> Corrupt:
    return lambda good: put(good, list_acts=change(list(good.list_acts)))


def heads(**changes: Any) -> Corrupt:
    return lambda good: put(good, heads=put(good.heads, **changes))


def resigned(signer: LogSigner, origin: str = ORIGIN) -> str:
    return Checkpoint(origin, len(LOG.bodies), root_of(LOG.leaves)).signed(signer).decode()


BODY = GOOD.entries[1].body
PROOF = GOOD.entries[1].proof
STRANGER = LogSigner(ORIGIN, bytes(32))
TWINS: dict[str, tuple[Corrupt, set[str]]] = {
    "a body that says something else": (entry(1, body=BODY.replace("S1", "S2")), {"proof_refused", "link_broken"}),
    "a body with a space": (entry(1, body=BODY.replace(":", ": ", 1)),
                            {"proof_refused", "body_malformed", "stream_hole"}),
    "a body that is nothing": (entry(1, body=""), {"proof_refused", "body_malformed", "stream_hole"}),
    "an entry missing inside": (entries(lambda own: [own[0], *own[2:]]), {"stream_hole"}),
    "the first entry missing": (entries(lambda own: own[1:]), {"stream_hole"}),
    "the last entry cut": (lambda good: put(good, entries=good.entries[:-1], later=[]), {"head_not_stated"}),
    "the last entry cut, later ones left": (entries(lambda own: own[:-1]), {"head_not_stated", "stream_hole"}),
    "the last entry called a later one": (
        lambda good: put(good, entries=good.entries[:-1], later=[good.entries[-1], *good.later]),
        {"head_passed_over", "head_not_stated"},
    ),
    "a later entry called covered": (
        lambda good: put(good, entries=[*good.entries, good.later[0]], later=good.later[1:]),
        {"entry_not_covered", "head_not_stated"},
    ),
    "two entries exchanged": (
        entries(lambda own: [own[0], own[2], own[1], *own[3:]]),
        {"stream_hole", "stream_repeat", "leaf_order"},
    ),
    "an entry twice": (entries(lambda own: [*own[:2], own[1], *own[2:]]), {"stream_repeat", "leaf_order"}),
    "an entry of another case slipped in": (
        entries(lambda own: [own[0], OTHER.entries[0], *own[1:]]), {"entry_of_another_case"},
    ),
    "an entry of another case in its place": (
        entries(lambda own: [own[0], OTHER.entries[1], *own[2:]]), {"entry_of_another_case", "stream_hole"},
    ),
    "another case's number": (lambda good: put(good, case=3), {"entry_of_another_case", "opening_unannounced"}),
    "no case's number": (lambda good: put(good, case=0), {"entry_of_another_case"}),
    "an act on another case's task": (acts(lambda own: [*own, *OTHER.list_acts]), {"entry_of_another_case"}),
    "an entry of another case called an act": (
        acts(lambda own: [OTHER.entries[0], *own]), {"entry_of_another_case"},
    ),
    "an act twice": (acts(lambda own: [*own, own[-1]]), {"leaf_order"}),
    "acts exchanged": (acts(lambda own: [own[1], own[0], *own[2:]]), {"leaf_order"}),
    "an act by somebody else": (
        acts(lambda own: [put(own[0], body=own[0].body.replace('"S1"', '"S2"')), *own[1:]]), {"proof_refused"},
    ),
    "an act that is no entry": (
        acts(lambda own: [put(own[0], body="{}"), *own[1:]]), {"body_malformed", "proof_refused"},
    ),
    "a proof of another leaf": (entry(1, proof=GOOD.entries[0].proof), {"proof_refused"}),
    "a proof too short": (entry(1, proof=PROOF[:-1]), {"proof_refused"}),
    "a proof too long": (entry(1, proof=[*PROOF, PROOF[0]]), {"proof_refused"}),
    "a proof without end": (entry(1, proof=PROOF * 20), {"proof_refused"}),
    "a hash too short": (entry(1, proof=[to_base64(b"x"), *PROOF[1:]]), {"proof_refused"}),
    "a hash that is no base64": (entry(1, proof=["ä" * 44, *PROOF[1:]]), {"proof_refused"}),
    "a hash with slack bits": (entry(1, proof=[PROOF[0][:-2] + "B=", *PROOF[1:]]), {"proof_refused"}),
    "another leaf index": (entry(1, leaf_index=0), {"proof_refused", "leaf_order"}),
    "a leaf index below nought": (entry(1, leaf_index=-1), {"proof_refused", "leaf_order"}),
    "a leaf index beyond the tree": (
        entry(1, leaf_index=10**6), {"proof_refused", "leaf_order", "entry_not_covered"},
    ),
    "a statement that is another entry": (
        heads(entry=LOG.proven(0)), {"case_heads_malformed"},
    ),
    "a statement that is no entry": (heads(entry=put(LOG.proven(0), body="{}")), {"body_malformed", "proof_refused"}),
    "a statement of another root": (
        heads(entry=put(GOOD.heads.entry, body=GOOD.heads.entry.body.replace('"root":"', '"root":"0', 1))),
        {"case_heads_malformed", "proof_refused"},
    ),
    "another case's place": (heads(index=GOOD.heads.index + 1), {"head_not_stated"}),
    "no case's place": (heads(index=99), {"head_not_stated"}),
    "the head's proof cut": (heads(proof=GOOD.heads.proof[:-1]), {"head_not_stated"}),
    "another case's head": (lambda good: put(good, heads=OTHER.heads), {"head_not_stated"}),
    "another origin": (lambda good: put(good, origin="log.example/other"), {"checkpoint_other_log"}),
    "another log's checkpoint": (
        lambda good: put(good, checkpoint=resigned(LogSigner("other", bytes(32)), "other")), {"checkpoint_other_log"},
    ),
    "a stranger's signature": (
        lambda good: put(good, checkpoint=resigned(STRANGER)), {"checkpoint_key_unknown"},
    ),
    "a wrong signature": (
        lambda good: put(good, checkpoint=good.checkpoint.replace("\n\n", "\nmore\n\n")),
        {"checkpoint_signature_wrong"},
    ),
    "no signature": (lambda good: put(good, checkpoint=good.checkpoint.partition("\n\n")[0]), {"checkpoint_malformed"}),
    "an opening of another value": (
        lambda good: put(good, openings=[put(good.openings[0], value="x")]), {"opening_wrong"},
    ),
    "an opening with another salt": (
        lambda good: put(good, openings=[put(good.openings[0], salt="00" * 31)]), {"opening_wrong"},
    ),
    "an opening in capitals": (
        lambda good: put(good, openings=[put(good.openings[0], salt="zz")]), {"opening_wrong"},
    ),
    "an opening of no commitment": (
        lambda good: put(good, openings=[Disclosed(1, "note", "00" * 32, "x")]), {"opening_unannounced"},
    ),
    "an opening twice": (lambda good: put(good, openings=good.openings[:1] * 2), {"opening_unannounced"}),
}  # fmt: skip


@pytest.mark.parametrize("name", TWINS)
def test_a_corrupt_twin_of_a_good_dossier_is_named(name: str) -> None:
    corrupt, expected = TWINS[name]
    shown = read(corrupt(GOOD))
    assert (codes(shown), shown.report.verdict) == (expected, "tampered")


@pytest.mark.parametrize(
    ("data", "fault"),
    [
        (b"", "not_json"), (b"{}", "wrong_shape"), (b"[]", "wrong_shape"), (DATA[:-2], "not_json"),
        (DATA.replace(b'"later"', b'"latter"', 1), "wrong_shape"),
        (DATA.replace(b'"case":2', b'"case":"2"', 1), "wrong_shape"),
        (DATA.replace(b"casework/dossier/v1", b"casework/dossier/v2", 1), "wrong_shape"),
        (DATA.replace(b'"case":2', b'"case":3,"case":2', 1), "not_canonical"),
        (DATA.replace(b'"case":2', b'"case": 2', 1), "not_canonical"),
        (DATA.replace(b'"schema":"casework/dossier/v1","case":2', b'"case":2,"schema":"casework/dossier/v1"', 1),
         "not_canonical"),
        (DATA.replace(b"casework/dossier/v1", b"casework\\/dossier/v1", 1), "not_canonical"),
        (DATA + b"\n", "not_canonical"), (DATA[:-1], "not_canonical"), (b"\xef\xbb\xbf" + DATA, "not_json"),
        (DATA + DATA, "not_json"), (DATA.replace(b"S1", b"\xff1", 1), "not_json"), (b"[" * 100_000, "wrong_shape"),
        (DATA.replace(b"S1", b"\\ud800", 1), "not_json"),
        (encode(put(GOOD, entries=[])), "no_entries"),
    ],
)  # fmt: skip
def test_what_is_no_dossier_accuses_nobody_and_proves_nothing(data: bytes, fault: str) -> None:
    """Half a download is not evidence of a crime."""
    shown = read(data)
    assert shown.report.verdict == "cannot_tell"
    assert [(one.code, one.detail) for one in shown.report.doubts] == [("dossier_malformed", {"fault": fault})]


def test_bounds_are_kept_before_anything_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    shown = read(b" " * (MAX_DOSSIER_BYTES + 1))
    assert shown.report.doubts[0].detail == {"fault": "dossier_size"}
    monkeypatch.setattr("casework.log.format.dossier.MAX_ENTRIES", 3)
    assert read(DATA).report.doubts[0].detail == {"fault": "too_many_entries"}


# --- whose word it is


def test_without_the_logs_key_nothing_can_be_told() -> None:
    shown = read(GOOD, keys=[])
    assert (codes(shown), shown.report.verdict) == ({"log_keys_missing"}, "cannot_tell")
    assert read(entry(1, body=BODY.replace("S1", "S2"))(GOOD), keys=[]).report.verdict == "tampered"


def test_the_key_of_another_log_convicts() -> None:
    assert codes(read(GOOD, keys=[LogSigner("other", bytes(32)).key])) == {"checkpoint_key_unknown"}
    assert read(GOOD, keys=[LogSigner("other", bytes(32)).key, SIGNER.key]).report.verdict == "sound"


def test_a_checkpoint_that_the_reader_holds_is_compared_where_it_can_be() -> None:
    same = Checkpoint(ORIGIN, len(LOG.bodies), root_of(LOG.leaves))
    shown = read(GOOD, trusted=same)
    assert (shown.report.verdict, shown.report.trust) == ("sound", "trusted_checkpoint")
    assert codes(read(GOOD, trusted=same._replace(root=digest("another")))) == {"trusted_root_differs"}
    assert codes(read(GOOD, trusted=same._replace(origin="other"))) == {"trusted_other_log"}
    older = same._replace(size=30, root=root_of(LOG.leaves[:30]))
    shown = read(GOOD, trusted=older)
    assert (codes(shown), shown.report.verdict) == ({"trusted_of_another_size"}, "cannot_tell")
    asked = LOG.dossier(CASE, STATEMENT, since=30)
    shown = read(asked, trusted=older)
    assert (codes(shown), shown.report.trust) == (set(), "trusted_checkpoint")
    assert read(asked).report.trust == "self_consistent_only"
    assert codes(read(asked, trusted=older._replace(root=digest("another")))) == {"trusted_root_differs"}
    assert asked.since is not None
    cut = put(asked, since=put(asked.since, proof=asked.since.proof[1:]))
    assert codes(read(cut, trusted=older)) == {"trusted_root_differs"}


# --- an operator who has the keys


def test_a_statement_that_passes_over_an_entry_is_convicted_by_that_entry() -> None:
    """The operator states an older head of the case; the entry that he hides is shown, or the chain ends before it."""
    log, _ = random_log(5, later=0)
    size = len(log.bodies)
    true = log.heads(size)
    short = next(head for head in true if head.seq > 1)
    before = [one for one in log.entries if one.stream == f"case:{short.case}"][-2]
    place = log.entries.index(before)
    lie = [
        CaseHead(short.case, before.stream_seq, leaf_hash(log.bodies[place])) if one == short else one for one in true
    ]
    statement = log.state(lie)
    honest = log.dossier(short.case, statement, lie)
    assert codes(read(honest)) == {"head_not_stated"}
    last = honest.entries[-1]
    hiding = put(honest, entries=honest.entries[:-1], later=[last], openings=[])
    assert codes(read(hiding)) == {"head_passed_over"}
    # With the entry left out altogether the dossier convinces; whoever has the whole log makes another root.
    gone = put(honest, entries=honest.entries[:-1], openings=[])
    assert read(gone).report.verdict == "sound"


def test_a_statement_about_leaves_that_were_not_there_yet_is_false() -> None:
    log, _ = random_log(6, later=0)
    statement = log.state(size=len(log.bodies) + 1)
    document = log.dossier(1, statement)
    assert codes(read(document)) == {"case_heads_differ"}


def test_an_older_kept_dossier_contradicts_a_case_whose_tail_was_cut() -> None:
    """Rewritten and signed with the real key, the new dossier is consistent in itself: the old checkpoint convicts."""
    log, statement = random_log(3, later=0)
    old = read(log.dossier(CASE, statement))
    rewritten = DossierLog()
    victims = [place for place, one in enumerate(log.entries) if one.stream == f"case:{CASE}"][-1:]
    for place, one in enumerate(log.entries[:statement]):
        if place not in victims:
            rewritten.add(one.stream, one.event, one.data, one.personal)
    rewritten_statement = rewritten.state()
    for number in range(3):
        rewritten.add("staff:S1", "test.done", {"number": number})
    assert old.checkpoint is not None
    held = old.checkpoint
    new = read(rewritten.dossier(CASE, rewritten_statement, since=held.size), trusted=held)
    assert len(new.complete) == len(old.complete) - 1
    assert codes(new) == {"trusted_root_differs"}
    assert read(rewritten.dossier(CASE, rewritten_statement)).report.verdict == "sound"
