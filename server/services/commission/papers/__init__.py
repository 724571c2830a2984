"""Papers: the files of a package, the same bytes for the same content, wherever and whenever they are made."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from datetime import UTC
from functools import cache, partial
from itertools import chain
from typing import Final

from client_sync.protocol.canonical import canonical
from client_sync.protocol.vocabulary import VOCABULARY
from server import figure_words
from server.domain import release
from server.figure_words import Words
from server.services.commission.content import Content, Copied
from server.services.commission.papers import (
    bordereau,
    checking,
    codes,
    columns,
    enclosures,
    figures,
    notices,
    printing,
    sheets,
)
from server.services.commission.papers.csv_files import csv_chunks

# What bodies of this country read.
_LANGUAGE: Final = "fr"
_MOMENT: Final = "%Y-%m-%dT%H:%M:%SZ"
_LINES_PER_CHUNK: Final = 500
_CHUNK_BYTES: Final = 2**16


def payload(content: Content, copies: Iterable[tuple[Copied, bytes]] = ()) -> Iterator[tuple[str, Iterator[bytes]]]:
    """The files of a package, in an order that never changes: each by its name, with its bytes made as they are read.

    `copies` of pieces come first: papers say of how many there are copies, which nobody knows before they are made.
    `bordereau.pdf` is among them where the extra `pdf` is installed.
    """
    made = []
    for each, data in copies:
        made.append(each)
        yield each.file, _in_parts(data)
        # Before the next one is made.
        del data
    content = replace(content, copies=made)
    words = Words(_LANGUAGE, content.places)
    page = cache(partial(bordereau.html, content, words))
    yield "bordereau.html", _as_bytes(page)
    pdf = printing.pdf(page, content.as_of)
    if pdf is not None:
        yield "bordereau.pdf", pdf
    yield "plaintes.csv", csv_chunks(chain((columns.HEAD, columns.TAGS), columns.rows(content, words)))
    yield "plaintes.json", _as_json(content)
    yield "plaintes.xlsx", sheets.chunks(content, words)
    yield "statistiques.csv", csv_chunks(_figures(content, words))
    yield "codes.csv", csv_chunks(chain((codes.HEAD,), codes.rows(content, words)))
    yield "retraits.csv", csv_chunks(chain((notices.VOIDS_HEAD,), notices.voids(content, words)))
    yield "corrections.csv", csv_chunks(chain((notices.CORRECTIONS_HEAD,), notices.corrections(content, words)))
    if content.copies:
        yield "pieces.csv", csv_chunks(chain((enclosures.HEAD,), enclosures.rows(content, words)))
    yield "verifier.html", _as_bytes(partial(checking.html, content, words))


def _in_parts(data: bytes) -> Iterator[bytes]:
    """Bytes that nobody keeps once they were read."""
    for start in range(0, len(data), _CHUNK_BYTES):
        yield data[start : start + _CHUNK_BYTES]


def _as_bytes(page: Callable[[], str]) -> Iterator[bytes]:
    yield page().encode()


def _as_json(content: Content) -> Iterator[bytes]:
    """The same lines for programs, codes as they are, as one value in canonical form."""
    last = canonical({"package": content.number.text, "vocabulary": VOCABULARY.version})
    first = canonical({"as_of": content.as_of.astimezone(UTC).strftime(_MOMENT), "columns": release.COLUMNS})
    yield first[:-1] + b',"lines":['
    for start in range(0, len(content.lines), _LINES_PER_CHUNK):
        said = [canonical(dict(line.said)) for line in content.lines[start : start + _LINES_PER_CHUNK]]
        yield (b"," if start else b"") + b",".join(said)
    yield b"]," + last[1:]


def _figures(content: Content, words: Words) -> Iterator[list[str | int | float]]:
    """The tables one under the other, an empty row between them."""
    for no, shown in enumerate(figures.tables(content, words)):
        yield from [[]] if no else []
        yield from figure_words.rows(shown)
