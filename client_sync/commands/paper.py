"""`paper`: forms to print, each with a receipt code to tear off; each becomes a draft that waits for its answers."""

from pathlib import Path
from typing import Final
from uuid import uuid4

import click

from client_sync.commands.localized import command, option
from client_sync.commands.new import Interview
from client_sync.commands.session import Session, in_session
from client_sync.complaint import Answers
from client_sync.paper import render
from client_sync.protocol.receipts import new_receipt
from client_sync.stores import write_durably

_SHEETS_MOST: Final = 500


@command("paper")
@option("--count", type=click.IntRange(1, _SHEETS_MOST), default=1)
@option("--out", type=click.Path(dir_okay=False, path_type=Path), required=True)
@in_session
def paper(session: Session, count: int, out: Path) -> None:
    """Write COUNT forms to OUT; their codes are kept for `new --receipt`."""
    vault = session.vault()
    with session.outbox() as outbox:
        used = {record.receipt for record in outbox.records()}
    used |= {Interview.of(draft).receipt for draft in vault.drafts()}
    codes: list[str] = []
    while len(codes) < count:
        code = new_receipt(session.rng.choice)
        if code not in used:
            used.add(code)
            codes.append(code)
    for code in codes:
        interview = Interview(str(uuid4()), Answers(channel="paper"), receipt=code)
        vault.save_draft(interview.id, interview.to_draft())
    write_durably(out, render(codes, session.texts).encode())
    session.say_count("paper.written", count, file=out)
