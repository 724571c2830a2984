"""Columns of the lines of a package: their names, hashtags and cells, in French with the codes of the field beside."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Final, Literal, get_args

from client_sync.protocol.vocabulary import VOCABULARY, label
from server.domain.casework import STATUSES, URGENCIES
from server.domain.places import LAW_2023, place_name
from server.domain.verification import State
from server.figure_words import Words
from server.services.commission.content import Content

# A column says what stands in a line as it is, its code as the body knows it, or the words for it.
Says = Literal["text", "code", "label"]

# What a column is of that says the number of the package.
_PACKAGE: Final = "package"
PLACES: Final = ("region", "cercle", "commune")
# Columns of codes, by the list of the vocabulary that these stand in.
_LISTS: Final[Mapping[str, str]] = {
    "kind": "kind",
    "author": "perpetrator_category",
    "sex": "sex",
    "age": "age_band",
    "verification": "finding",
    "consent": "consent_level",
}
# Where the hub has words for other codes, before they are looked for among those of packages.
_WORDS: Final[Mapping[str, str]] = {
    "status": "cases.status_",
    "urgency": "page.urgency_",
    "verification": "verification.state_",
}
# Of gender-based violence there is no line, so that none says its family.
_FAMILIES: Final = ("HR", "COR", "SRV")
# Every code that a column can have, but for places.
CODES: Final[Mapping[str, tuple[str, ...]]] = {
    "kind": (*_FAMILIES, *(kind for kind in VOCABULARY.kinds if not VOCABULARY.follows_gbv_rules(kind))),
    "author": VOCABULARY.lists["perpetrator_category"],
    "victims": ("1", "2-4", "5+"),
    "sex": (*VOCABULARY.lists["sex"], "several"),
    "age": (*VOCABULARY.lists["age_band"], "minor", "adult", "several"),
    "verification": get_args(State),
    "verified_late": ("1",),
    "status": STATUSES,
    "urgency": URGENCIES,
    "consent": ("C2", "C3", "C4"),
}


@dataclass(frozen=True)
class Column:
    """A column: `name` stands over it, `alias` is that in English, `of` is what of a line it says; `tag`: its hashtag
    of HXL; `width` in characters."""

    name: str
    alias: str
    of: str
    says: Says
    tag: str
    width: int


COLUMNS: Final = (
    Column("ref", "ref", "ref", "text", "#meta+id", 15),
    Column("numero_envoi", "package", _PACKAGE, "text", "#meta+package", 20),
    Column("reception", "received", "received", "text", "#date+received", 11),
    Column("faits", "happened", "happened", "text", "#date+occurred", 11),
    Column("region_code", "region_code", "region", "code", "#adm1+code+v_law2023", 13),
    Column("region", "region", "region", "label", "#adm1+name", 16),
    Column("cercle", "cercle", "cercle", "label", "#adm2+name", 16),
    Column("commune", "commune", "commune", "label", "#adm3+name", 16),
    Column("type_code", "kind_code", "kind", "code", "#event+type+code", 13),
    Column("type", "kind", "kind", "label", "#event+type+name+i_fr", 40),
    Column("auteur_code", "author_code", "author", "code", "#cause+author+code", 22),
    Column("auteur", "author", "author", "label", "#cause+author+name+i_fr", 28),
    Column("victimes", "victims", "victims", "label", "#affected+num", 11),
    Column("sexe_code", "sex_code", "sex", "code", "#affected+sex+code", 11),
    Column("sexe", "sex", "sex", "label", "#affected+sex+name+i_fr", 10),
    Column("age_code", "age_code", "age", "code", "#affected+age+code", 10),
    Column("age", "age", "age", "label", "#affected+age+name+i_fr", 15),
    Column("verification_code", "verification_code", "verification", "code", "#status+verification+code", 20),
    Column("verification", "verification", "verification", "label", "#status+verification+name+i_fr", 22),
    Column("verification_tardive", "verified_late", "verified_late", "label", "#status+verification+late", 20),
    Column("statut_code", "status_code", "status", "code", "#status+code", 18),
    Column("statut", "status", "status", "label", "#status+name+i_fr", 20),
    Column("urgence_code", "urgency_code", "urgency", "code", "#severity+code", 13),
    Column("urgence", "urgency", "urgency", "label", "#severity+name+i_fr", 11),
    Column("consentement_code", "consent_code", "consent", "code", "#meta+consent+code", 18),
    Column("consentement", "consent", "consent", "label", "#meta+consent+name+i_fr", 40),
    Column("resume", "summary", "summary", "text", "#description+summary", 60),
    Column("nom", "name", "name", "text", "#contact+name", 28),
    Column("telephone", "phone", "phone", "text", "#contact+phone", 18),
)
HEAD: Final = tuple(column.name for column in COLUMNS)
TAGS: Final = tuple(column.tag for column in COLUMNS)


def rows(content: Content, words: Words) -> Iterator[tuple[str, ...]]:
    """What each line says, by COLUMNS, in the order of the lines; an empty text for what it does not say."""
    sayings = [_saying(column, words) for column in COLUMNS]
    for line in content.lines:
        said = {**line.said, _PACKAGE: content.number.text}
        yield tuple(
            saying(text) if (text := said.get(column.of, "")) else ""
            for column, saying in zip(COLUMNS, sayings, strict=True)
        )


def code_of(of: str, code: str, words: Words) -> str:
    """A code as the body knows it: of a region that of the law of 2023, of anything else its own."""
    place = words.places.by_id.get(code) if of == "region" and words.places is not None else None
    return code if place is None else place.codes.get(LAW_2023, code)


def label_of(of: str, code: str, words: Words) -> str:
    """What a code is called; itself where nothing calls it anything else."""
    if of in PLACES:
        return place_name(words.places, code)
    if of in _LISTS and code in VOCABULARY.codes(_LISTS[of]):
        return label(_LISTS[of], code, words.language)
    for beginning in (*([_WORDS[of]] if of in _WORDS else []), f"papers.{of}_"):
        try:
            return words.text(beginning + code)
        except KeyError:
            continue
    return code


def header_of(of: str) -> str:
    """The column that says one thing of a line: that of its code, where there is one."""
    return next(column.name for column in COLUMNS if column.of == of)


def _saying(column: Column, words: Words) -> Callable[[str], str]:
    if column.says == "text":
        return str
    says = code_of if column.says == "code" else label_of
    # There are few codes and many lines; what it keeps are codes, and goes with the rows.
    return cache(lambda text: says(column.of, text, words))
