"""A branch in which every post meets every kind of case: who is let through where, asked by real requests.

Relations of a case to the person who asks: his own (o), of his team (t), his region (r), the product that operations
collects (p), or none of these (e, elsewhere).
"""

import hashlib
import re
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy.engine import Connection

from api.auth import is_page
from api.console.frame.cookies import LOG_IN
from api.permitted import pages_of
from casework.clock import now
from casework.customer import Customer
from casework.lifecycle.commands import Done
from casework.log.write.trail import Trail
from casework.operation.startup import Started
from casework.people.identity import sessions
from casework.people.staff import acting, register, tokens
from casework.people.staff.actor import system
from casework.people.staff.permissions import Permissions
from casework.people.staff.tokens import PAGE_PREFIX
from casework.storage.database import writing
from tests.api.conftest import Running, opening
from tests.on_books import put_borrower, put_loan

RELATIONS = "otrpe"
NO_POST = "(no post)"
REFUSED = frozenset(
    {"post_not_permitted", "out_of_reach", "key_not_permitted", "reveal_not_permitted", "purpose_not_permitted"}
)
UNSEEN = frozenset({"unknown_case", "unknown_loan", "unknown_borrower"})
"""What those get who may not see a case, loan or borrower that is there."""
_PLACES: dict[str, dict[str, str]] = {
    "o": {"team": "T9", "region": "R9", "product": "consumer"},
    "t": {"team": "T5", "region": "R9", "product": "consumer"},
    "r": {"team": "T9", "region": "R5", "product": "consumer"},
    "p": {"team": "T9", "region": "R9", "product": "haihua"},
    "e": {"team": "T9", "region": "R9", "product": "consumer"},
}
_ELSEWHERE = {"rep9": "business_rep", "ops9": "operations_collector"}
"""Those who own what is nobody's of the askers."""
_QUERIES = {
    "GET /cases/{case_id}/as-of": {"at": "now"}, "GET /cases/{case_id}/diff": {"from": "now", "to": "now"},
    "GET /portfolio": {"at": "now"}, "GET /portfolio/diff": {"from": "now", "to": "now"},
}  # fmt: skip
"""What a route must be asked with before it looks at whose case it is."""


@dataclass
class Product:
    """The branch: a token for every post, and for each of them a case and a loan without one of every relation."""

    running: Running
    tokens: dict[str, str] = field(default_factory=dict)
    cookies: dict[str, str] = field(default_factory=dict)
    """Of a log-in with the second factor; what pages take."""
    cases: dict[tuple[str, str], int] = field(default_factory=dict)

    @property
    def permissions(self) -> Permissions:
        """The table in force."""
        return self.running.started.branch.rulebook.permissions

    @property
    def posts(self) -> list[str]:
        """Every post in the table's order, and nobody's."""
        return [*self.permissions.posts, NO_POST]

    def routes(self, command: str) -> list[str]:
        """The routes of a command, then its pages."""
        pages = [route for route, named in pages_of(self.running.client.app).items() if named == command]
        return [*self.permissions.commands[command].routes, *sorted(pages)]

    def ask(self, post: str, route: str, relation: str | None = None, token: str | None = None) -> bool:
        """Whether somebody with this post gets through the route, to a case of this relation if it is about one."""
        loan = self.loan(post, relation or "e", fresh=route == "POST /cases")
        answer = self.answer(post, route, self.cases[post, relation or "e"], loan, token)
        assert answer.status_code < 500, (route, answer.text)
        if is_page(route.split(" ", 1)[1]):
            assert "json" not in answer.headers.get("content-type", ""), route
            sent_away = answer.headers.get("location", "").startswith(LOG_IN) and "set-cookie" not in answer.headers
            return not sent_away and code_of(answer) not in REFUSED | UNSEEN
        if answer.status_code == 401:
            return False
        refused = answer.status_code == 403 and answer.json()["code"] in REFUSED
        refused |= answer.status_code == 404 and answer.json()["code"] in UNSEEN
        assert answer.status_code != 403 or answer.headers["content-type"] == "application/problem+json"
        return not refused

    def answer(self, post: str, route: str, case_id: int, loan: str, token: str | None = None) -> Any:
        """What the route answers about this case, this loan, or its borrower."""
        method, path = route.split(" ", 1)
        for name, value in {
            "case_id": str(case_id), "loan_id": loan, "borrower_id": f"B-{loan}",
            "entry_id": "case:1:1", "name": "overdue_loan", "run_id": "1",
        }.items():  # fmt: skip
            path = path.replace(f"{{{name}}}", value)
        headers = {"Authorization": f"Bearer {token or self.tokens[post]}", "If-Match": "*"}
        if is_page(path):
            return self.page(post, method, _unknown_ids(path), case_id, loan, token)
        body = self.body(route, post, loan)
        return self.running.client.request(
            method, _unknown_ids(path), headers=headers, json=body if method != "GET" else None,
            params=_QUERIES.get(route),
        )  # fmt: skip

    def page(self, post: str, method: str, path: str, case_id: int, loan: str, token: str | None = None) -> Any:
        """What a page shows, or what its form comes to, to whoever holds this post."""
        cookie = token or self.cookies[post]
        if token is None and path.endswith("/log-out"):  # the others go on with theirs
            started = self.running.started
            with writing(started.engine) as conn:
                trail = started.branch.trail(now())
                cookie = cookie_of(conn, started, trail, number_of(post))
                trail.write(conn)
        event = self.body("POST /cases/{case_id}/events", post, loan)["event"]
        kind = self.body("POST /cases/{case_id}/facts", post, loan)["kind"]
        purpose = self.body("POST /borrowers/{borrower_id}/reveal", post, loan)["purpose"]
        form = {
            "form_token": hashlib.sha256(b"casework form\n" + cookie.encode()).hexdigest()[:32], "event": event,
            "kind": kind, "on": "2026-01-09", "evidence": "doc:1", "text": "x", "ground": "made", "of": str(case_id),
            "version": "1", "field.name": "yes", "purpose": purpose,
        }  # fmt: skip
        return self.running.client.request(
            method, path, headers={"Cookie": f"casework={cookie}"}, data=form if method == "POST" else None,
            follow_redirects=False,
        )  # fmt: skip

    def seen(self, post: str, path: str) -> str:
        """The relations of the cases that a list shows."""
        headers = {"Authorization": f"Bearer {self.tokens[post]}"}
        answer = self.running.client.get(path, headers=headers, params={"limit": 200})
        if answer.status_code == 403:
            return ""
        shown = {item["id"] for item in answer.json()["items"]}
        return "".join(relation for relation in RELATIONS if self.cases[post, relation] in shown)

    def loan(self, post: str, relation: str, *, fresh: bool = False) -> str:
        """The loan of the case, or one that has none yet."""
        return f"{'N' if fresh else 'L'}1-{relation}-{number_of(post) if relation == 'o' else 'all'}"

    def body(self, route: str, post: str, loan: str) -> Any:
        """What the route takes where its answer turns on it; nothing that any other route would take."""
        chart = self.running.started.branch.rulebook.chart
        purposes = [row.code for row in self.permissions.purposes.values() if post in row.posts]
        event = next((e.name for e in chart.events.values() if post in e.posts - e.only_own.keys()), "start_visit")
        kind = next((k.name for k in chart.facts.values() if post in k.posts - k.only_own.keys()), "visit")
        bodies: dict[str, Any] = {
            "POST /cases": {"loan_id": loan, "ground": "misuse", "data": {"finding": "i:1", "recall_demand": "d:1"}},
            "POST /cases/{case_id}/events": {"event": event, "data": {}},
            "POST /cases/{case_id}/facts": {"kind": kind, "on": "2026-01-09", "evidence": "doc:1", "data": {}},
            "POST /cases/{case_id}/notes": {"text": "x"},
            "POST /borrowers/{borrower_id}/reveal": {"fields": ["name"], "purpose": (purposes or ["complaint"])[0]},
        }
        return bodies.get(route, {})


def product(running: Running) -> Product:
    """Furnish it."""
    made = Product(running)
    started = running.started
    with writing(started.engine) as conn:
        trail, actor = started.branch.trail(now()), system("cli")
        table = started.branch.rulebook.permissions
        for staff_no, post in _ELSEWHERE.items():
            register.add(
                conn, trail, actor, table, staff_no=staff_no, name=staff_no, posts=[post], team="T9", region="R9"
            )
        for post in made.posts:
            posts = [] if post == NO_POST else [post]
            register.add(
                conn, trail, actor, table, staff_no=number_of(post), name=post, posts=posts, team="T5", region="R5"
            )
            made.tokens[post] = tokens.issue(conn, trail, actor, staff_no=number_of(post))
            made.cookies[post] = cookie_of(conn, started, trail, number_of(post))
        trail.write(conn)
    for relation in RELATIONS:
        owners = [number_of(post) for post in made.posts] if relation == "o" else ["rep9"]
        for owner in owners:
            _furnish_loan(made, relation, owner)
    return made


def cookie_of(conn: Connection, started: Started, trail: Trail, staff_no: str) -> str:
    """What a browser holds after a log-in with the second factor."""
    who = acting.actor_for(conn, staff_no, "api", today=trail.today)
    policy = started.branch.rulebook.policies.at(trail.today)
    opened = sessions.open_session(conn, trail, policy, who, step=1, after_code=False, prefix=PAGE_PREFIX)
    return opened.access_token


def code_of(answer: Any) -> str:
    """The code of the problem that a page tells; nothing on any other page."""
    found = re.search(r'data-code="(\w+)"', answer.text)
    return found[1] if found else ""


def _furnish_loan(made: Product, relation: str, owner: str) -> None:
    suffix = owner if relation == "o" else "all"
    loan_id, place = f"L1-{relation}-{suffix}", _PLACES[relation]
    with writing(made.running.started.engine) as conn:
        for one in (loan_id, f"N1-{relation}-{suffix}"):
            put_loan(
                conn, made.running.started.branch, loan_id=one, institution="wuhan", borrower_id=f"B-{one}",
                owner_staff_no=owner, outstanding_principal_fen=7_000_000, **place,
            )  # fmt: skip
        put_borrower(conn, made.running.started.branch, Customer("wuhan", f"B-{loan_id}"))
    (done,) = made.running.do(opening(loan_id, 5, owner=owner, **place))
    assert isinstance(done, Done), done
    for post in made.posts if relation != "o" else [post for post in made.posts if number_of(post) == owner]:
        made.cases[post, relation] = done.id


def number_of(post: str) -> str:
    return "none5" if post == NO_POST else f"{post}5"


def _unknown_ids(path: str) -> str:
    """What the path still asks for is nobody's: a number where routes take one, else a name."""
    while "{" in path:
        name = path[path.index("{") + 1 : path.index("}")]
        path = path.replace(f"{{{name}}}", "NOBODY" if name in ("staff_no", "receiver") else "999999")
    return path
