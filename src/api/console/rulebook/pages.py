"""The rules in force: each chart drawn and as a table of its events, the branch's figures by their dates."""

from typing import Any

from litestar import Request, Response, get
from litestar.params import FromPath

from api.console.frame.page import HEADERS, language_of, render
from api.reading.charts import charts_in_force, policies_view, policy_in_force
from api.serving import serving_of
from casework.errors import CallerError
from casework.rules.statechart.chart import Chart
from casework.rules.statechart.draw import svg


@get("/console/rules", sync_to_thread=True, opt={"page": "rulebook.read"})
def rules(request: Request[Any, Any, Any]) -> Response[Any]:
    """Charts and policies."""
    serving = serving_of(request)
    shown = sorted(policies_view(serving), key=lambda one: one.effective_on, reverse=True)
    return render(request, "rulebook/rules.html", charts=charts_in_force(serving).values(), policies=shown)


@get("/console/rules/charts/{name:str}/drawing.svg", sync_to_thread=True, opt={"page": "rulebook.read"})
def drawing(request: Request[Any, Any, Any], name: FromPath[str]) -> Response[Any]:
    """The chart in force as a picture."""
    told = _chart(request, name).told_with(policy_in_force(serving_of(request)))
    return Response(svg(told, language_of(request)), media_type="image/svg+xml", headers=dict(HEADERS))


@get("/console/rules/charts/{name:str}", sync_to_thread=True, opt={"page": "rulebook.read"})
def chart(request: Request[Any, Any, Any], name: FromPath[str]) -> Response[Any]:
    """The chart in force: the picture, its states with their deadlines, its events with who may and by which rule."""
    found = _chart(request, name).told_with(policy_in_force(serving_of(request)))
    permissions = serving_of(request).branch.rulebook.permissions
    may_move = permissions.may(request.scope["user"], "chart.move.read")
    return render(request, "rulebook/chart.html", chart=found, may_move=may_move)


def _chart(request: Request[Any, Any, Any], name: str) -> Chart:
    found = charts_in_force(serving_of(request)).get(name)
    if found is None:
        raise CallerError("not_found")
    return found


route_handlers = [rules, drawing, chart]
