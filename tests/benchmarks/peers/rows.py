"""Rows for the peers: what a complaint says, in clear, in columns such as whoever uses them would make.

They see all that our hub is told under seal, and the narrative whole beside it. Words are folded as ours are, so that
neither accents nor capitals decide; names are sorted by their words, as half of the people write the family name first.
How a name sounds, aliases and words of another language are what our matcher brings: they are left out.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from server.domain.folding import fold

Row = dict[str, Any]

_WORD_LEAST_CHARS: Final = 4
_MONTH_CHARS: Final = 7
_PHONE_DIGITS: Final = 8
_ROLES: Final = ("victim", "complainant", "alleged_perpetrator")
_ANY_PLACE: Final = frozenset("commune village quartier cercle region localite dans pres".split())
# A word in capitals that no sentence begins with.
_NAMED: Final = re.compile(r"(?<![.!?:;«»\"“”\n])\s([A-ZÀ-ÝƐƆƝŊ][^\W\d_]{2,})")


def complaint_row(id: str, content: Mapping[str, Any]) -> Row:
    """The row of a complaint whose compartments are clear; what it does not say is empty."""
    facts, statement, traces = (content[name]["clear"] for name in ("facts", "statement", "traces"))
    narrative = statement["narrative"]
    roles = {each["no"]: each["roles"] for each in facts["persons"]}
    known = content["identity"]["clear"].get("persons", [])
    victims, complainants, accused = (_names(known, roles, role) for role in _ROLES)
    subject: Mapping[str, Any] = next((each for each in facts["persons"] if "victim" in each["roles"]), {})
    place = fold(traces.get("said", ""))
    day = facts["incident"].get("from") or ""
    return {
        "id": id,
        "victim": next(iter(victims), ""),
        "victim_words": _words(victims),
        "complainant": next(iter(complainants), ""),
        "complainant_words": _words(complainants),
        "accused": next(iter(accused), ""),
        "accused_words": _words(accused),
        "name_words": _words([*victims, *complainants, *accused, *map(fold, _NAMED.findall(narrative))]),
        "phones": sorted({_number(each["phone"]) for each in known if "phone" in each}),
        "place": place,
        "place_words": [word for word in _long(_words([place])) if word not in _ANY_PLACE],
        "commune": traces.get("place", {}).get("id", ""),
        "cercle": facts["place"]["id"],
        "day": day,
        "month": day[:_MONTH_CHARS],
        "kind": facts["kinds"][0],
        "kinds": facts["kinds"],
        "bodies": sorted({each["category"] for each in facts["persons"] if "category" in each}),
        "amount": facts.get("money", {}).get("asked_xof", 0),
        "sex": subject.get("sex", ""),
        "age": subject.get("age", ""),
        "text": fold(narrative),
        "text_words": _long(_words([fold(narrative)])),
    }


def _names(known: Iterable[Mapping[str, Any]], roles: Mapping[int, Sequence[str]], role: str) -> list[str]:
    named = (fold(each["name"]) for each in known if "name" in each and role in roles.get(each["no"], ()))
    return [" ".join(sorted(name.split())) for name in named]


def _number(phone: str) -> str:
    return "".join(filter(str.isdigit, phone))[-_PHONE_DIGITS:]


def _words(texts: Iterable[str]) -> list[str]:
    return sorted({word for text in texts for word in text.split()})


def _long(words: Iterable[str]) -> list[str]:
    return [word for word in words if len(word) >= _WORD_LEAST_CHARS]
