"""The form on paper: A4 pages to print, each with a receipt code to tear off, for entry on a device later."""

from collections.abc import Iterable, Sequence
from html import escape
from importlib import resources
from string import Template
from typing import Final

from client_sync.i18n import Catalogue
from client_sync.protocol.vocabulary import VOCABULARY, label

FAMILIES: Final = tuple(dict.fromkeys(kind.family for kind in VOCABULARY.kinds.values()))
# As many as leave room for the slip on A4; the story goes on overleaf.
_STORY_LINES: Final = 5


def render(codes: Sequence[str], texts: Catalogue) -> str:
    """An HTML page to print, one sheet a receipt code, that needs nothing from elsewhere."""
    template = Template((resources.files("client_sync") / "paper.html").read_text("utf-8"))
    sheets = "\n".join(_sheet(code, texts) for code in codes)
    return template.substitute(language=texts.language, title=escape(texts.text("paper.title")), sheets=sheets)


def _sheet(code: str, texts: Catalogue) -> str:
    parts = (_head(code, texts), *_questions(texts), _slip(code, texts))
    return '<section class="sheet">\n' + "\n".join(parts) + "\n</section>"


def _head(code: str, texts: Catalogue) -> str:
    return f'<header><h1>{_text(texts, "paper.title")}</h1><span class="code">{escape(code)}</span></header>'


def _slip(code: str, texts: Catalogue) -> str:
    """What the person takes home: it says nothing of what it is for."""
    return f'<div class="slip"><p>{_text(texts, "paper.slip")}</p><span class="code">{escape(code)}</span></div>'


def _questions(texts: Catalogue) -> Iterable[str]:
    yield _question(texts, "question.danger", _boxes(_labels(texts, "danger")))
    yield _question(texts, "question.story", _hint(texts, "paper.story_hint") + _lines(_STORY_LINES))
    families = [texts.text(f"family.{family}") for family in FAMILIES]
    yield _question(texts, "question.family", _boxes(families) + _blanks(texts, "paper.precisely"))
    yield _question(texts, "question.place", _blanks(texts, "paper.cercle", "paper.said"))
    precisions = _boxes(_labels(texts, "date_precision"))
    yield _question(texts, "question.when", _blanks(texts, "paper.day") + precisions)
    yield _question(texts, "question.who", _boxes(_labels(texts, "perpetrator_category")))
    yield _question(texts, "question.money", _blanks(texts, "paper.asked", "paper.paid", "paper.receipt_given"))
    yield _question(texts, "question.victims", _blanks(texts, "paper.how_many", "paper.sex", "paper.age"))
    yield _question(texts, "question.consent", _consent(texts))
    yield _question(texts, "question.identity", _blanks(texts, "paper.name", "paper.contact"))


def _consent(texts: Catalogue) -> str:
    sentences = [texts.text(f"consent.{level}") for level in VOCABULARY.lists["consent_level"]]
    return _boxes(sentences, "wide") + _blanks(texts, "paper.given_by", "paper.bodies")


def _question(texts: Catalogue, key: str, body: str) -> str:
    return f"<h2>{_text(texts, key)}</h2>{body}"


def _labels(texts: Catalogue, list_name: str) -> list[str]:
    return [label(list_name, code, texts.language) for code in VOCABULARY.lists[list_name]]


def _boxes(choices: Iterable[str], kind: str = "few") -> str:
    return f'<ul class="{kind}">' + "".join(f"<li>{escape(choice)}</li>" for choice in choices) + "</ul>"


def _blanks(texts: Catalogue, *keys: str) -> str:
    return '<div class="pair">' + "".join(f"<p>{_text(texts, key)}</p>" for key in keys) + "</div>"


def _lines(count: int) -> str:
    return '<div class="line"></div>' * count


def _hint(texts: Catalogue, key: str) -> str:
    return f'<p class="hint">{_text(texts, key)}</p>'


def _text(texts: Catalogue, key: str) -> str:
    return escape(texts.text(key))
