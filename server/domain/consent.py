"""Consent: what stands of all that was said of it, and which of two consents allows more."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from server.domain.contact import Spoken

Consent = Mapping[str, Any]

# What allows something more where it is true.
_FLAGS: Final = ("assent", "publish", "share_media", "share_family")
# Later than any day: it never expires.
_NEVER: Final = "9999-12-31"


@dataclass(frozen=True)
class Word:
    """What a lineage said of the consent, and the line in which it did."""

    lineage: str
    consent: Consent
    line: bytes


def words_in(own: str, spoken: Iterable[Spoken]) -> list[Word]:
    """What was said of the consent, of each lineage in the order of its own counter, whatever came first.

    `spoken`: the complaint, of the lineage `own`, and what is filed about it. Facts that repeat what a lineage's form
    showed already are no word: no device hears what another wrote, nor fills in a consent that was changed apart.
    """
    ordered = sorted(spoken, key=lambda each: each.place)
    read = [(each, json.loads(each.line)) for each in ordered]
    [(complaint, first)] = [(each, line) for each, line in read if line["op"] == "complaint"]
    shown = _in_facts(first["content"])
    words, forms = [Word(own, shown, complaint.line)], dict[str, Consent]()
    for each, line in read:
        content = line["content"]
        if line["op"] == "consent_change":
            words.append(Word(each.lineage, content["consent"], each.line))
        elif line["op"] == "revision" and "facts" in content:
            before = forms.get(each.lineage, shown)
            forms[each.lineage] = _in_facts(content)
            if forms[each.lineage] != before:
                words.append(Word(each.lineage, forms[each.lineage], each.line))
    return words


def last_of(lineage: str, words: Sequence[Word]) -> Word | None:
    """The last word of a lineage, if it said any."""
    return next((each for each in reversed(words) if each.lineage == lineage), None)


def standing(own: str, words: Sequence[Word]) -> Consent:
    """What stands: the last word of the lineage that recorded the complaint, less what any other took back."""
    stands = [each.consent for each in words if each.lineage == own][-1]
    for word in words:
        stands = stands if word.lineage == own else common(stands, word.consent)
    return stands


def is_within(one: Consent, other: Consent) -> bool:
    """Whether `one` allows nothing that `other` does not."""
    return (
        one["level"] <= other["level"]
        and all(other.get(flag) or not one.get(flag) for flag in _FLAGS)
        and set(one.get("bodies", ())) <= set(other.get("bodies", ()))
        and one.get("expires", _NEVER) <= other.get("expires", _NEVER)
        and ("withhold" in one or "withhold" not in other)
    )


def common(one: Consent, other: Consent) -> Consent:
    """What both allow; where that is all of one of them, that one as it was given."""
    if is_within(one, other):
        return one
    if is_within(other, one):
        return other
    low, high = sorted((one, other), key=lambda each: str(each["level"]))
    return {**low, **_narrowed(low, high)}


def _narrowed(low: Consent, high: Consent) -> dict[str, Any]:
    """Members of `low` that `high` allows less of."""
    found: dict[str, Any] = {flag: False for flag in _FLAGS if low.get(flag) and not high.get(flag)}
    if "bodies" in low:
        found["bodies"] = [body for body in low["bodies"] if body in high.get("bodies", ())]
    if "expires" in high:
        found["expires"] = min(high["expires"], low.get("expires", _NEVER))
    if "withhold" in high:
        found["withhold"] = low.get("withhold", high["withhold"])
    return found


def _in_facts(content: Mapping[str, Any]) -> Consent:
    consent: Consent = content["facts"]["clear"]["consent"]
    return consent
