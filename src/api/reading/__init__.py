"""The reading routes: one file per noun. They write nothing but entries of who read personal data."""

from typing import Any

from api.reading.borrowers import borrower, find_borrowers, reveal_of_borrower
from api.reading.cases import case, case_history, case_list_acts, case_notes, case_options, cases, my_cases
from api.reading.charts import chart, chart_drawing, chart_mermaid, charts, policies
from api.reading.dossier import case_dossier
from api.reading.dry_run import dry_run_of_cases
from api.reading.entries import entries, entries_as_csv, entries_as_jsonl, entries_as_xlsx, entry
from api.reading.exports import cases_as_csv, cases_as_xlsx
from api.reading.feed_dry_runs import feed_dry_run
from api.reading.feeds import (
    feed_run,
    feed_runs,
    loans_without_case,
    set_aside_as_csv,
    set_aside_as_xlsx,
    set_aside_rows,
)
from api.reading.loans import loan_openings
from api.reading.owners import case_owners, cases_owned_on
from api.reading.past import case_between, case_then, portfolio_between, portfolio_then

route_handlers: list[Any] = [
    cases, cases_as_csv, cases_as_xlsx, my_cases, case, case_history, case_list_acts, case_notes, case_options,
    case_owners, cases_owned_on, case_dossier, case_then, case_between, portfolio_then, portfolio_between,
    dry_run_of_cases, borrower, find_borrowers, reveal_of_borrower, loan_openings, charts, chart, chart_mermaid,
    chart_drawing,
    policies, entries, entry, entries_as_jsonl, entries_as_csv, entries_as_xlsx,
    feed_runs, feed_run, feed_dry_run, loans_without_case, set_aside_rows, set_aside_as_csv, set_aside_as_xlsx,
]  # fmt: skip
"""For `api.app.create_app`."""
