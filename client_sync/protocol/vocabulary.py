"""The coded lists that hub and devices share, and the words for each code."""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from importlib import resources
from typing import Any, Final

LANGUAGES: Final = ("fr", "en", "bm")
# The confidentiality of a complaint that named readers alone may see.
STRICT: Final = "strict"
_SOURCE_LANGUAGE: Final = "fr"


@dataclass(frozen=True)
class Kind:
    """What a kind of complaint belongs to, and where other people's code lists name it.

    `family`: corruption, rights, gbv, service or other. `uncac`: articles of the UN Convention against
    Corruption. `huridocs`: codes of HURIDOCS types of acts; `huridocs_near`: the nearest ones, where
    none says the same. `gbv_rules`: handled with the care of gbv although the family is another.
    """

    family: str
    uncac: tuple[str, ...]
    huridocs: tuple[str, ...]
    huridocs_near: tuple[str, ...]
    gbv_rules: bool


@dataclass(frozen=True)
class Vocabulary:
    """One version of every list: `kinds` with what is known of each, `lists` of codes in the order shown."""

    version: str
    kinds: Mapping[str, Kind]
    lists: Mapping[str, tuple[str, ...]]

    def codes(self, list_name: str) -> frozenset[str]:
        """The codes of a list. Raises KeyError when there is no such list."""
        return self._code_sets[list_name]

    def family(self, kind: str) -> str:
        """corruption, rights, gbv, service or other. Raises KeyError when `kind` is not a code."""
        return self.kinds[kind].family

    def follows_gbv_rules(self, kind: str) -> bool:
        """True when a complaint of this kind needs the care of gbv: of that family, or sexual extortion.

        Raises KeyError when `kind` is not a code.
        """
        return self.kinds[kind].gbv_rules or self.family(kind) == "gbv"

    def is_strict(self, facts: Mapping[str, Any]) -> bool:
        """True when named readers alone may see a complaint: its facts say so, or one of its kinds needs that care.

        Of facts that no form allows, what can be read counts.
        """
        kinds = facts.get("kinds")
        said = (kind for kind in kinds if isinstance(kind, str)) if isinstance(kinds, list) else ()
        return facts.get("confidentiality") == STRICT or not self._strict_kinds.isdisjoint(said)

    @cached_property
    def _strict_kinds(self) -> frozenset[str]:
        return frozenset(filter(self.follows_gbv_rules, self.kinds))

    @cached_property
    def _code_sets(self) -> Mapping[str, frozenset[str]]:
        return {name: frozenset(codes) for name, codes in self.lists.items()}


def label(list_name: str, code: str, lang: str) -> str:
    """The words for a code in `lang`: in French where there are none yet, the code itself failing that."""
    for language in (lang, _SOURCE_LANGUAGE):
        words = _LABELS.get(language, {}).get(list_name, {}).get(code)
        if words is not None:
            return words
    return code


def _load(file_name: str) -> dict[str, Any]:
    return tomllib.loads((resources.files("client_sync.protocol") / file_name).read_text("utf-8"))


def _kind(entry: Mapping[str, Any]) -> Kind:
    return Kind(
        family=entry["family"],
        uncac=tuple(entry.get("uncac", ())),
        huridocs=tuple(entry.get("huridocs", ())),
        huridocs_near=tuple(entry.get("huridocs_near", ())),
        gbv_rules=entry.get("gbv_rules", False),
    )


def _load_vocabulary() -> Vocabulary:
    data = _load("vocabulary.toml")
    kinds = {code: _kind(entry) for code, entry in data["kind"].items()}
    lists = {name: tuple(codes) for name, codes in data["lists"].items()}
    return Vocabulary(data["version"], kinds, lists | {"kind": tuple(kinds)})


VOCABULARY: Final = _load_vocabulary()
_LABELS: Final[Mapping[str, Mapping[str, Mapping[str, str]]]] = {
    language: _load(f"labels.{language}.toml") for language in LANGUAGES
}
