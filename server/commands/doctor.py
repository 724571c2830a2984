"""`seere doctor`: every unsafe setting by name, with what to do about it."""

import json
import os
import re
import shutil
import stat
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final, Literal

import click

from client_sync.i18n import Catalogue
from server import credential
from server.commands.operator import Operator, has_hub, pass_operator
from server.commands.spoken import SpokenCommand
from server.commands.terms import terms_of
from server.config import Settings
from server.domain.calendar import MALI
from server.domain.errors import KeyringMissing
from server.hub import Hub
from server.services import clock, keyrings, maintenance, notices, retention
from server.services.maintenance import Health
from server.services.search_texts import READ_MAX

Level = Literal["unsafe", "attention"]

# The write-ahead log could be reset under a reader and corrupt the file: sqlite.org, fixed in 3.51.3.
_WAL_RESET_BUG: Final = ((3, 7, 0), (3, 51, 2))
_SYNCHRONOUS_FULL: Final = ("2", "3")
_BACKUP_MAX_AGE: Final = timedelta(days=2)
_DISK_MIN_BYTES: Final = 500_000_000
# Below this share of the disk, SQLite can no longer copy itself for a backup.
_DISK_MIN_COPIES: Final = 3
# Half a minute's work.
_UNMATCHED_MAX: Final = 1_000
_CLOCK_SLACK: Final = timedelta(minutes=5)
_LOOPBACK: Final = ("127.0.0.1", "::1", "localhost")


@dataclass(frozen=True)
class Trouble:
    """One thing that is not as it should be; `doctor.<code>` says what and what to do."""

    code: str
    level: Level
    values: Mapping[str, object]


@click.command(cls=SpokenCommand)
@click.option("--json", "as_json", is_flag=True)
@pass_operator
@click.pass_context
def command(ctx: click.Context, operator: Operator, as_json: bool) -> None:
    """Look at everything; end with 1 when something is unsafe."""
    # The unsafe first; sorting keeps the order within a level.
    troubles = sorted(examine(operator), key=lambda each: each.level != "unsafe")
    if as_json:
        click.echo(json.dumps([_as_members(operator, each) for each in troubles], ensure_ascii=False))
    for each in () if as_json else troubles:
        click.secho(operator.texts.text(f"doctor.level_{each.level}"), bold=True, nl=False)
        click.echo(" " + sentence(operator.texts, each))
    if not troubles and not as_json:
        operator.say("doctor.well")
    ctx.exit(int(any(each.level == "unsafe" for each in troubles)))


def examine(operator: Operator) -> Iterator[Trouble]:
    """What is not as it should be, the unsafe and the merely pending."""
    settings, environ = operator.settings, os.environ
    yield from _of_settings(settings, environ)
    if not has_hub(settings):
        yield Trouble("no_hub", "unsafe", {"folder": settings.data})
        return
    if not settings.database:
        yield from _of_files(settings)
    if not settings.credential.exists():
        yield Trouble("credential_missing", "unsafe", {"file": settings.credential})
        return
    yield from _of_credential(settings)
    if not operator.can_unlock():
        yield Trouble("not_opened", "attention", {})
        return
    with operator.hub() as hub:
        yield from of_engine(maintenance.engine_facts(hub.store))
        yield from of_health(maintenance.health(hub.store), operator.clock(), settings)
        yield from of_clock(hub)
        yield from of_jobs(hub)
        yield from of_erasures(hub)
        yield from of_calendar(hub.clock())
        yield from of_keyring(hub)


def sentence(texts: Catalogue, trouble: Trouble) -> str:
    """What a trouble says to the operator; one that counts has a singular and a plural."""
    key, count = f"doctor.{trouble.code}", trouble.values.get("count")
    if isinstance(count, int):
        return texts.plural(key, count, **trouble.values)
    return texts.text(key, **trouble.values)


def of_engine(facts: Mapping[str, str]) -> Iterator[Trouble]:
    """What the database engine must hold to; SQLite's facts, or none."""
    if not facts:
        return
    version = tuple(int(part) for part in re.findall(r"\d+", facts["version"])[:3])
    if _WAL_RESET_BUG[0] <= version <= _WAL_RESET_BUG[1]:
        yield Trouble("sqlite_version", "unsafe", {"version": facts["version"]})
    if facts["synchronous"] not in _SYNCHRONOUS_FULL:
        yield Trouble("synchronous", "unsafe", {"value": facts["synchronous"]})
    if facts["journal_mode"] != "wal":
        yield Trouble("journal", "unsafe", {"value": facts["journal_mode"]})


def of_health(health: Health, now: datetime, settings: Settings) -> Iterator[Trouble]:
    """What the data say: clock, backups, and what waits for a person."""
    if health.newest_sync_at is not None and health.newest_sync_at > now + _CLOCK_SLACK:
        yield Trouble("clock_behind", "unsafe", {"newest": f"{health.newest_sync_at:%Y-%m-%d %H:%M}"})
    if settings.backup_recipient:
        last = health.last_backup
        if last is None:
            yield Trouble("backup_none", "unsafe", {})
        elif now - last.verified_at > _BACKUP_MAX_AGE:
            yield Trouble("backup_old", "unsafe", {"days": (now - last.verified_at).days})
    yield from _of_waiting(health)


def _of_waiting(health: Health) -> Iterator[Trouble]:
    if health.set_aside:
        yield Trouble("quarantine", "attention", {"count": health.set_aside})
    if health.unread > READ_MAX:
        yield Trouble("search_behind", "attention", {"unread": health.unread})
    if health.unmatched > _UNMATCHED_MAX:
        yield Trouble("matching_behind", "attention", {"unread": health.unmatched})
    if health.later_linkages:
        yield Trouble("linkage_later", "attention", {"count": health.later_linkages})
    if health.old_profiles:
        yield Trouble("profiles_old", "attention", {"count": health.old_profiles})
    if health.matched_by_facts:
        yield Trouble("matched_by_facts", "attention", {"count": health.matched_by_facts})
    if health.unconfirmed:
        yield Trouble("unconfirmed", "attention", {"count": health.unconfirmed})


def of_keyring(hub: Hub) -> Iterator[Trouble]:
    """Whom devices seal to, against whom they ought to."""
    try:
        is_behind = keyrings.is_behind(hub.store, terms_of(hub))
    except KeyringMissing:
        yield Trouble("keyring_missing", "unsafe", {})
        return
    if is_behind:
        yield Trouble("keyring_behind", "unsafe", {})
    for fault in keyrings.faults(keyrings.current(hub.store)):
        yield Trouble(f"keyring_lacks_{fault}", "attention", {})


def _of_settings(settings: Settings, environ: Mapping[str, str]) -> Iterator[Trouble]:
    if not settings.backup_recipient:
        yield Trouble("recipient_missing", "unsafe", {})
    if settings.backup_identity_file is not None:
        yield Trouble("identity_here", "unsafe", {"file": settings.backup_identity_file})
    if settings.host not in _LOOPBACK and not settings.address.startswith("https://"):
        yield Trouble("open_without_tls", "unsafe", {"host": settings.host})
    if environ.get("FLASK_DEBUG", "0") not in ("", "0"):
        yield Trouble("debug", "unsafe", {})
    if settings.status == "full":
        yield Trouble("status_full", "attention", {})


def _of_files(settings: Settings) -> Iterator[Trouble]:
    yield from _of_mode("folder_open", settings.data)
    # Without a recipient there are none.
    if settings.backup_recipient and settings.backups.resolve().is_relative_to(settings.data.resolve()):
        yield Trouble("backups_beside", "attention", {"folder": settings.backups})
    free = shutil.disk_usage(settings.data).free
    if free < max(_DISK_MIN_BYTES, _DISK_MIN_COPIES * settings.hub_file.stat().st_size):
        yield Trouble("disk", "unsafe", {"megabytes": free // 1_000_000})


def _of_credential(settings: Settings) -> Iterator[Trouble]:
    yield from _of_mode("key_open", settings.credential)
    if credential.recovery_public(settings.credential) is None:
        yield Trouble("recovery_missing", "unsafe", {})
    kept = settings.passphrase_file
    if kept is not None and kept.exists():
        yield from _of_mode("key_open", kept)
        if kept.stat().st_dev == settings.credential.stat().st_dev:
            yield Trouble("passphrase_here", "unsafe", {"file": kept})
        else:
            yield Trouble("passphrase_kept", "attention", {"file": kept})


def _of_mode(code: str, path: Path) -> Iterator[Trouble]:
    mode = stat.S_IMODE(path.stat().st_mode)
    if mode & (stat.S_IRWXG | stat.S_IRWXO):
        yield Trouble(code, "unsafe", {"file": path, "mode": f"{mode:04o}"})


def of_calendar(now: datetime) -> Iterator[Trouble]:
    """Whether what falls due within a year can fall on a holiday that nobody listed yet."""
    if now.year >= MALI.last_year:
        yield Trouble("calendar_ends", "attention", {"year": MALI.last_year})


def of_erasures(hub: Hub) -> Iterator[Trouble]:
    """The erasure lists, against what was erased."""
    for path in retention.lists_behind(hub.store, retention.keeping(hub.settings, hub.secrets.database, hub.depot)):
        yield Trouble("erasures_behind", "attention", {"file": path})


def of_clock(hub: Hub) -> Iterator[Trouble]:
    """Whether what can't be undone waits for somebody to look at the clock."""
    is_trusted = clock.look(hub.store, hub.clock())
    doubted = clock.standing(hub.store).doubted
    if not is_trusted and doubted is not None:
        yield Trouble(f"clock_doubted_{doubted.doubt}", "unsafe", {"said": f"{doubted.said:%Y-%m-%d %H:%M}"})


def of_jobs(hub: Hub) -> Iterator[Trouble]:
    """Jobs that did not end well, and what could not be told outside."""
    for run in maintenance.last_runs(hub.store, hub.clock()):
        if run.has_failed:
            yield Trouble("job_failed", "attention", {"name": run.name, "outcome": run.outcome})
        elif run.is_left(hub.clock()):
            yield Trouble("job_left", "attention", {"name": run.name, "began": f"{run.started_at:%Y-%m-%d %H:%M}"})
    if given_up := notices.count_given_up(hub.store):
        yield Trouble("notices_given_up", "attention", {"count": given_up})


def _as_members(operator: Operator, trouble: Trouble) -> dict[str, object]:
    values = {name: str(value) for name, value in trouble.values.items()}
    return {"code": trouble.code, "level": trouble.level, "text": sentence(operator.texts, trouble), "values": values}
