"""`status`: where everything is, which centre this device speaks to, and its six words."""

from dataclasses import replace
from typing import Any, Final

import click

from client_sync.anchors import silent_days
from client_sync.commands.counts import show_counts
from client_sync.commands.localized import command, option
from client_sync.commands.session import VERSION, Session, in_session
from client_sync.outbox import Outbox
from client_sync.preferences import LOCK_MOST_MINUTES
from client_sync.protocol.vocabulary import LANGUAGES
from client_sync.tables import Enrolled

# Below this a clock is right enough for dates.
_CLOCK_GRACE_S: Final = 300


@command("status")
@option("--price", type=click.IntRange(0))
@option("--language", type=click.Choice(LANGUAGES))
@option("--lock-after", type=click.IntRange(1, LOCK_MOST_MINUTES))
@in_session
def status(session: Session, price: int | None, language: str | None, lock_after: int | None) -> None:
    """Show counts, centre and words; what is chosen with options is kept for later runs."""
    _prefer(session, language=language, price_xof_per_mb=price, lock_after_minutes=lock_after)
    with session.outbox() as outbox:
        show_counts(session, outbox)
        if (enrolled := outbox.enrolled) is None:
            session.say("error.not_enrolled")
        else:
            _show_centre(session, outbox, enrolled)
    session.say_count("status.lock", session.preferences.lock_after_minutes)
    session.say("status.program", version=VERSION, price=session.preferences.price_xof_per_mb)


def _prefer(session: Session, **chosen: Any) -> None:
    before = session.preferences
    after = replace(before, **{name: value for name, value in chosen.items() if value is not None})
    if after != before:
        after.save(session.folder)


def _show_centre(session: Session, outbox: Outbox, enrolled: Enrolled) -> None:
    link = outbox.link
    name = " · ".join(part for part in (enrolled.coalition, enrolled.url) if part)
    session.say("status.centre", name=name)
    session.say("status.words", words=" ".join(enrolled.words))
    if (keyring := enrolled.trusted_keyring) is not None:
        session.say("status.keyring", version=keyring.version)
    if link.clock_ahead_s is not None and abs(link.clock_ahead_s) > _CLOCK_GRACE_S:
        session.say_count("status.clock", round(abs(link.clock_ahead_s) / 60))
    if link.is_wiped:
        session.say("sync.wiped")
    if link.has_log_differed:
        session.say("sync.log_differs")
    elif (days := silent_days(outbox)) is not None:
        session.say_count("sync.log_silent", days)
    if link.is_revoked:
        session.say("error.device_revoked")
