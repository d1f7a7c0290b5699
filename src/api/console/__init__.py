"""The console: pages for people, below `/console`. What they show and do is what the API shows and does.

A folder is a noun: its pages and, beside them, their templates. `frame` is what all share. A page calls the slices
itself, takes the cookie of a log-in alone, and names the command of the permission table that it is for. Words stand in
`frame/words.toml`.
"""

from collections.abc import Sequence
from typing import Any

from litestar import Router

from api.console import lists
from api.console.access import pages as access
from api.console.borrowers import pages as borrowers
from api.console.cases import looking, opening, steps
from api.console.chart_moves import pages as chart_moves
from api.console.contact_files import pages as contact_files
from api.console.day import lists as day_lists
from api.console.day import pages as day
from api.console.debtor import agreed, contact, new_number
from api.console.debtor import pages as debtor
from api.console.distribution import pages as distribution
from api.console.entry import pages as entry
from api.console.evening import figures, unrepaired
from api.console.evening import pages as evening
from api.console.feeds import pages as feeds
from api.console.files import pages as files
from api.console.frame.assets import asset
from api.console.handover import pages as handover
from api.console.home import pages as home
from api.console.log import pages as log
from api.console.log import questions as log_questions
from api.console.log import verification
from api.console.nouns import pages as nouns
from api.console.people import pages as people
from api.console.repairs import pages as repairs
from api.console.requests import pages as requests
from api.console.roster import pages as roster
from api.console.rulebook import lines as rule_lines
from api.console.rulebook import pages as rulebook
from api.console.sent_files import pages as sent_files
from api.console.sent_files import templates
from api.console.visits import pages as visits
from api.console.visits import review, sending
from api.nouns import Described

uploads: list[Any] = [*feeds.uploads, *contact_files.uploads, *sent_files.uploads]
photo_uploads: list[Any] = sending.uploads


def route_handlers(described: Sequence[Described]) -> list[Any]:
    """For `api.app`."""
    handlers = [asset, *entry.route_handlers, *access.route_handlers, *home.route_handlers, *day.route_handlers]
    handlers += files.route_handlers
    handlers += [*steps.route_handlers, *looking.route_handlers, *debtor.route_handlers, *borrowers.route_handlers]
    handlers += [*new_number.route_handlers, *agreed.route_handlers]
    handlers += [*requests.route_handlers, *nouns.route_handlers(described), *feeds.route_handlers]
    handlers += [
        *contact.route_handlers,
        *contact_files.route_handlers,
        *sent_files.route_handlers,
        *templates.route_handlers,
        *day_lists.route_handlers,
    ]
    handlers += [
        *figures.route_handlers,
        *evening.route_handlers,
        *handover.route_handlers,
        *chart_moves.route_handlers,
    ]
    handlers += [*unrepaired.route_handlers, *repairs.route_handlers]
    handlers += [*review.route_handlers, *visits.route_handlers, *sending.route_handlers]
    handlers += [*distribution.route_handlers, *roster.route_handlers]
    handlers += [
        *rule_lines.route_handlers,
        *people.route_handlers,
        *rulebook.route_handlers,
        *verification.route_handlers,
        *log.route_handlers,
    ]
    handlers += [*opening.route_handlers, *log_questions.route_handlers]
    handlers += lists.route_handlers(described)
    return [Router("/", route_handlers=handlers, include_in_schema=False)]
