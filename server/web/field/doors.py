"""Doors of Carnet: the app and its documents under one address, each file once for as long as it stays as it is."""

import functools
from typing import Final

import brotli
from flask import Blueprint, Response, make_response, redirect, request
from werkzeug.exceptions import NotFound

from server.web.auth import guarded, this_hub
from server.web.field import documents, packs

blueprint = Blueprint("carnet", __name__)

_YEAR_S: Final = 31_536_000


@blueprint.get("/carnet")
@guarded("public")
def without_slash() -> Response:
    """The address as people type it."""
    return make_response(redirect(packs.BASE, 308))


@blueprint.get(packs.BASE, defaults={"name": packs.INDEX})
@blueprint.get(f"{packs.BASE}<path:name>")
@guarded("public")
def file(name: str) -> Response:
    """A file of the app, a document beside it, or all of them in two."""
    data = packs.found(name)
    if data is None:
        raise NotFound
    answer = _answer(name, data)
    if request.args.get("v") == packs.digest(data):
        answer.headers["Cache-Control"] = f"public, max-age={_YEAR_S}, immutable"
    return answer


@blueprint.get(f"{packs.BASE}places/<cercle>.json")
@guarded("public")
def places(cercle: str) -> Response:
    """The villages of a cercle, which a phone asks for once."""
    hub = this_hub()
    with hub.store.read() as connection:
        gazetteer = hub.places.read(connection)
    try:
        return _answer("places.json", packs.as_json(documents.localities(gazetteer, cercle)))
    except LookupError:
        raise NotFound from None


@functools.lru_cache(maxsize=128)
def _brotli(data: bytes) -> bytes:
    """As small as it gets: it is done once, and travels to every phone."""
    return bytes(brotli.compress(data, quality=11))


def _answer(name: str, data: bytes) -> Response:
    answer = Response(data, mimetype=packs.TYPES[name.rpartition(".")[2]])
    answer.headers.update(packs.HEADERS)
    answer.headers["Cache-Control"] = "no-cache"
    answer.vary.add("Accept-Encoding")
    if request.accept_encodings["br"]:
        answer.data = _brotli(data)
        answer.headers["Content-Encoding"] = "br"
    return answer
