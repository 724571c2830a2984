"""`anchor`: what this device saw of the centre's log, for somebody who checks that log."""

from pathlib import Path

import click

from client_sync.anchors import witnesses
from client_sync.commands.localized import command
from client_sync.commands.session import Session, in_session


@command("anchor")
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
@in_session
def anchor(session: Session, file: Path) -> None:
    """Write the anchors that the device keeps: there is nothing of a complaint in them."""
    with session.outbox() as outbox:
        lines = witnesses(outbox)
        has_differed = outbox.link.has_log_differed
    if not lines:
        session.say("anchor.none")
        raise click.exceptions.Exit(1)
    file.write_bytes(b"".join(line + b"\n" for line in lines))
    session.say("anchor.written", file=file)
    if has_differed:
        session.say("sync.log_differs")
