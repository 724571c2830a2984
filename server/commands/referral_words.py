"""Words for what referrals and findings say by codes, as people type them."""

from typing import Final, get_args

import click

from server.commands.operator import Operator
from server.commands.plain import plain
from server.commands.spoken import Said
from server.domain.act import Verdict
from server.domain.folding import fold
from server.domain.places import Gazetteer
from server.domain.referral import Destination
from server.domain.verification import CERTAINTIES, COURTS, METHODS, REOPENING, RULES
from server.services.cases import phrases
from server.store.referrals import Kept

FINDING: Final = Said(phrases.finding, RULES["under_verification"].next)
METHOD: Final = Said(phrases.method, METHODS)
CERTAINTY: Final = Said(phrases.certainty, CERTAINTIES)
VERDICT: Final = Said("verification.verdict", get_args(Verdict))
COURT: Final = Said("verification.court", COURTS)
# Characters of the id of a referral that are enough to name it.
SHORT: Final = 8
AGAIN: Final = Said("verification.reopening", REOPENING)


def body(operator: Operator, to: Destination, places: Gazetteer | None) -> str:
    """A destination in words: the body, and what it covers."""
    return plain(phrases.body(operator.texts, to, places))


def kind(operator: Operator, code: str) -> str:
    """A kind of act in words."""
    return plain(phrases.kind(operator.texts, code))


def say_reminders(operator: Operator, number: str, kept: Kept, *, is_late: bool) -> None:
    """That a body was reminded of a referral, and where its answer is late, how the next reminder is noted."""
    if kept.reminded_at is not None:
        day = operator.day(kept.reminded_at)
        click.echo(operator.texts.plural("referrals.item_reminded", kept.reminders, day=day))
    if is_late:
        operator.say("referrals.item_remind", number=number, id=kept.id[:SHORT])


def outcome(operator: Operator, programme: str, said: str) -> str:
    """The code of an outcome that was typed, as such or by its words. Refuses one that the programme does not give."""
    words = phrases.outcomes(operator.texts, programme)
    found = {fold(word): code for code in words for word in (code, words[code])}.get(fold(said))
    if found is None:
        raise operator.refuse("referrals.outcomes", outcomes=" · ".join(f"{code} ({words[code]})" for code in words))
    return found
