"""`files`: the photos, papers and recordings of closed complaints that the centre does not have."""

from client_sync.commands.counts import shown_bytes
from client_sync.commands.localized import command
from client_sync.commands.records import complaints, file_words
from client_sync.commands.session import Session, in_session
from client_sync.files import HERE


@command("files")
@in_session
def list_files(session: Session) -> None:
    """List what the centre lacks, complaint by complaint, with what is left to send."""
    with session.outbox() as outbox:
        lacking = [
            (record.picture or record.receipt or "-", state)
            for record in complaints(outbox)
            for state in outbox.files.of(record.id)
            if state.state != HERE
        ]
        pending = outbox.files.pending()
    for picture, state in lacking:
        session.say("files.row", picture=picture, words=file_words(session, state))
    if pending.count:
        size, cost = shown_bytes(session, pending.bytes), session.preferences.cost_xof(pending.bytes)
        session.say_count("files.pending", pending.count, size=size, cost=cost)
    elif not lacking:
        session.say("files.none")
