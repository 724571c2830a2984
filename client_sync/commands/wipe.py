"""`wipe`: make the device forget, keys first: what can be read on it alone, or all of it. Needs no passphrase."""

from client_sync import preferences
from client_sync.commands.asking import Asker
from client_sync.commands.localized import command, option
from client_sync.commands.session import Session, in_session
from client_sync.errors import KeyMissing, StoreDamaged


@command("wipe")
@option("--keep", "keep_unsent", is_flag=True)
@option("--all", "wipe_all", is_flag=True)
@in_session
def wipe(session: Session, keep_unsent: bool, wipe_all: bool) -> None:
    """Erase drafts and replies, or everything; with an option at once, else after the word was typed."""
    if keep_unsent:
        _wipe_readable(session)
    elif wipe_all or (chosen := _chosen(session)) == "all":
        _wipe_all(session)
    elif chosen == "keep":
        _wipe_readable(session)
    else:
        session.say("wipe.kept")


def _wipe_readable(session: Session) -> None:
    session.lock()
    session.folder.wipe_vault()
    session.say("wipe.done_readable")
    # Opening the outbox lets go of the replies, which nobody can read any more.
    if unsent := _unsent(session):
        session.say_count("wipe.stays", unsent)


def _wipe_all(session: Session) -> None:
    texts = session.texts
    session.lock()
    session.folder.wipe()
    preferences.forget(session.folder)
    session.write(texts.text("wipe.done"))


def _chosen(session: Session) -> str | None:
    """`keep`, `all`, or None when the person did not type the word."""
    unsent = _unsent(session)
    chosen: str | None = "all"
    if unsent is not None:
        asker = Asker(session)
        asker.title("wipe.title")
        chosen = asker.choose([("keep", session.texts.text("wipe.keep")), ("all", session.texts.text("wipe.all"))])
    if chosen is None:
        return None
    if chosen == "all" and unsent:
        session.say_count("wipe.unsent", unsent)
    word = session.texts.text("wipe.word")
    return chosen if session.ask("wipe.type", default="", word=word).strip().lower() == word else None


def _unsent(session: Session) -> int | None:
    """How many operations and files only this device has; None when it can't be opened any more."""
    try:
        with session.outbox() as outbox:
            return outbox.unsent() + outbox.files.pending().count
    except (KeyMissing, StoreDamaged):
        return None
