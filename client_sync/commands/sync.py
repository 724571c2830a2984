"""`sync`: exchange with the centre, once or again and again; say what arrived and what stays."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Final

import click
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

from client_sync import preferences
from client_sync.anchors import silent_days
from client_sync.client import Step, SyncClient, SyncReport
from client_sync.commands.counts import shown_bytes, weight_bytes
from client_sync.commands.localized import command, option
from client_sync.commands.problems import code_words
from client_sync.commands.session import VERSION, Session, in_session
from client_sync.i18n import Catalogue
from client_sync.obedience import ERASED, KEYRING_REFUSED, REVOKE, WIPE
from client_sync.outbox import Outbox
from client_sync.transport import HttpTransport

# After a session that left nothing to send, the next one is only for what the centre has to say.
WHOLE_AGAIN_S: Final = 15 * 60
_REVOKED: Final = "device_revoked"
# Off a terminal one line a step would be too many: these two say what leaves and what came of it.
_TOLD_STEPS: Final = frozenset({"push", "apply_verdicts"})


@command("sync")
@option("--watch", is_flag=True)
@in_session
def sync(session: Session, watch: bool) -> None:
    """Exchange once, or until interrupted; ends with 1 when something was left to exchange."""
    # It takes as long as the road is bad, and nothing of the vault is needed.
    session.close()
    with session.outbox() as outbox, _connected(session, outbox) as client:
        report = exchange(session, outbox, client)
        while watch and ERASED not in report.orders:
            wait_s = pause_s(client, report)
            session.say_count("sync.again", max(round(wait_s / 60), 1))
            rest(session, outbox, wait_s, is_whole=report.is_whole)
            report = exchange(session, outbox, client)
    if not report.is_whole:
        raise click.exceptions.Exit(1)


def pause_s(client: SyncClient, report: SyncReport) -> float:
    """How long `--watch` waits after a session: what the client asks for; when all is done its own pace, or what the
    centre advises where that is longer."""
    return max(WHOLE_AGAIN_S, report.sync_after_s or 0) if report.is_whole else client.wait_s(report)


def rest(session: Session, outbox: Outbox, wait_s: float, *, is_whole: bool) -> None:
    """Wait so long. After a session that left nothing, what somebody writes meanwhile waits for the own pace alone,
    whatever the centre advised."""
    at_once = WHOLE_AGAIN_S if is_whole else wait_s
    while wait_s > 0 and not (is_whole and outbox.waiting()):
        session.wait(min(wait_s, at_once))
        wait_s -= at_once


def exchange(session: Session, outbox: Outbox, client: SyncClient) -> SyncReport:
    """One session with the centre, shown while it runs, and what became of it."""
    waiting = outbox.waiting()
    if waiting:
        session.say_count("sync.begin", outbox.unsent(), size=shown_bytes(session, weight_bytes(outbox)))
    with _shown_steps(session, waiting) as progress:
        report = client.sync(progress)
    for line in _outcome(session, report):
        session.write(line)
    if ERASED in report.orders:
        preferences.forget(session.folder)
    else:
        if not outbox.link.has_log_differed and (days := silent_days(outbox)) is not None:
            session.say_count("sync.log_silent", days)
        _show_rest(session, outbox, report)
    return report


@contextmanager
def _connected(session: Session, outbox: Outbox) -> Iterator[SyncClient]:
    enrolled = outbox.require_enrolled()
    transport = HttpTransport(enrolled.url, enrolled.pin)
    try:
        yield SyncClient(outbox, transport, now=session.now, rng=session.rng, version=VERSION)
    finally:
        transport.close()


@contextmanager
def _shown_steps(session: Session, waiting: int) -> Iterator[Callable[[Step], None]]:
    """A bar on a terminal, lines elsewhere."""
    if not session.console.is_terminal:
        yield lambda step: _tell(session, step)
        return
    columns = (TextColumn("{task.description}", markup=False), BarColumn(), MofNCompleteColumn())
    with Progress(*columns, console=session.console, transient=True) as bar:
        task = bar.add_task(session.texts.text("step.gather"), total=waiting or None)

        def draw(step: Step) -> None:
            description = session.texts.text(f"step.{step.name}", size=shown_bytes(session, step.bytes))
            bar.update(task, description=description, completed=max(waiting - step.waiting, 0))

        yield draw


def _tell(session: Session, step: Step) -> None:
    if step.name in _TOLD_STEPS and step.records:
        session.say_count(f"step_told.{step.name}", step.records)


def _outcome(session: Session, report: SyncReport) -> Iterator[str]:
    texts = session.texts
    for name in ("stored", "kept_aside", "rejected", "changes", "carried"):
        if count := getattr(report, name):
            yield texts.plural(f"sync.{name}", count)
    if report.files:
        yield texts.plural("sync.files", report.files)
    if report.cut:
        yield texts.text("sync.cut")
    if report.log in ("restored", "differs"):
        yield texts.text(f"sync.log_{report.log}")
    # The order, and the refusal that follows it, say the same.
    reason = _REVOKED if REVOKE in report.orders else report.refused_code
    if reason is not None:
        yield code_words(reason, session)
    if report.retry_after_s is not None:
        yield texts.plural("sync.later", max(round(report.retry_after_s / 60), 1))
    if KEYRING_REFUSED in report.orders:
        yield texts.text("sync.keyring_refused")
    yield from order_words(texts, report.orders)
    sizes = {name: shown_bytes(session, getattr(report, f"bytes_{name}")) for name in ("up", "down")}
    cost = session.preferences.cost_xof(report.bytes_up + report.bytes_down)
    yield texts.text("sync.weight", **sizes, cost=cost)


def order_words(texts: Catalogue, orders: Sequence[str]) -> Iterator[str]:
    """What a person is told of orders that were obeyed; of a revocation the refusal that follows it tells."""
    if WIPE in orders:
        yield texts.text("sync.order_wipe")
    if ERASED in orders:
        yield texts.text("sync.erased")


def _show_rest(session: Session, outbox: Outbox, report: SyncReport) -> None:
    pending = outbox.files.pending()
    if unsent := outbox.unsent():
        session.say_count("sync.rest", unsent)
    if pending.count:
        session.say_count("sync.files_rest", pending.count, size=shown_bytes(session, pending.bytes))
    if outbox.link.is_wiped:
        session.say("sync.wiped")
    elif not unsent and not pending.count and report.is_whole:
        session.say("sync.done")
