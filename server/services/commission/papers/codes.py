"""Codes: what each column of a package means, and each code that can stand in one, in French and in English."""

from collections.abc import Iterator
from typing import Final

from client_sync.protocol.vocabulary import VOCABULARY, label
from server.domain.places import LAW_2023
from server.figure_words import Words
from server.services.commission.content import Content
from server.services.commission.papers import enclosures, notices
from server.services.commission.papers.columns import (
    CODES,
    COLUMNS,
    PLACES,
    Column,
    header_of,
    label_of,
)
from server.services.commission.papers.reasons import VOIDED

HEAD: Final = ("fichier", "colonne", "code", "francais", "anglais", "version")
_LINES: Final = "plaintes"
_VOIDS: Final = "retraits"
_CORRECTIONS: Final = "corrections"
_PIECES: Final = "pieces"


def rows(content: Content, words: Words) -> Iterator[tuple[str, ...]]:
    """What each column means, then each code, by HEAD.

    The code of a column is its name in English. Of places those stand there that lines speak of, by their ids as the
    JSON file has them, and all regions by their code.
    """
    english = Words("en", words.places)
    for column in COLUMNS:
        yield _LINES, column.name, column.alias, _meaning(column, words), _meaning(column, english), ""
    tables = [(_VOIDS, notices.VOIDS_HEAD), (_CORRECTIONS, notices.CORRECTIONS_HEAD)]
    for file, head in [*tables, (_PIECES, enclosures.HEAD)] if content.copies else tables:
        for name in head:
            yield file, name, "", words.text(f"papers.column_{name}"), english.text(f"papers.column_{name}"), ""
    for of, codes in CODES.items():
        for code in codes:
            said = label_of(of, code, words), label_of(of, code, english)
            yield _LINES, header_of(of), code, *said, VOCABULARY.version
    yield from _places(content, words)
    for why in VOIDED:
        said = words.text(f"papers.void_{why}"), english.text(f"papers.void_{why}")
        yield _VOIDS, "motif_code", why, *said, VOCABULARY.version

    if content.copies:
        yield from _pieces(words, english)


def _pieces(words: Words, english: Words) -> Iterator[tuple[str, ...]]:
    for column, of in enclosures.LISTS.items():
        for code in VOCABULARY.lists[of]:
            said = label(of, code, words.language), label(of, code, english.language)
            yield _PIECES, column, code, *said, VOCABULARY.version


def _meaning(column: Column, words: Words) -> str:
    code = header_of(column.of)
    if column.says == "label" and code != column.name:
        return words.text("papers.column_in_words", column=code)
    return words.text(f"papers.column_{column.name}")


def _places(content: Content, words: Words) -> Iterator[tuple[str, ...]]:
    if words.places is None:
        return
    for region in words.places.regions:
        if LAW_2023 in region.codes:
            yield _LINES, header_of("region"), region.codes[LAW_2023], region.name, region.name, LAW_2023
    for of in PLACES:
        for id in sorted({line.said[of] for line in content.lines if of in line.said}):
            name = label_of(of, id, words)
            yield _LINES, header_of(of), id, name, name, words.places.version
