"""`seere audit`: the log: how far it has come, a copy for whoever checks it, and the check itself."""

from pathlib import Path

import click

from server.commands import audit_verify
from server.commands.audit_verify import EXIT_CODES, Verdict
from server.commands.operator import Operator, pass_operator
from server.commands.spoken import Refused, SpokenCommand, SpokenGroup
from server.domain.errors import NotFound
from server.domain.permission import OPERATOR
from server.services import audit
from server.services.audit import Head

_NEW_FILE = click.Path(path_type=Path, dir_okay=False)
_OLD_FILE = click.Path(path_type=Path, dir_okay=False, exists=True)


@click.group(cls=SpokenGroup)
def command() -> None:
    """Head, export, prove, verify."""


@command.command("head", cls=SpokenCommand)
@pass_operator
def head(operator: Operator) -> None:
    """The newest anchor, to be read out or printed for somebody outside."""
    with operator.hub() as hub:
        found = audit.head(hub.store)
    if found.anchor is None:
        raise operator.refuse("audit.no_anchor", size=found.size)
    operator.say("audit.head", day=found.anchor.day, size=found.anchor.size, root=found.anchor.root)


@command.command("export", cls=SpokenCommand)
@click.argument("file", type=_NEW_FILE)
@pass_operator
def export(operator: Operator, file: Path) -> None:
    """The whole log in a file, without what people typed; the log notes it."""
    with operator.hub() as hub:
        operator.write_new(file, audit.export(hub.store, hub.identity.id, hub.identity.sign_key))
        audit.note_export(hub.store, hub.clock(), OPERATOR.signature)
        key = bytes(hub.identity.sign_key.verify_key).hex()
    operator.say("audit.exported", file=file, verifier=Path(audit_verify.__file__), public=key)


@command.command("prove", cls=SpokenCommand)
@click.argument("place", type=click.IntRange(0))
@click.argument("file", type=_NEW_FILE)
@pass_operator
def prove(operator: Operator, place: int, file: Path) -> None:
    """One event in a file, with the proof that it stands in the log."""
    with operator.hub() as hub:
        try:
            proof = audit.prove(hub.store, hub.identity.id, hub.identity.sign_key, place)
        except NotFound:
            raise _not_anchored(operator, audit.head(hub.store), place) from None
        operator.write_new(file, [proof])
    operator.say("audit.proven", file=file, place=place)


@command.command("verify", cls=SpokenCommand)
@click.argument("file", type=_OLD_FILE)
@click.option("--key", metavar="HEX")
@click.option("--witness", type=_OLD_FILE, multiple=True, metavar="FILE")
@pass_operator
@click.pass_context
def verify(ctx: click.Context, operator: Operator, file: Path, key: str | None, witness: tuple[Path, ...]) -> None:
    """Check an export or a proof; needs no hub. Ends with 1 when it is broken, 3 when a restore lost some of it."""
    seen = [line for path in witness for line in path.read_bytes().splitlines()]
    with file.open("rb") as lines:
        verdict = audit_verify.verify(lines, key, seen)
    _tell(operator, verdict)
    ctx.exit(EXIT_CODES[verdict.level])


def _not_anchored(operator: Operator, found: Head, place: int) -> Refused:
    if found.anchor is None:
        return operator.refuse("audit.no_anchor", size=found.size)
    return operator.refuse("audit.not_anchored", place=place, last=found.anchor.size - 1)


def _tell(operator: Operator, verdict: Verdict) -> None:
    for found in verdict.remarks:
        level = operator.texts.text(f"audit.level_{found.level}")
        text = operator.texts.text(f"audit.found_{found.code}", place=found.place, until=found.until)
        operator.say("audit.finding", level=level, text=text)
    operator.say(f"audit.verdict_{verdict.level}", size=verdict.size, events=verdict.events)
    if verdict.root:
        operator.say("audit.head", day=verdict.day, size=verdict.anchored, root=verdict.root)
