"""Notices: lines of earlier packages that stand no more, and columns of such lines that say something else by now."""

from collections.abc import Iterator
from typing import Final

from server.figure_words import Words
from server.services.commission.content import Content
from server.services.commission.papers import reasons
from server.services.commission.papers.columns import code_of, header_of, label_of

VOIDS_HEAD: Final = ("ref", "motif_code", "motif", "numero_envoi_concerne", "numero_envoi")
CORRECTIONS_HEAD: Final = (
    "ref",
    "colonne",
    "ancienne_empreinte",
    "nouvelle_valeur_code",
    "nouvelle_valeur",
    "numero_envoi_concerne",
    "numero_envoi",
)


def voids(content: Content, words: Words) -> Iterator[tuple[str, ...]]:
    """The lines that stand no more, by VOIDS_HEAD."""
    for void in content.voids:
        why = reasons.of_void(void)
        yield void.told.item.ref, why, words.text(f"papers.void_{why}"), void.told.number, content.number.text


def corrections(content: Content, words: Words) -> Iterator[tuple[str, ...]]:
    """The columns that say something else, by CORRECTIONS_HEAD, those of a line in the order of their names."""
    for each in content.corrections:
        for of, text in sorted(each.now.items()):
            code, label = (code_of(of, text, words), label_of(of, text, words)) if text else ("", "")
            was, told = each.was.get(of, ""), each.told
            yield told.item.ref, header_of(of), was, code, label, told.number, content.number.text
