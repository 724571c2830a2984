"""Packages at the terminal, in words: what one says and withholds, what is in the way, what was answered."""

from collections.abc import Mapping, Sequence

import click

from server.commands import referral_words
from server.commands.operator import Operator
from server.commands.plain import plain
from server.domain.packages import Item
from server.domain.places import Gazetteer
from server.domain.referral import Destination
from server.services.commission import serials
from server.services.commission.phrases import why, why_void, withheld
from server.services.commission.preparing import Package, Prepared, Series
from server.services.commission.summarising import Written
from server.services.commission.transmitting import package_file


def say_series(operator: Operator, each: Series, to: Destination, places: Gazetteer | None) -> None:
    """How packages go to a destination, and how far its key has come."""
    texts = operator.texts
    way = texts.text(f"commission.way_{each.way}", address=plain(each.address))
    operator.say(
        "commission.series",
        prefix=each.prefix,
        body=referral_words.body(operator, to, places),
        code=plain(each.destination),
        since=operator.day(each.since),
        way=way,
    )
    if not each.key:
        operator.say("commission.key_none", code=plain(each.destination))
        return
    if each.key_at is None:
        operator.say("commission.key_unheard", code=plain(each.destination))
    else:
        fingerprint = serials.fingerprint_of(each)
        operator.say("commission.key_heard", fingerprint=fingerprint, day=operator.day(each.key_at))


def say_package(operator: Operator, each: Package) -> None:
    """One line of a list."""
    texts, counts = operator.texts, each.counts
    operator.say(
        "commission.item",
        number=each.number.text,
        state=texts.text(f"packages.state_{each.state}"),
        lines=texts.plural("commission.lines", counts["lines"] + counts["named"]),
        withheld=texts.plural("commission.withheld", sum(withheld(counts["against"]).values())),
        day=operator.day(each.as_of),
    )


def say_head(operator: Operator, each: Package, to: str) -> None:
    """What is known of a package however far it has come; `to`: its destination in words."""
    state = operator.texts.text(f"packages.state_{each.state}")
    operator.say("commission.head", number=each.number.text, body=to, state=state, quarter=each.quarter)
    operator.say("commission.as_of", moment=operator.moment(each.as_of))
    if each.sealed_at is not None:
        operator.say("commission.sealed_on", moment=operator.moment(each.sealed_at), bytes=each.bytes)
        say_digests(operator, each)
    if each.transmitted_at is not None:
        operator.say("commission.left_on", moment=operator.moment(each.transmitted_at))
    if each.answered_at is not None:
        by = plain(each.answer_by or "–")
        operator.say("commission.answered_on", moment=operator.moment(each.answered_at), by=by)
    if each.cancelled_at is not None:
        reason = plain(each.reason or "")
        operator.say("commission.cancelled_on", moment=operator.moment(each.cancelled_at), reason=reason)


def say_digests(operator: Operator, each: Package) -> None:
    """What a sealed package is known by."""
    operator.say("commission.digests", file=package_file(each), digest=each.file, manifest=each.manifest)


def say_prepared(operator: Operator, found: Prepared, waiting: Sequence[Written], name: str, closed: int) -> None:
    """What a prepared package says, what it withholds and why, and what is in the way of sealing it.

    `waiting`: summaries that nobody but who wrote them read yet; `closed`: how many pieces no key in hand opens.
    """
    texts, choice = operator.texts, found.choice
    _say_counts(operator, found, choice.counts_against())
    _say_pieces(operator, found, closed)
    for each in choice.voids:
        operator.say("commission.void", ref=each.told.item.ref, why=why_void(texts, each.why))
    for told in choice.corrections:
        columns = ", ".join(texts.text(f"line.{column}") for column in told.now)
        operator.say("commission.corrected", ref=told.told.item.ref, columns=columns)
    for blocker in found.blockers:
        said = texts.text(f"packages.blocker_{blocker}", n=found.unreviewed)
        operator.say("commission.blocker", why=said)
    for summary in waiting:
        operator.say("commission.unreviewed", number=summary.number, name=name)
    if not found.blockers:
        operator.say("commission.no_blocker")


def say_items(operator: Operator, items: Sequence[Item]) -> None:
    """What a package that was sealed says of which reference, and what its destination said of that."""
    texts = operator.texts
    click.echo(texts.plural("commission.settled", sum(each.verdict is not None for each in items), of=len(items)))
    for each in items:
        operator.say(
            "commission.told",
            ref=each.ref,
            shape=texts.text(f"packages.shape_{each.shape}"),
            verdict=texts.text(f"packages.{each.verdict}" if each.verdict else "commission.no_verdict"),
            more=plain(" · ".join(filter(None, (each.file_number, each.reason)))),
        )


def say_held(operator: Operator, held: Mapping[str, int]) -> None:
    """Of how many pieces no copy is in a package, and why."""
    texts = operator.texts
    for code, number in held.items():
        pieces = texts.plural("packages.pieces_n", number)
        operator.say("commission.pieces_held", pieces=pieces, why=texts.text(f"packages.held_{code}"))


def _say_pieces(operator: Operator, found: Prepared, closed: int) -> None:
    texts, enclosing = operator.texts, found.choice.enclosing
    if enclosing:
        pieces = texts.plural("packages.pieces_n", sum(len(each.pieces) for each in enclosing))
        operator.say("commission.pieces", pieces=pieces, lines=texts.plural("packages.lines", len(enclosing)))
    for each in enclosing:
        operator.say("commission.pieces_of", ref=each.ref, pieces=texts.plural("packages.pieces_n", len(each.pieces)))
    say_held(operator, found.choice.held_back(closed))


def _say_counts(operator: Operator, found: Prepared, against: Mapping[str, int]) -> None:
    texts, kept_back = operator.texts, withheld(against)
    named = len(found.choice.named)
    parts = {
        "totals": against.get("numbers", 0),
        "lines": len(found.choice.candidates) - named,
        "named": named,
        "withheld": sum(kept_back.values()),
    }
    click.echo("  " + texts.plural("packages.looked_at", sum(against.values()) + len(found.choice.candidates)))
    for part, number in parts.items():
        operator.say("commission.part", name=texts.text(f"packages.bar_{part}"), number=number)
    for code, number in kept_back.items():
        operator.say(
            "commission.kept_back", complaints=texts.plural("packages.complaints", number), why=why(texts, code)
        )
    elsewhere = against.get("elsewhere", 0)
    if elsewhere:
        complaints = texts.plural("packages.complaints", elsewhere)
        operator.say("commission.to_see", complaints=complaints, why=texts.text("packages.why_elsewhere"))
