"""Reasons in words: long enough to say something, and no longer than a reason is."""

import pytest

from server.domain.errors import ReasonMissing
from server.domain.reason import checked_reason


@pytest.mark.parametrize("words", ["dix lettre", "  rappeler la personne ", "x" * 500, "à ce soir\n\nau poste"])
def test_reason_is_kept_as_it_was_written(words: str) -> None:
    assert checked_reason(words) == words.strip()


@pytest.mark.parametrize("words", ["", "neuf lett", " " * 20, "x         x", "un\n\n\n\n\n\n\nmot", "x" * 501])
def test_too_few_letters_or_too_many_are_refused(words: str) -> None:
    with pytest.raises(ReasonMissing) as refused:
        checked_reason(words)
    assert refused.value.values == {"least": 10, "most": 500}
