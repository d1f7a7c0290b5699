"""`casework privacy`: what is held of a borrower, legal holds, erasure."""

import sys
from typing import TYPE_CHECKING, NoReturn

import click

from casework.cli.given import institution_option
from casework.cli.shell import as_json, as_staff, console, errors, permitted, print_json, started
from casework.cli.tables import NONE, Table
from casework.clock import now
from casework.errors import CallerError
from casework.instants import branch_text

if TYPE_CHECKING:
    from casework.operation.startup import Started
    from casework.oversight.privacy.erase import Erasure, ErasureRefused
    from casework.oversight.privacy.remaining import Copies, Remaining
    from casework.oversight.privacy.scrub import Scrubbed
    from casework.oversight.privacy.showing import Holding
    from casework.people.staff.actor import Actor


_READ = "privacy.read"


@click.group()
def cli() -> None:
    """A borrower's personal data: what is held where, legal holds, and erasing it for good.

    \b
    Examples:
      casework privacy show B000731
      casework privacy hold B000731 --reason litigation --as S0031
      casework privacy erase B000731 --basis retention_over --as S0012
    """


@cli.command("show")
@click.argument("borrower_id")
@institution_option
@as_json
@as_staff
def show(borrower_id: str, institution: str | None, json_: bool, staff_no: str | None) -> None:
    """Show what is held of BORROWER_ID and where, holds, retention, and whether each basis would let it be erased.

    Counts and dates only: no personal data is read.

    \b
    Examples:
      casework privacy show B000731
      casework privacy show B000731 --json | jq .bases
    """
    from casework.intake.feed.customers import customer_named
    from casework.oversight.privacy.showing import holding_of
    from casework.storage.database import reading

    with started() as open_, reading(open_.engine, snapshot=True) as conn:
        permitted(conn, open_.branch, staff_no, _READ)
        found = holding_of(conn, open_.branch, customer_named(conn, borrower_id, institution), now())
    if json_:
        print_json(found)
    else:
        _print_holding(found)


@cli.command("hold")
@click.argument("borrower_id")
@click.option("--reason", required=True, metavar="CODE", help="A reason of statecharts/rules/privacy.toml.")
@institution_option
@as_json
@as_staff
def hold_(
    borrower_id: str, institution: str | None, reason: str, json_: bool, staff_no: str | None
) -> None:  # fmt: skip
    """Place a legal hold: while it is open, nothing of BORROWER_ID can be erased.

    \b
    Examples:
      casework privacy hold B000731 --reason litigation --as S0031
    """
    from casework.intake.feed.customers import customer_named
    from casework.oversight.privacy.holding import hold
    from casework.storage.database import writing

    with started() as open_, writing(open_.engine) as conn:
        actor = permitted(conn, open_.branch, staff_no, "privacy.hold")
        customer = customer_named(conn, borrower_id, institution)
        entry_id = hold(conn, open_.branch, customer, reason=reason, actor=actor)
    _told_entry(entry_id, "hold placed 已保全", json_)


@cli.command("release")
@click.argument("borrower_id")
@click.option("--reason", metavar="CODE", help="Only the hold for this reason.")
@institution_option
@as_json
@as_staff
def release_(
    borrower_id: str, institution: str | None, reason: str | None, json_: bool, staff_no: str | None
) -> None:  # fmt: skip
    """Release the legal holds on BORROWER_ID.

    \b
    Examples:
      casework privacy release B000731 --as S0031
      casework privacy release B000731 --reason complaint --as S0031
    """
    from casework.intake.feed.customers import customer_named
    from casework.oversight.privacy.holding import release
    from casework.storage.database import writing

    with started() as open_, writing(open_.engine) as conn:
        actor = permitted(conn, open_.branch, staff_no, "privacy.hold")
        customer = customer_named(conn, borrower_id, institution)
        entry_id = release(conn, open_.branch, customer, reason=reason, actor=actor)
    _told_entry(entry_id, "hold released 已解除保全", json_)


@cli.command("erase")
@click.argument("borrower_id")
@click.option("--basis", required=True, metavar="CODE", help="A basis of statecharts/rules/privacy.toml.")
@click.option("--yes", is_flag=True, help="Do not ask. Needed where nobody can be asked.")
@click.option("--rewrite", is_flag=True, help="Write the tables it reached anew, which keeps others waiting.")
@institution_option
@as_json
@as_staff
def erase_(
    *, borrower_id: str, institution: str | None, basis: str, yes: bool, rewrite: bool, json_: bool,
    staff_no: str | None,
) -> None:  # fmt: skip
    """Erase the personal data of BORROWER_ID for good: names, numbers, contacts, notes, what was asked for.

    What will go is shown first and must be confirmed by typing the borrower's id, or by --yes. The log stays whole:
    an entry says what was erased, and verification goes on without it. At the end: what still holds the data.

    \b
    Exit code: 0 erased; 1 refused (every reason is shown and recorded), or not confirmed.

    \b
    Examples:
      casework privacy erase B000731 --basis retention_over --as S0012
      casework privacy erase B000731 --institution wuhan --basis ordered --as S0012 --yes --json
    """
    from casework.intake.feed.customers import customer_named
    from casework.oversight.privacy.erase import COMMAND, ErasureRefused, erase, look_through
    from casework.oversight.privacy.showing import holding_of
    from casework.storage.database import reading, writing

    with started() as open_:
        with reading(open_.engine, snapshot=True) as conn:
            permitted(conn, open_.branch, staff_no, COMMAND)
            open_.branch.rulebook.privacy.basis(basis)
            customer = customer_named(conn, borrower_id, institution)
            aside = look_through(conn, open_.branch, customer, now())
            found = holding_of(conn, open_.branch, customer, now(), set_aside=len(aside.ids))
        if not yes and found.allowed(basis):
            _confirm(found)
        with writing(open_.engine) as conn:
            actor: Actor = permitted(conn, open_.branch, staff_no, COMMAND)
            told = erase(conn, open_.branch, customer, basis=basis, actor=actor, aside=aside)
        if isinstance(told, ErasureRefused):
            _refused(told, json_)
        scrubbed = _scrubbed(open_, told, rewrite=rewrite)
    if json_:
        print_json(
            {**customer._asdict(), "entry_ids": told.entry_ids, "erased": told.gone.counts,
             "files": scrubbed, "remaining": told.remaining}
        )  # fmt: skip
    else:
        _print_erasure(told, scrubbed, open_.branch.time_zone)


def _scrubbed(open_: "Started", told: "Erasure", *, rewrite: bool) -> "Scrubbed | None":
    """The files; what goes wrong there undoes nothing, and is reported."""
    from casework.oversight.privacy.scrub import scrub
    from casework.work.photos.dropping import drop_files

    try:
        drop_files(open_.engine, open_.branch)
        return scrub(open_.settings, told.gone.traces, rewrite=rewrite)
    except Exception as error:  # noqa: BLE001  (the erasure is committed: whatever it is, the report must come)
        errors.print(f"the files were not cleaned 文件未清理: {type(error).__name__}", markup=False)
        return None


def _confirm(found: "Holding") -> None:
    if not sys.stdin.isatty():
        raise CallerError("not_confirmed")
    _print_holding(found)
    typed = click.prompt(f"This cannot be undone 不可撤销. Type {found.borrower_id} to go on", err=True)
    if typed.strip() != found.borrower_id:
        raise CallerError("not_confirmed", "未确认", "not confirmed; nothing was erased")


def _refused(told: "ErasureRefused", json_: bool) -> NoReturn:
    if json_:
        reasons = [{"code": one.code, "zh": one.zh, "en": one.en, "saw": one.saw, "opens_on": one.opens_on}
                   for one in told.reasons]  # fmt: skip
        print_json({**told.customer._asdict(), "refused": told.entry_id, "reasons": reasons})
    errors.print(f"refused 已拒绝 ({told.entry_id})", markup=False)
    for one in told.reasons:
        errors.print(f"  {one.code}: {one.zh} / {one.en}", markup=False)
    sys.exit(1)


# ── for people ──────────────────────────────────────────────────────────────────────────────────────────────


def _told_entry(entry_id: str, what: str, json_: bool) -> None:
    if json_:
        print_json({"entry_id": entry_id})
    else:
        console.print(f"{what}: {entry_id}", markup=False)


def _print_holding(found: "Holding") -> None:
    from casework.oversight.privacy.showing import PLACES

    table = Table(box=None, show_header=False, title=f"{found.borrower_id} ({found.institution})", title_justify="left")
    for name, number in found.held.items():
        zh, en = PLACES[name]
        table.add_row(f"{en} {zh}", f"{number:,}")
    table.add_row("cases 案件", f"{found.cases:,}")
    table.add_row("holds 保全", ", ".join(found.holds) or NONE)
    table.add_row("last record 最后记录", str(found.last_record_on or NONE))
    table.add_row("last case ended 最后结案", str(found.last_ended_on or NONE))
    for one in found.erased:
        table.add_row("erased 已删除", f"{one.erased_on} ({one.entry_id})")
    console.print(table)
    bases = Table("basis 依据", "", "why not 不得删除的原因", box=None)
    for basis in found.bases:
        why = "\n".join(f"{one.zh} / {one.en}" for one in basis.reasons)
        bases.add_row(basis.code, "yes" if basis.allowed else "no", why)
    console.print(bases)


def _print_erasure(told: "Erasure", scrubbed: "Scrubbed | None", zone: str) -> None:
    from casework.oversight.privacy.showing import PLACES

    table = Table("erased 已删除", "", box=None)
    for name, number in told.gone.counts.items():
        zh, en = PLACES[name]
        table.add_row(f"{en} {zh}", f"{number:,}")
    console.print(table)
    console.print(f"recorded 已记录: {', '.join(told.entry_ids)}", markup=False)
    if scrubbed is not None:
        _print_scrubbed(scrubbed)
    _print_remaining(told.remaining, zone)


def _print_scrubbed(done: "Scrubbed") -> None:
    if done.left is not None:
        state = "emptied" if done.log_emptied else "NOT emptied while others read (the last to close it does)"
        console.print(f"write-ahead log {state}")
        console.print(f"{done.searched} erased values looked for in the file, found {done.left}")
    if done.rewritten or done.vacuumed:
        console.print(f"rewritten: {', '.join(done.rewritten) or NONE}; vacuumed: {', '.join(done.vacuumed) or NONE}")
    if done.not_permitted:
        console.print(f"NOT vacuumed (only their owner may; set CASEWORK_DATABASE_OWNER_URL): {done.not_permitted}")


def _print_remaining(still: "Remaining", zone: str) -> None:
    kinds = {
        "backups 备份": still.backups,
        "exports 导出": still.exports,
        "hand-over sheets 移交清单": still.handover_sheets,
    }
    console.print("what still holds the data 仍留存之处：")
    for title, copies in kinds.items():
        console.print(f"  {title}: {copies.count:,}{_newest(copies, zone)}", markup=False)
    console.print(f"  {still.zh}", markup=False)
    console.print(f"  {still.en}", markup=False)


def _newest(copies: "Copies", zone: str) -> str:
    shown = [f"{branch_text(copy.at, zone, 'minutes')} ({copy.entry_id})" for copy in copies.newest[:5]]
    more = ", …" if copies.count > len(shown) else ""
    return f": {', '.join(shown)}{more}" if shown else ""
