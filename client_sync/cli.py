"""The field client at a terminal: `seere-field`, and `carnet`, the same program under a name that says nothing."""

import logging
import os
import sys
from pathlib import Path
from typing import Any

import click

from client_sync.commands.amend import amend
from client_sync.commands.anchor import anchor
from client_sync.commands.asking import Close, GoBack
from client_sync.commands.backlog import import_backlog
from client_sync.commands.bundle import bundle
from client_sync.commands.enrol import enrol
from client_sync.commands.files import list_files
from client_sync.commands.home import home
from client_sync.commands.localized import LocalizedGroup, LocalizedOption, usage_sentence
from client_sync.commands.new import new
from client_sync.commands.paper import paper
from client_sync.commands.problems import sentence
from client_sync.commands.records import list_records, show
from client_sync.commands.session import Session
from client_sync.commands.status import status
from client_sync.commands.sync import sync
from client_sync.commands.visits import visits
from client_sync.commands.wipe import wipe
from client_sync.errors import ClientError
from client_sync.stores import Folder

log = logging.getLogger(__name__)
# Without it an unexpected error would be printed whole, words of a complaint and all.
log.addHandler(logging.NullHandler())
_WRONG_USAGE = 2
_INTERRUPTED = 130


class Program(LocalizedGroup):
    """The program: the one place where whatever went wrong becomes plain words."""

    def main(self, *args: Any, **extra: Any) -> Any:
        """Run, and exit with 0 when all went well, 1 when not, 2 for a wrong command line."""
        name = extra.get("prog_name") or Path(sys.argv[0]).name
        session = Session(Folder.default(os.environ), name)
        try:
            sys.exit(super().main(*args, **(extra | {"standalone_mode": False, "obj": session})) or 0)
        except (click.Abort, KeyboardInterrupt, Close, GoBack):
            _end(session, session.texts.text("cli.stopped"), _INTERRUPTED)
        except click.UsageError as error:
            _end(session, usage_sentence(error, session.texts), _WRONG_USAGE)
        except ClientError as error:
            _end(session, sentence(error, session), 1)
        except BrokenPipeError:
            # Whoever read us has seen enough; the flush at the end must not complain about it.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            sys.exit(1)
        except OSError as error:
            words = session.texts.text("error.file", file=error.filename or "-", why=error.strerror or "-")
            _end(session, words, 1)
        except Exception as error:
            # Never the words of the error: they may be those of a complaint.
            log.exception("unexpected")
            _end(session, session.texts.text("error.unexpected", reference=_reference(error)), 1)
        finally:
            session.close()


def _use_folder(context: click.Context, _: click.Parameter, path: Path | None) -> None:
    if path is not None:
        context.obj.folder = Folder(path)


@click.group(cls=Program, invoke_without_command=True)
@click.option(
    "--folder",
    cls=LocalizedOption,
    type=click.Path(file_okay=False, path_type=Path),
    is_eager=True,
    expose_value=False,
    callback=_use_folder,
)
@click.pass_context
def main(context: click.Context) -> None:
    """Field client; alone it opens the three counts and a menu."""
    if context.invoked_subcommand is None:
        home(context, context.obj)


_COMMANDS = (
    enrol,
    new,
    list_records,
    show,
    amend,
    sync,
    list_files,
    visits,
    status,
    import_backlog,
    bundle,
    paper,
    anchor,
    wipe,
)
for each in _COMMANDS:
    main.add_command(each)


def carnet() -> None:
    """The same program, under a name that says nothing."""
    main(prog_name="carnet")


def _end(session: Session, words: str, status_code: int) -> None:
    session.write(words, err=True)
    sys.exit(status_code)


def _reference(error: Exception) -> str:
    """Where it happened, for who maintains this: kind of error, module and line."""
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    place = "-" if trace is None else f"{trace.tb_frame.f_globals.get('__name__')}:{trace.tb_lineno}"
    return f"{type(error).__name__} {place}"
