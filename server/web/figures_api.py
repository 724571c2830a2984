"""The door for figures: tables of the whole network, as JSON or CSV, for people by their session in the console."""

import threading
from typing import Any, Final

from flask import Response, jsonify, request
from flask_smorest import Blueprint

from server import figure_words
from server.domain.errors import Busy, PeriodInvalid
from server.domain.statistics import NETWORK, TABLES, Period
from server.figure_words import Words
from server.services import statistics
from server.services.accounts.sessions import Login
from server.web.auth import for_person, this_hub
from server.web.errors import problem
from server.web.schemas import FigureShape

JSON: Final = "application/json"
CSV: Final = "text/csv"
_SEPARATORS: Final = (",", ";")

blueprint = Blueprint("figures", __name__, url_prefix="/api/v1", description="Figures")
# One at a time: each reads all that the hub has of a period, and devices wait for nobody's tables.
COUNTING: Final = threading.Lock()


def _asked(name: str, meaning: str, codes: tuple[str, ...] = ()) -> dict[str, Any]:
    """A parameter of the query, for the OpenAPI document."""
    schema = {"type": "string"} | ({"enum": list(codes)} if codes else {})
    return {"name": name, "in": "query", "required": False, "description": meaning, "schema": schema}


@blueprint.get("/statistics")
@blueprint.doc(
    parameters=[
        _asked("table", "Its code; without it, the network's own figures, by `by`.", tuple(TABLES)),
        _asked("by", "What the network's own figures are broken down by.", tuple(NETWORK)),
        _asked("from", "2026, 2026-T3 or 2026-07; without it, this quarter."),
        _asked("to", "The same; without it, the end of `from`."),
        _asked("format", "Before what `Accept` says.", ("json", "csv")),
        _asked("separator", "Of CSV.", _SEPARATORS),
    ],
    security=[{"person": []}],
)
@blueprint.alt_response(200, schema=FigureShape, content_type=JSON, description="The table.")
@for_person("read_statistics")
def statistics_table(person: Login) -> Response:
    """One table of some months, small numbers hidden."""
    try:
        code, period, form, separator = _table(), _period(), _form(), _one_of("separator", _SEPARATORS)
    except PeriodInvalid:
        return problem("member_invalid", 400, fields=["from", "to"])
    except KeyError as unknown:
        return problem("member_invalid", 400, fields=[str(unknown.args[0])])
    hub = this_hub()
    desk = hub.desk(person.actor)
    if not COUNTING.acquire(blocking=False):
        raise Busy
    try:
        release = statistics.table(hub.store, desk, code, period)
    finally:
        COUNTING.release()
    shown = figure_words.worded(release, Words(person.language, desk.places))
    if form == "csv":
        return _file(figure_words.as_csv(shown, separator), f"{code}-{period.first:%Y-%m}-{period.last:%Y-%m}.csv")
    return jsonify(figure_words.as_json(release, shown))


def _table() -> str:
    if "table" in request.args:
        if "by" in request.args:
            raise KeyError("by")
        return _one_of("table", tuple(TABLES))
    return NETWORK[_one_of("by", tuple(NETWORK))]


def _period() -> Period:
    return Period.asked(request.args.get("from"), request.args.get("to"), this_hub().clock().date())


def _form() -> str:
    is_csv = request.accept_mimetypes.best_match([JSON, CSV]) == CSV
    return _one_of("format", ("csv", "json") if is_csv else ("json", "csv"))


def _one_of(name: str, known: tuple[str, ...]) -> str:
    """What the query says, the first where it says nothing. Raises KeyError, naming the parameter, for what is none."""
    said = request.args.get(name, known[0])
    if said not in known:
        raise KeyError(name)
    return said


def _file(content: bytes, name: str) -> Response:
    headers = {"Content-Disposition": f'attachment; filename="{name}"', "X-Content-Type-Options": "nosniff"}
    return Response(content, headers=headers, mimetype=CSV)
