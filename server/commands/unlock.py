"""`seere unlock`: hand the passphrase to a hub that serves without one."""

import click

from server.commands.operator import Operator, pass_operator
from server.commands.spoken import SpokenCommand
from server.domain.errors import PassphraseWrong
from server.lock import TOO_SOON, UNLOCKED, Outcome, hand_over


@click.command(cls=SpokenCommand)
@pass_operator
def command(operator: Operator) -> None:
    """Open every locked hub that serves from the folder of the settings."""
    operator.require_hub()
    try:
        outcomes = list(hand_over(operator.settings.data, operator.passphrase()))
    except OSError:
        raise operator.refuse("unlock.gone") from None
    if not outcomes:
        raise operator.refuse("unlock.none", folder=operator.settings.data)
    for outcome in outcomes:
        _say(operator, outcome)


def _say(operator: Operator, outcome: Outcome) -> None:
    """What came of it; refuses for the first hub that stayed locked."""
    if outcome.code == UNLOCKED:
        operator.say("unlock.unlocked")
    elif outcome.code == TOO_SOON:
        raise operator.refuse("unlock.too_soon", seconds=outcome.retry_after_s)
    elif outcome.code == PassphraseWrong.code:
        raise operator.refuse("unlock.wrong", seconds=outcome.retry_after_s)
    else:
        raise operator.refuse("unlock.refused", code=outcome.code)
