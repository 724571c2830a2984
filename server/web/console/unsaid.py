"""Forms that say too little."""

from server.domain.errors import SeereError
from server.i18n import Catalogue
from server.refusals import refusal


class Unsaid(Exception):
    """A form says too little, or what can't be; its argument is the key of the sentence that tells so."""


def why(texts: Catalogue, refused: Unsaid | SeereError) -> str:
    """Why a form was not taken, in words: by its own key, or as any door says it of a refusal."""
    return texts.text(str(refused)) if isinstance(refused, Unsaid) else refusal(texts, refused)
