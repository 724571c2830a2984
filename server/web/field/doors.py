"""Doors of Carnet: the app and its documents under one address, each file once for as long as it stays as it is."""

import functools
import hashlib
import json
import posixpath
import re
from collections.abc import Callable, Mapping
from html import escape
from importlib import resources
from importlib.resources.abc import Traversable
from typing import Any, Final

import brotli
import rjsmin
from flask import Blueprint, Response, make_response, redirect, request
from werkzeug.exceptions import NotFound

from server.web.auth import guarded, this_hub
from server.web.field import documents

blueprint = Blueprint("carnet", __name__)

BASE: Final = "/carnet/"
_APP: Final = resources.files("server.web.field") / "app"
_INDEX: Final = "index.html"
_WORKER: Final = "sw.js"
# The page itself, and the app that it starts.
_FIRST_SCRIPTS: Final = ("boot.js", "app.js")
_FIRST_WORDS: Final = f"words.{documents.LANGUAGES[0]}.json"
_IMPORTED: Final = re.compile(r'(?:from|import) "(\.[^"]+)"')
_PLACEHOLDER: Final = re.compile(r"\{\{(text|digest) ([a-z_.]+)\}\}")
# The page has these before the pack comes; under their digests the browser does not fetch them again.
_WITH_PAGE: Final = frozenset({"boot.js", "carnet.css"})
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
_LEFT_OUT: Final = frozenset({_WORKER, "package.json", "vendored.toml"})
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
    """A file of the app, a document beside it, or all of them in two."""
    if name == _WORKER:
        return _answer(name, _worker())
    data = _pack(name[:-5]) if name[:-5] in _PACKS and name.endswith(".json") else _kept().get(name)
    if data is None:
        raise NotFound
    answer = _answer(name, data)
    if request.args.get("v") == _digest(data):
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
    """What opens, records and seals: the page, what its scripts import at once, and the words of its first language."""
    return {name: data for name, data in _kept().items() if name in _at_once() or _is_dress(name) or name == _FIRST_WORDS}


@functools.cache
def later() -> Mapping[str, bytes]:
    """What comes behind it while the app is at work already: sending, visits, lists, other languages."""
    return {name: data for name, data in _kept().items() if name not in shell()}


@functools.cache
def _kept() -> Mapping[str, bytes]:
    """All that a phone keeps, by its path below `/carnet/`, as it travels."""
    files = {name: _lean(name, each.read_text("utf-8")) for name, each in _files(_APP) if each.name not in _LEFT_OUT}
    texts = {f"words.{language}.json": documents.words(language) for language in documents.LANGUAGES}
    labels = {f"labels.{language}.json": documents.labels(language) for language in documents.LANGUAGES}
    steps = {f"steps.{language}.json": documents.steps(language) for language in documents.LANGUAGES}
    lists = {
        "cards.json": documents.cards(),
        "pivot.json": documents.pivot(),
        "places.json": documents.areas(),
        "vocabulary.json": documents.vocabulary(),
        "wordlist.json": documents.wordlist(),
    }
    return files | {name: _json(value) for name, value in (texts | labels | steps | lists).items()}


def _is_dress(name: str) -> bool:
    return name.rpartition(".")[2] in ("css", "html", "svg", "webmanifest")


@functools.cache
def _at_once() -> frozenset[str]:
    """The scripts that the first ones import, and those that these import; what is imported when needed comes later."""
    found: set[str] = set()
    waiting = list(_FIRST_SCRIPTS)
    while waiting:
        script = waiting.pop()
        if script not in found:
            found.add(script)
            named = _IMPORTED.findall((_APP / script).read_text("utf-8"))
            waiting += [posixpath.normpath(posixpath.join(posixpath.dirname(script), each)) for each in named]
    return frozenset(found)


def _lean(name: str, text: str) -> bytes:
    """A file without what is for its readers here; the page with its first words, and what it loads by its digest."""
    if name == _INDEX:
        text = _PLACEHOLDER.sub(lambda found: _filled(*found.groups()), text)
    return (rjsmin.jsmin(text) if name.endswith(".js") and not name.startswith("vendor/") else text).encode()


def _filled(what: str, name: str) -> str:
    if what == "digest":
        return _digest(_lean(name, (_APP / name).read_text("utf-8")))
    text: str = documents.words(documents.LANGUAGES[0])["texts"][name]
    return escape(text)


def _files(folder: Traversable, prefix: str = "") -> list[tuple[str, Traversable]]:
    """The files below a folder, by their paths."""
    found: list[tuple[str, Traversable]] = []
    for each in sorted(folder.iterdir(), key=lambda each: each.name):
        found += _files(each, f"{prefix}{each.name}/") if each.is_dir() else [(prefix + each.name, each)]
    return found


@functools.cache
def _pack(name: str) -> bytes:
    """All texts of one part of the app in one document: forty requests would each wait for a slow link."""
    return _json({_path(each): data.decode() for each, data in _PACKS[name]().items() if each not in _WITH_PAGE})


@functools.cache
def _worker() -> bytes:
    """The service worker, which knows what a phone keeps, and by which digest it finds what changed."""
    given = {
        "SHELL": {_path(name): _digest(data) for name, data in shell().items()},
        "LATER": {_path(name): _digest(data) for name, data in later().items()},
        "PACKS": {
            name: {"url": f"{BASE}{name}.json?v={_digest(_pack(name))}", "bytes": len(_pack(name))} for name in _PACKS
        },
        "HEADERS": _HEADERS,
        "TYPES": _TYPES,
    }
    lines = b"".join(b"const %s = %s;\n" % (name.encode(), _json(value)) for name, value in given.items())
    return lines + _lean(_WORKER, (_APP / _WORKER).read_text("utf-8"))


_PACKS: Final[Mapping[str, Callable[[], Mapping[str, bytes]]]] = {"shell": shell, "later": later}


def _path(name: str) -> str:
    return BASE if name == _INDEX else BASE + name


@functools.cache
def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()[:_DIGITS]


@functools.cache
def _brotli(data: bytes) -> bytes:
    """As small as it gets: it is done once, and travels to every phone."""
    return brotli.compress(data, quality=11)


def _json(value: Any) -> bytes:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()


def _answer(name: str, data: bytes, is_small: bool = False) -> Response:
    answer = Response(data, mimetype=_TYPES[name.rpartition(".")[2]])
    answer.headers.update(_HEADERS)
    answer.headers["Cache-Control"] = "no-cache"
    answer.vary.add("Accept-Encoding")
    if request.accept_encodings["br"] and not is_small:
        answer.data = _brotli(data)
        answer.headers["Content-Encoding"] = "br"
    return answer
