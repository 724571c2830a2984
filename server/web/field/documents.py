"""What Carnet is given beside its code: texts, lists of codes and places, as JSON documents."""

import functools
import tomllib
from collections.abc import Iterable, Mapping
from importlib import resources
from typing import Any, Final

from client_sync.protocol.vocabulary import VOCABULARY, label
from client_sync.protocol.words import WORDS
from server.domain.folding import fold
from server.domain.places import Gazetteer, Place

LANGUAGES: Final = ("fr", "en")
# The lists of which the app shows labels; the rest of the vocabulary is for the console.
_SHOWN: Final = (
    "body",
    "certainty",
    "consent_form",
    "consent_given_by",
    "contact_ok",
    "contact_way",
    "danger",
    "finding",
    "kind",
    "paid",
    "perpetrator_category",
    "sex",
    "age_band",
    "task_kind",
    "task_outcome",
    "verification_method",
    "withhold_reason",
)
_PIVOT: Final = ("client_sync.protocol", "pivot.toml")
_CARDS: Final = ("client_sync", "cards.toml")
_PICTURES: Final = ("client_sync", "pictures.toml")
_PLACES: Final = ("client_sync", "places.toml")


@functools.cache
def words(language: str) -> Mapping[str, Any]:
    """What the app says in a language: `texts` by key, and the names of its `pictures`.

    Raises LookupError for a language that it does not speak.
    """
    if language not in LANGUAGES:
        raise LookupError(language)
    return {
        "texts": _flat(_toml("server.web.field", f"translations/{language}.toml")),
        "pictures": _toml(*_PICTURES)["pictures"],
    }


@functools.cache
def labels(language: str) -> Mapping[str, Mapping[str, str]]:
    """What the codes of each list are called in a language."""
    return {name: _labels(name, language) for name in _SHOWN}


@functools.cache
def steps(language: str) -> Mapping[str, Any]:
    """The words by which it says what became of a complaint (PROTOCOL §3.8)."""
    return _toml("client_sync.protocol", f"steps.{language}.toml")


@functools.cache
def cards() -> Mapping[str, Any]:
    """The cards for whoever is in danger, as every device of the field shows them."""
    kept = _toml(*_CARDS)
    return {name: kept[name] for name in ("reason", "place", "everywhere")}


@functools.cache
def vocabulary() -> Mapping[str, Any]:
    """The codes of each list, and of each kind its family and whether it follows the rules of gbv."""
    kinds = {
        code: {"family": VOCABULARY.family(code)} | ({"gbv_rules": True} if VOCABULARY.follows_gbv_rules(code) else {})
        for code in VOCABULARY.kinds
    }
    lists = {name: list(VOCABULARY.lists[name]) for name in _SHOWN if name != "kind"}
    return {"version": VOCABULARY.version, "kind": kinds, "lists": lists}


@functools.cache
def pivot() -> Mapping[str, Any]:
    """The lists by which the linkage is cut (PROTOCOL §4.3)."""
    return _toml(*_PIVOT)


def wordlist() -> list[str]:
    """The words of fingerprints and offered passphrases, by the byte that each stands for."""
    return list(WORDS)


@functools.cache
def areas() -> Mapping[str, Any]:
    """Regions and cercles by id, as every device of the field names them, under the version of their list."""
    listed = _toml(*_PLACES)
    regions = {id: {"name": each["name"]} for id, each in listed["region"].items()}
    cercles = {id: {"name": each["name"], "in": each["in"]} for id, each in listed["cercle"].items()}
    return {"list": listed["list"], "regions": regions, "cercles": cercles}


def localities(gazetteer: Gazetteer | None, cercle: str) -> Mapping[str, Any]:
    """The places of a cercle by name: id, name, and what lies around those that share one. Raises LookupError."""
    if gazetteer is None or cercle not in gazetteer.by_id or gazetteer.by_id[cercle].level != "cercle":
        raise LookupError(cercle)
    inside = _by_name(gazetteer.by_id[id] for id in gazetteer.within([cercle]) if id != cercle)
    return {"list": gazetteer.version, "places": [_entry(gazetteer, each) for each in inside]}


def _entry(gazetteer: Gazetteer, place: Place) -> list[str]:
    around = gazetteer.by_id.get(place.parent_id or "")
    return [place.id, place.name, *([around.name] if around is not None and around.level == "commune" else [])]


def _by_name(places: Iterable[Place]) -> list[Place]:
    return sorted(places, key=lambda each: fold(each.name))


def _labels(name: str, language: str) -> dict[str, str]:
    codes = VOCABULARY.kinds if name == "kind" else VOCABULARY.lists[name]
    return {code: label(name, code, language) for code in codes}


def _toml(package: str, name: str) -> dict[str, Any]:
    return tomllib.loads((resources.files(package) / name).read_text("utf-8"))


def _flat(table: Mapping[str, Any], prefix: str = "") -> dict[str, str]:
    flat: dict[str, str] = {}
    for name, value in table.items():
        flat |= _flat(value, f"{prefix}{name}.") if isinstance(value, dict) else {prefix + name: value}
    return flat
