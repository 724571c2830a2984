"""The page at `/`: whether the centre answers, and, where the settings say so, how much it holds."""

from typing import Any

from flask import Blueprint, Response, jsonify, render_template

from server.i18n import catalogue
from server.services import clock, maintenance
from server.web.auth import guarded, this_hub
from server.web.formats import callers_language

blueprint = Blueprint("status", __name__)


@blueprint.get("/")
@guarded("public")
def page() -> str:
    """A small page for whoever opens the address in a browser."""
    hub = this_hub()
    language = callers_language()
    is_full = hub.settings.status == "full"
    counts = maintenance.counts(hub.store) if is_full else None
    is_doubted = is_full and clock.standing(hub.store).doubted is not None
    return render_template(
        "status.html",
        texts=catalogue(language),
        language=language,
        coalition=hub.settings.coalition,
        counts=counts,
        is_clock_doubted=is_doubted,
        now=hub.clock(),
    )


@blueprint.get("/health")
@guarded("public")
def health() -> tuple[Response, int]:
    """Whether the hub can read its data; says nothing else."""
    this_hub().epoch()
    answer: dict[str, Any] = {"status": "ok"}
    return jsonify(answer), 200
