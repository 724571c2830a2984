"""`wipe`: make the device forget, keys first."""

import click

from client_sync import preferences
from client_sync.commands.localized import command
from client_sync.commands.session import Session, in_session
from client_sync.errors import KeyMissing, StoreDamaged


@command("wipe")
@in_session
def wipe(session: Session) -> None:
    """Erase everything, after the word was typed."""
    texts = session.texts
    word = texts.text("wipe.word")
    if unsent := _unsent(session):
        session.say_count("wipe.unsent", unsent)
    else:
        session.say("wipe.confirm")
    if session.ask("wipe.type", default="", word=word).strip().lower() != word:
        session.say("wipe.kept")
        return
    session.close()
    session.folder.wipe()
    preferences.forget(session.folder)
    click.echo(texts.text("wipe.done"))


def _unsent(session: Session) -> int | None:
    """How many operations only this device has; None when its files can't be opened any more."""
    try:
        with session.outbox() as outbox:
            return outbox.waiting()
    except (KeyMissing, StoreDamaged):
        return None
