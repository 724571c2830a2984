"""`status`: where everything is, which centre this device speaks to, and its six words."""

from typing import Final

import click

from client_sync.commands.counts import show_counts
from client_sync.commands.localized import command, option
from client_sync.commands.session import VERSION, Session, in_session
from client_sync.outbox import Outbox
from client_sync.preferences import Preferences
from client_sync.protocol.vocabulary import LANGUAGES
from client_sync.tables import Enrolled

# Below this a clock is right enough for dates.
_CLOCK_GRACE_S: Final = 300


@command("status")
@option("--price", type=click.IntRange(0))
@option("--language", type=click.Choice(LANGUAGES))
@in_session
def status(session: Session, price: int | None, language: str | None) -> None:
    """Show counts, centre and words; --price and --language are kept for later runs."""
    _prefer(session, price, language)
    with session.outbox() as outbox:
        show_counts(session, outbox)
        if (enrolled := outbox.enrolled) is None:
            session.say("error.not_enrolled")
        else:
            _show_centre(session, outbox, enrolled)
    session.say("status.program", version=VERSION, price=session.preferences.price_xof_per_mb)


def _prefer(session: Session, price: int | None, language: str | None) -> None:
    before = session.preferences
    after = Preferences(
        before.language if language is None else language,
        before.price_xof_per_mb if price is None else price,
    )
    if after != before:
        after.save(session.folder)


def _show_centre(session: Session, outbox: Outbox, enrolled: Enrolled) -> None:
    link = outbox.link
    name = " · ".join(part for part in (enrolled.coalition, enrolled.url) if part)
    session.say("status.centre", name=name)
    session.say("status.words", words=" ".join(enrolled.words))
    if link.clock_ahead_s is not None and abs(link.clock_ahead_s) > _CLOCK_GRACE_S:
        session.say_count("status.clock", round(abs(link.clock_ahead_s) / 60))
    if link.is_revoked:
        session.say("error.device_revoked")
