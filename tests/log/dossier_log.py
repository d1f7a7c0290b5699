"""A small log in memory, without a database: cases and other streams, sealed, stated, signed; and dossiers of it."""

import hashlib
import random
from dataclasses import dataclass, field
from typing import Any

from casework.log.format.case_heads import (
    CaseHead,
    Statement,
    build,
    case_of,
    tile_of_records,
)
from casework.log.format.chain import commit, leaf_hash
from casework.log.format.checkpoint import Checkpoint
from casework.log.format.dossier import (
    SCHEMA,
    Disclosed,
    Dossier,
    ProvenEntry,
    ProvenHead,
    Since,
)
from casework.log.format.entry import Entry, SignedActor, encode
from casework.log.format.note import LogSigner, to_base64
from casework.log.format.tiles import FromTiles
from casework.log.format.tree import (
    Node,
    prove_consistency,
    prove_inclusion,
    root_of,
)

ORIGIN = "log.example/branch"
SIGNER = LogSigner(ORIGIN, bytes(range(32)))
SALT = bytes(32)


@dataclass
class DossierLog:
    """Leaves in order; every entry is what an honest service writes, unless a test says otherwise."""

    bodies: list[bytes] = field(default_factory=list)
    entries: list[Entry] = field(default_factory=list)

    def add(self, stream: str, event: str, data: dict[str, Any], personal: dict[str, str] | None = None) -> int:
        """The leaf index of one more entry of a stream."""
        own = [(place, one) for place, one in enumerate(self.entries) if one.stream == stream]
        seq = len(own) + 1
        at = f"2026-01-11T00:{len(self.bodies) // 60:02}:{len(self.bodies) % 60:02}.000000Z"
        entry = Entry(
            actor=SignedActor("S1", "staff", "api"), chart=None, data=data, entry_id=f"{stream}:{seq}", event=event,
            from_=None, occurred_at=at, personal=personal or {}, policy=None,
            prev=leaf_hash(self.bodies[own[-1][0]]).hex() if own else None, reason_code=None, recorded_at=at, rules=(),
            stream=stream, stream_seq=seq, to=None,
        )  # fmt: skip
        self.entries.append(entry)
        self.bodies.append(encode(entry))
        return len(self.bodies) - 1

    @property
    def leaves(self) -> list[bytes]:
        """Leaf hashes."""
        return list(map(leaf_hash, self.bodies))

    def heads(self, size: int) -> list[CaseHead]:
        """Of the cases in the first `size` leaves."""
        found: dict[int, CaseHead] = {}
        for entry, leaf in list(zip(self.entries, self.leaves, strict=True))[:size]:
            case = case_of(entry.stream)
            if case is not None:
                found[case] = CaseHead(case, entry.stream_seq, leaf)
        return [found[case] for case in sorted(found)]

    def state(self, heads: list[CaseHead] | None = None, **changes: Any) -> int:
        """The leaf index of a statement of the heads as they are, or as given."""
        size = len(self.bodies)
        built = build(self.heads(size) if heads is None else heads)
        stated = Statement("2026-01-11", size, built.cases, built.root)._replace(**changes)
        return self.add("log:1", "log.heads", stated.data)

    def checkpoint(self, signer: LogSigner = SIGNER) -> bytes:
        """Over all leaves."""
        return Checkpoint(ORIGIN, len(self.bodies), root_of(self.leaves)).signed(signer)

    def proven(self, index: int) -> ProvenEntry:
        """One entry under that checkpoint."""
        proof = prove_inclusion(index, len(self.bodies), lambda node: self._node(node, self.leaves))
        return ProvenEntry(index, self.bodies[index].decode(), list(map(to_base64, proof)))

    def _consistency(self, old: int) -> list[str]:
        hashes = prove_consistency(old, len(self.bodies), lambda node: self._node(node, self.leaves))
        return list(map(to_base64, hashes))

    def _node(self, node: Node, leaves: list[bytes]) -> bytes:
        return root_of(leaves[node.number << node.height : (node.number + 1) << node.height])

    def dossier(
        self, case: int, statement: int, heads: list[CaseHead] | None = None, since: int | None = None
    ) -> Dossier:
        """Of a case, with the statement at this leaf index."""
        size = self.entries[statement].data["size"]
        own = [place for place, one in enumerate(self.entries) if one.stream == f"case:{case}"]
        stood = self.heads(size) if heads is None else heads
        built = build(stood)
        tiles = dict(built.tiles)
        hash_of = FromTiles(
            built.cases, lambda tile: tiles[tile] if tile.level else tile_of_records(built.records[tile.number])
        )
        index = [head.case for head in stood].index(case)
        return Dossier(
            schema=SCHEMA, case=case, origin=ORIGIN, checkpoint=self.checkpoint().decode(),
            entries=[self.proven(place) for place in own if place < size],
            heads=ProvenHead(
                self.proven(statement), index, list(map(to_base64, prove_inclusion(index, built.cases, hash_of)))
            ),
            later=[self.proven(place) for place in own if place >= size],
            list_acts=[
                self.proven(place) for place, one in enumerate(self.entries)
                if one.stream.startswith("tasks:") and one.data["case"] == case
            ],
            openings=[
                Disclosed(self.entries[place].stream_seq, "note", SALT.hex(), "客户称下周还款")
                for place in own if self.entries[place].personal
            ],
            since=None if since is None else Since(since, self._consistency(since)),
            made_at="2026-01-12T00:00:00.000000Z",
        )  # fmt: skip


NOTE = {"note": commit(SALT, "note", "客户称下周还款")}


def random_log(seed: int, cases: int = 6, count: int = 40, later: int = 12) -> tuple[DossierLog, int]:
    """A log of so many entries before its statement, and so many after; the statement's leaf index."""
    chance = random.Random(seed)
    log = DossierLog()
    log.add("log:1", "log.begun", {})
    for case in range(1, cases + 1):
        log.add(f"case:{case}", "case.opened", {"loan_id": f"L{case}"})
    for number in range(count):
        stream = chance.choice([*(f"case:{case}" for case in range(1, cases + 1)), "staff:S1"])
        noted = stream.startswith("case:") and chance.random() < 0.2
        log.add(stream, "case.noted" if noted else "test.done", {"number": number}, NOTE if noted else None)
    statement = log.state()
    for number in range(later):
        log.add(f"tasks:{number // 3}", "tasks.begun", {"case": number % 2 + 2, "task": number // 3})
        log.add(f"case:{chance.randint(1, cases)}", "case.measured", {"number": number})
    return log, statement


def digest(text: str) -> bytes:
    """32 bytes that are no hash of anything here."""
    return hashlib.sha256(text.encode()).digest()
