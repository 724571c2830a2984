"""What travels to a phone: the app in two packs, one that opens, records and seals, and what comes behind it."""

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

import rjsmin

from server.web.field import documents

BASE: Final = "/carnet/"
INDEX: Final = "index.html"
WORKER: Final = "sw.js"
TYPES: Final[Mapping[str, str]] = {
    "css": "text/css",
    "html": "text/html",
    "js": "text/javascript",
    "json": "application/json",
    "svg": "image/svg+xml",
    "webmanifest": "application/manifest+json",
}
HEADERS: Final = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
    "img-src 'self' blob:; media-src blob:; worker-src 'self'; manifest-src 'self'; form-action 'none'; "
    "frame-ancestors 'none'; base-uri 'none'",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "microphone=(self), camera=(self), geolocation=()",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}
_APP: Final = resources.files("server.web.field") / "app"
# The page itself, and the app that it starts.
_FIRST_SCRIPTS: Final = ("boot.js", "app.js")
_FIRST_WORDS: Final = f"words.{documents.LANGUAGES[0]}.json"
_IMPORTED: Final = re.compile(r'(?:from|import) "(\.[^"]+)"')
_PLACEHOLDER: Final = re.compile(r"\{\{(text|digest) ([a-z_.]+)\}\}")
# The page has these before the pack comes; under their digests the browser does not fetch them again.
_WITH_PAGE: Final = frozenset({"boot.js", "carnet.css"})
# What else is there is for whoever works on the app.
_LEFT_OUT: Final = frozenset({WORKER, "package.json", "vendored.toml"})
_DIGITS: Final = 12


def found(name: str) -> bytes | None:
    """A file by its path below `/carnet/`, as it travels: of the app, a document beside it, a pack, the worker."""
    if name == WORKER:
        return worker()
    packed, _, kind = name.rpartition(".")
    return pack(packed) if kind == "json" and packed in PACKS else kept().get(name)


@functools.cache
def shell() -> Mapping[str, bytes]:
    """What opens, records and seals: the page, what its scripts import at once, and the words of its first language."""
    names = {name for name in kept() if name in _at_once() or _is_dress(name)} | {_FIRST_WORDS}
    return {name: data for name, data in kept().items() if name in names}


@functools.cache
def later() -> Mapping[str, bytes]:
    """What comes behind it while the app is at work already: sending, visits, lists, other languages."""
    return {name: data for name, data in kept().items() if name not in shell()}


@functools.cache
def kept() -> Mapping[str, bytes]:
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
    return files | {name: as_json(value) for name, value in (texts | labels | steps | lists).items()}


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
    if name == INDEX:
        text = _PLACEHOLDER.sub(lambda found: _filled(*found.groups()), text)
    return (rjsmin.jsmin(text) if name.endswith(".js") and not name.startswith("vendor/") else text).encode()


def _filled(what: str, name: str) -> str:
    if what == "digest":
        return digest(_lean(name, (_APP / name).read_text("utf-8")))
    text: str = documents.words(documents.LANGUAGES[0])["texts"][name]
    return escape(text)


def _files(folder: Traversable, prefix: str = "") -> list[tuple[str, Traversable]]:
    """The files below a folder, by their paths."""
    found: list[tuple[str, Traversable]] = []
    for each in sorted(folder.iterdir(), key=lambda each: each.name):
        found += _files(each, f"{prefix}{each.name}/") if each.is_dir() else [(prefix + each.name, each)]
    return found


@functools.cache
def pack(name: str) -> bytes:
    """All texts of one part of the app in one document: forty requests would each wait for a slow link."""
    return as_json({_path(each): data.decode() for each, data in PACKS[name]().items() if each not in _WITH_PAGE})


@functools.cache
def worker() -> bytes:
    """The service worker, which knows what a phone keeps, and by which digest it finds what changed."""
    given = {
        "SHELL": {_path(name): digest(data) for name, data in shell().items()},
        "LATER": {_path(name): digest(data) for name, data in later().items()},
        "PACKS": {
            name: {"url": f"{BASE}{name}.json?v={digest(pack(name))}", "bytes": len(pack(name))} for name in PACKS
        },
        "HEADERS": HEADERS,
        "TYPES": TYPES,
    }
    lines = b"".join(b"const %s = %s;\n" % (name.encode(), as_json(value)) for name, value in given.items())
    return lines + _lean(WORKER, (_APP / WORKER).read_text("utf-8"))


PACKS: Final[Mapping[str, Callable[[], Mapping[str, bytes]]]] = {"shell": shell, "later": later}


def _path(name: str) -> str:
    return BASE if name == INDEX else BASE + name


@functools.cache
def digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()[:_DIGITS]


def as_json(value: Any) -> bytes:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()
