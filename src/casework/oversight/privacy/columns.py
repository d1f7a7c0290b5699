"""Every column of the database: whether it holds personal data of borrowers, and what erasure does to it.

A test compares this with the tables: a column that is named in neither place is a column nobody has thought about.
Numbers of loans, borrowers, cases and staff, amounts, dates and codes are not what is erased (decision 0020), nor
is what the register says of staff.
"""

from collections.abc import Mapping
from typing import Final

from casework.work.cases.nouns import NOUNS

PERSONAL: Final[Mapping[str, Mapping[str, str]]] = {
    "borrowers": {
        "name_sealed": "emptied",
        "name_index": "emptied",
        "id_number_sealed": "emptied",
        "id_number_index": "emptied",
    },
    "contact_log": {
        "number": "emptied",
        "row_hash": "emptied",
    },
    "contact_permits": {
        "number": "emptied",
    },
    "contacts": {
        "role": "row deleted",
        "relation": "row deleted",
        "address_kind": "row deleted",
        "source": "row deleted",
        "legal_basis": "row deleted",
        "name_sealed": "row deleted",
        "phone_sealed": "row deleted",
        "phone_index": "row deleted",
        "address_sealed": "row deleted",
        "row_hash": "row deleted",
        "found_by": "row deleted",
        "added_at": "row deleted",
        "refused_at": "row deleted",
        "ended_at": "row deleted",
        "mac": "row deleted",
    },
    "idempotency": {
        "request_hash": "left as a tombstone",
        "answer": "left as a tombstone",
    },
    "jobs": {
        "file_sealed": "emptied",
    },
    "loans": {
        "row_hash": "emptied",
    },
    "opening_keys": {
        "wrapped": "row deleted",
    },
    "openings": {
        "sealed": "row deleted",
    },
    "photo_bands": {
        "band": "row deleted",
        "value": "row deleted",
        "photo_id": "row deleted",
    },
    "photos": {
        "photo": "row deleted",
        "look": "row deleted",
        "shows": "row deleted",
        "taken_at": "row deleted",
        "place_sealed": "row deleted",
    },
    "requests": {
        "data_sealed": "left as a mark",
    },
    "set_aside": {
        "row_sealed": "row deleted",
    },
    "visit_addresses": {
        "address_index": "emptied",
    },
}
"""What erasure does to each column, by table; `reach` and `answers` do it."""

NOT_PERSONAL: Final[Mapping[str, frozenset[str]]] = {
    f"{noun.word}s": frozenset(noun.rows.columns) for noun in NOUNS
} | {
    table: frozenset(columns.split())
    for table, columns in {
        "absences": "staff_no from_on until_on reason deputy",
        "borrowers": "borrower_id institution mac",
        "breach_reviews": (
            "id institution borrower_id source contact_ref verdict rules actor_id reviewed_at stream_seq"
        ),
        "calendar_days": "day is_worked",
        "case_head_tiles": "log statement level number hashes",
        "case_heads": "log statement number first_case records",
        "cases": (
            "id institution loan_id borrower_id product channel_code team region chart state state_since "
            "live version owner handler opened_on opened_for opened_by closed_as ended_as principal_at_opening_fen "
            "oldest_due_date bucket overdue_principal_fen overdue_interest_fen overdue_penalty_fen "
            "overdue_fen outstanding_principal_fen visit_due_on facts last_entry_at audit_seq audit_head kept apart"
        ),
        "certificates": "staff_no kind issued_on expires_on",
        "case_strategies": "day case_id strategy staff_no",
        "checkpoints": "log size root note published_at",
        "contact_log": (
            "id institution source contact_ref loan_id borrower_id party channel started_at result outcome recorded_at "
            "purpose staff_no agency has_address ended_at recording late permit_id line seconds template next_action "
            "day stream_seq mac"
        ),
        "contact_permits": (
            "id institution borrower_id loan_id case_id contact_id actor_id party channel purpose issued_at "
            "dialling_at holds_until used_at"
        ),
        "contacts": "id institution borrower_id",
        "cosignatures": "log size witness line cosigned_at received_at",
        "days_swept": "institution swept_on",
        "duties": "day case_id duty loan_id status exempt_by due_on owed_by institution",
        "duty_days": "institution day duties digest",
        "entries": "id stream stream_seq event actor_id reason_code recorded_at body leaf_hash mac",
        "erasures": "stream stream_seq institution borrower_id cases_until erased_at",
        "files_to_drop": "stored_as since",
        "feed_runs": (
            "id institution as_of status correction digest actor_id via started_at finished_at refusal files figures"
        ),
        "hand_ins": (
            "day owed_by part handed_in_by handed_in_at is_late due done late exempt open contacts digest content "
            "stream_seq"
        ),
        "handover_moves": (
            "handover_id case_id material_version was_owner was_handler receiver handler post rule reason "
            "overdue_fen state entry_id"
        ),
        "handovers": (
            "id chart state state_since live version opened_on opened_for opened_by staff_no effective_on plan_digest "
            "planned_by planned_at cases unplaced overdue_fen named team region request applied_at replaced_by due_on "
            "preview"
        ),
        "idempotency": "actor_id key status created_at mac",
        "institutions": "institution business_date",
        "institutions_added": "institution",
        "jobs": "id name actor_id state began_at beat_at ended_at stage done total about refusal outcome",
        "keys": "purpose fingerprint",
        "leaves": "log leaf_index entry leaf_hash",
        "legal_holds": "institution borrower_id reason stream_seq",
        "loans": (
            "loan_id institution borrower_id product channel_code owner_staff_no team region disbursed_on "
            "self_payment principal_fen outstanding_principal_fen risk_class npl_since status omitted_on mac"
        ),
        "log_in_failures": "subject failures first_at locked_until",
        "logs": "number origin begun_at",
        "memberships": "staff_no from_on until_on team region",
        "opening_keys": "subject made_at",
        "openings": "stream stream_seq field subject",
        "outages": "day reason",
        "mornings": "day made_at moves",
        "owner_history": "case_id stream_seq since_on since_at owner handler post reason rule",
        "passwords": "staff_no password_hash changed_at by_code mac",
        "posts_held": "staff_no post from_on until_on granted_by request_id",
        "regions": "code name",
        "register_version": "id version",
        "repayments": "institution payment_id loan_id paid_on amount_fen reverses run_id mac",
        "requests": (
            "id chart state state_since live version opened_on opened_for opened_by last_entry_at audit_seq "
            "audit_head kind subject what topic asked_for expires_on pinned_version data_digest reviewed_by "
            "reviewed_for decided_by decided_for carried_out sealed_for due_on"
        ),
        "photos": (
            "id visit_id case_id institution borrower_id media_type size_bytes width height sent_by sent_at stored_as"
        ),
        "reset_codes": "staff_no code_hash expires_at failures mac",
        "search_postings": "place bits",
        "search_segments": "segment first_s last_s times",
        "search_state": "id log indexed emptying",
        "search_terms": "id kind value",
        "second_factors": "staff_no secret_sealed confirmed_at last_step removal_asked_by removal_asked_at mac",
        "sessions": (
            "id staff_no family_hash refresh_hash second_factor after_code created_at refreshed_at expires_at "
            "ended_at mac"
        ),
        "set_aside": "id run_id kind line column code",
        "shifts": "day staff_no shift stand_in",
        "snapshots": "run_id rows",
        "staff": ("staff_no name status capacity joined_on leaves_on left_on returned_on merged_into added_at present"),
        "streams": "stream last_entry_at audit_seq audit_head",
        "teams": "code name region",
        "task_days": "day edition made_at tasks digest",
        "task_lists": "day edition list_of tasks held_back",
        "task_standing": "task_id day list_of until held_by held_on done_on",
        "tasks": "day edition id list_of rank task why owed_by loan_id case_id ref due_on dpd overdue_fen",
        "tasks_taken": "day staff_no edition taken_at late",
        "texts": "digest kind name body published_at",
        "tiles": "log level number root hashes",
        "tokens": (
            "id token_hash staff_no kind label program commands session_id created_at expires_at last_used_at "
            "revoked_at mac"
        ),
        "unsealed": "entry",
        "visit_addresses": "visit_id institution borrower_id",
    }.items()
}
"""Every other column, by table. The row of a noun has none, for what is text of its chart's data goes into no row: its
struct names its columns. Those of cases, hand-overs and requests are named here, since their tables keep more."""

ALL: Final[Mapping[str, frozenset[str]]] = {
    table: NOT_PERSONAL.get(table, frozenset()).union(PERSONAL.get(table, ())) for table in {*NOT_PERSONAL, *PERSONAL}
}
"""Every column of every table: what a database has to have, whichever tables a command has imported."""
