"""Doors of Carnet: the app and its documents under one address, each file once for as long as it stays as it is."""

import functools
import hashlib
import json
from collections.abc import Mapping
from importlib import resources
from importlib.resources.abc import Traversable
from typing import Any, Final

from flask import Blueprint, Response, make_response, redirect, request
from werkzeug.exceptions import NotFound

from server.web.auth import guarded, this_hub
from server.web.field import documents

blueprint = Blueprint("carnet", __name__)

BASE: Final = "/carnet/"
_APP: Final = resources.files("server.web.field") / "app"
_INDEX: Final = "index.html"
_WORKER: Final = "sw.js"
_DIGITS: Final = 12
_YEAR_S: Final = 31_536_000
_TYPES: Final[Mapping[str, str]] = {
    "css": "text/css",
    "html": "text/html",
    "js": "text/javascript",
    "json": "application/json",
    "svg": "image/svg+xml",
    "webmanifest": "application/manifest+json",
}
# What else is there is for whoever works on the app.
_LEFT_OUT: Final = frozenset({"package.json", "vendored.toml"})
_HEADERS: Final = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
    "img-src 'self' blob:; media-src blob:; worker-src 'self'; manifest-src 'self'; form-action 'none'; "
    "frame-ancestors 'none'; base-uri 'none'",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "microphone=(self), camera=(self), geolocation=()",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}


@blueprint.get("/carnet")
@guarded("public")
def without_slash() -> Response:
    """The address as people type it."""
    return make_response(redirect(BASE, 308))


@blueprint.get(BASE, defaults={"name": _INDEX})
@blueprint.get(f"{BASE}<path:name>")
@guarded("public")
def file(name: str) -> Response:
    """A file of the app, or a document beside it."""
    if name == _WORKER:
        return _answer(name, _worker())
    if name not in shell():
        raise NotFound
    answer = _answer(name, shell()[name])
    if request.args.get("v") == _digest(shell()[name]):
        answer.headers["Cache-Control"] = f"public, max-age={_YEAR_S}, immutable"
    return answer


@blueprint.get(f"{BASE}places/<cercle>.json")
@guarded("public")
def places(cercle: str) -> Response:
    """The villages of a cercle, which a phone asks for once."""
    hub = this_hub()
    with hub.store.read() as connection:
        gazetteer = hub.places.read(connection)
    try:
        return _answer("places.json", _json(documents.localities(gazetteer, cercle)))
    except LookupError:
        raise NotFound from None


@functools.cache
def shell() -> Mapping[str, bytes]:
    """All that a phone keeps, by its path below `/carnet/`, in the order in which it is fetched."""
    files = {name: each.read_bytes() for name, each in _files(_APP) if name != _WORKER and each.name not in _LEFT_OUT}
    texts = {f"words.{language}.json": _json(documents.words(language)) for language in documents.LANGUAGES}
    lists = {
        "pivot.json": _json(documents.pivot()),
        "places.json": _json(documents.areas()),
        "vocabulary.json": _json(documents.vocabulary()),
        "wordlist.json": _json(documents.wordlist()),
    }
    return files | texts | lists


def _files(folder: Traversable, prefix: str = "") -> list[tuple[str, Traversable]]:
    """The files below a folder, by their paths."""
    found: list[tuple[str, Traversable]] = []
    for each in sorted(folder.iterdir(), key=lambda each: each.name):
        found += _files(each, f"{prefix}{each.name}/") if each.is_dir() else [(prefix + each.name, each)]
    return found


@functools.cache
def _worker() -> bytes:
    """The service worker, which knows what a phone keeps, and by which digest it finds what changed."""
    paths = {BASE if name == _INDEX else BASE + name: _digest(data) for name, data in shell().items()}
    return b"const SHELL = " + _json(paths) + b";\n" + (_APP / _WORKER).read_bytes()


@functools.cache
def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()[:_DIGITS]


def _json(value: Any) -> bytes:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()


def _answer(name: str, data: bytes) -> Response:
    answer = Response(data, mimetype=_TYPES[name.rpartition(".")[2]])
    answer.headers.update(_HEADERS)
    answer.headers["Cache-Control"] = "no-cache"
    return answer
