"""Words for whoever opens a package: what it is, what each of its files holds, and how to read them."""

from collections.abc import Iterator
from typing import Final

from client_sync.protocol.vocabulary import VOCABULARY
from server.domain.anonymity import LEAST
from server.figure_words import Words
from server.services.commission.content import Content
from server.services.commission.papers import bordereau, enclosures

_FILES: Final = (
    "bordereau.html",
    "plaintes.xlsx",
    "plaintes.csv",
    "plaintes.json",
    "statistiques.csv",
    "codes.csv",
    "retraits.csv",
    "corrections.csv",
    "verifier.html",
)
_PIECES: Final = "pieces.csv"


def rows(content: Content, words: Words) -> Iterator[tuple[str, str]]:
    """What is said, line by line: of what, and what."""
    text = words.text
    yield text("papers.title"), content.number.text
    yield text("papers.from"), bordereau.sender(content, words)
    yield text("papers.to"), bordereau.addressee(content.destination, words)
    yield text("papers.quarter"), bordereau.quarter(content, words)
    yield text("papers.as_of"), bordereau.day(content, words)
    number, manifest = content.previous or (text("papers.previous_none"), "")
    yield text("papers.previous"), f"{number} {manifest}".rstrip()
    yield "", text("papers.confided")
    for name in ("alike", "hidden", "refs", "voids", "corrections", "csv"):
        yield text(f"papers.readme_{name}"), text(f"papers.readme_{name}_is", least=LEAST, mark=text("papers.hidden"))
    if content.copies:
        yield text("papers.readme_pieces"), enclosures.told(content, words)
    for file in (*_FILES, _PIECES) if content.copies else _FILES:
        yield file, text("papers.file_" + file.replace(".", "_"))
    made = {"version": content.version, "vocabulary": VOCABULARY.version, "key_id": content.key_id}
    yield "", text("papers.made_by", **made)
