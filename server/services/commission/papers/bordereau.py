"""The bordereau: what a package holds and what it withheld, on paper, with a slip to tear off and send back."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC
from itertools import pairwise
from typing import Final

from client_sync.protocol.vocabulary import VOCABULARY, label
from server.domain.places import place_name
from server.domain.referral import Destination
from server.domain.statistics import Period
from server.figure_words import Words
from server.services.commission import minisign
from server.services.commission.bags import MANIFEST, PUBLIC_KEY
from server.services.commission.content import Content
from server.services.commission.papers import enclosures, figures
from server.services.commission.papers.columns import CODES, code_of, label_of
from server.services.commission.papers.figures import Counts
from server.services.commission.papers.pages import render
from server.services.commission.papers.reasons import withheld
from server.services.commission.tables import may_be_accused

_TEMPLATE: Final = "bordereau.html"
# So many references stand on the paper one by one; of more, the first and the last of about so many at a time.
_MOST_LISTED: Final = 200
_GROUP: Final = 100
# Lines to fill in by hand on the slip.
_BLANKS: Final = range(8)
_DIGITS: Final = range(16)


@dataclass(frozen=True)
class Group:
    """References one after the other: the first, the last, and how many they are."""

    first: str
    last: str
    number: int


@dataclass(frozen=True)
class References:
    """References of a package: `listed` one by one, or else in `groups`; neither where they are so few that their
    number is hidden."""

    number: int | None
    listed: Sequence[str] = ()
    groups: Sequence[Group] = ()


def html(content: Content, words: Words) -> str:
    """The page."""
    corrected = sorted({each.told.item.ref for each in content.corrections})
    return render(
        _TEMPLATE,
        words,
        number=content.number.text,
        sender=sender(content, words),
        addressee=addressee(content.destination, words),
        quarter=quarter(content, words),
        as_of=day(content, words),
        previous=content.previous,
        key_id=content.key_id,
        key_file=PUBLIC_KEY,
        key=minisign.key_in(content.public_key),
        key_print=minisign.fingerprint(content.public_key),
        version=content.version,
        vocabulary=VOCABULARY.version,
        tables=_tables(content, words),
        violence=figures.violence(content, words),
        withheld=_withheld(content, words),
        lines=references([each.ref for each in content.lines]),
        voids=references([each.told.item.ref for each in content.voids]),
        corrections=references(corrected),
        pieces=enclosures.told(content, words),
        blanks=_BLANKS,
        digits=_DIGITS,
        manifest=MANIFEST,
        mark=words.text("papers.hidden"),
    )


def sender(content: Content, words: Words) -> str:
    """Who sends a package."""
    return content.coalition or words.text("papers.network")


def addressee(to: Destination, words: Words) -> str:
    """To whom it goes: the body, and what it covers where that is not the whole country."""
    body = (
        label("body", to.body, words.language) if to.body in VOCABULARY.codes("body") else words.text(f"body.{to.body}")
    )
    return words.text("referrals.at_place", body=body, place=place_name(words.places, to.place)) if to.place else body


def quarter(content: Content, words: Words) -> str:
    """The quarter of a package."""
    found = Period.read(content.number.quarter, content.number.quarter).quarter
    assert found is not None
    return words.text(f"papers.quarter_{found.number}", year=found.year)


def day(content: Content, words: Words) -> str:
    """As of when it is."""
    return content.as_of.astimezone(UTC).strftime(words.text("usage.day"))


def references(refs: Sequence[str]) -> References:
    """References as they stand on paper: of a few nothing, that their number stays hidden."""
    number = figures.alone(len(refs))
    if number is None or len(refs) <= _MOST_LISTED:
        return References(number, () if number is None else refs)
    return References(number, groups=[Group(part[0], part[-1], len(part)) for part in _parts(refs)])


def _parts(refs: Sequence[str]) -> Iterator[Sequence[str]]:
    """In parts that are nearly alike, so that the last is no small one."""
    parts = -(-len(refs) // _GROUP)
    ends = [len(refs) * part // parts for part in range(parts + 1)]
    return (refs[start:end] for start, end in pairwise(ends))


def _tables(content: Content, words: Words) -> dict[str, Counts]:
    """How many lines by consent, by kind and by region, each in an order that tells nothing of their numbers."""
    found = {}
    for of in ("consent", "kind", "region"):
        counts = Counter(line.said.get(of, "") for line in content.lines)
        codes = sorted(counts, key=lambda code: (not code, _place_in_list(of, code), code_of(of, code, words)))
        found[of] = figures.counted((_name(of, code, words), counts[code]) for code in codes)
    return found


def _place_in_list(of: str, code: str) -> int:
    known = CODES.get(of, ())
    return known.index(code) if code in known else len(known)


def _name(of: str, code: str, words: Words) -> str:
    if not code:
        return words.text("papers.unknown")
    name = label_of(of, code, words)
    return words.text("papers.coded", code=code, words=name) if of == "consent" else name


def _withheld(content: Content, words: Words) -> Counts | None:
    """How many have no line, and why; None where an earlier package of the quarter said it."""
    if content.against is None:
        return None
    told = withheld(content.against)
    if may_be_accused(content.destination.body):
        # By reasons it could work out how many accuse its own people; that there are none would tell of the first one.
        return Counts((), figures.alone(sum(told.values()) or 1))
    return figures.counted((words.text(f"papers.withheld_{why}"), number) for why, number in told.items())
