"""`seere`: the hub by hand. Each command is a module of `server.commands`, read only when it is used."""

import importlib
import logging
import os
from typing import Any, Final

import click

from server import logs
from server.commands.operator import Operator
from server.commands.spoken import Misused, SpokenGroup, refusing, speak, texts_of
from server.config import SettingInvalid, from_environ
from server.hub import VERSION, utc_now
from server.i18n import LANGUAGES

COMMANDS: Final = (
    "setup",
    "init",
    "serve",
    "unlock",
    "passphrase",
    "keys",
    "enrol",
    "devices",
    "people",
    "quarantine",
    "find",
    "assign",
    "open",
    "lift",
    "cases",
    "statistics",
    "deputies",
    "referrals",
    "destinations",
    "commission",
    "tasks",
    "duplicates",
    "places",
    "backup",
    "restore",
    "repair",
    "retention",
    "audit",
    "jobs",
    "clock",
    "doctor",
    "demo",
)


class LazyGroup(SpokenGroup):
    """Commands found by the name of their module."""

    def list_commands(self, _ctx: click.Context) -> list[str]:
        """Every command, in the order in which a new hub needs them."""
        return list(COMMANDS)

    def get_command(self, _ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command, with its module read now."""
        if cmd_name not in COMMANDS:
            return None
        command: click.Command = importlib.import_module(f"server.commands.{cmd_name}").command
        return command

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command, with every refusal as a sentence."""
        with refusing(ctx):
            return super().invoke(ctx)


def _choose_language(ctx: click.Context, _: click.Parameter, value: str | None) -> str | None:
    if value is not None:
        speak(ctx, value)
    return value


@click.group(cls=LazyGroup)
@click.option("--language", type=click.Choice(LANGUAGES), is_eager=True, expose_value=False, callback=_choose_language)
@click.version_option(VERSION, message="%(prog)s %(version)s")
@click.pass_context
def main(ctx: click.Context) -> None:
    """Run a hub by hand."""
    logs.to_standard_error(logging.WARNING)
    texts = texts_of(ctx)
    try:
        settings = from_environ(os.environ)
    except SettingInvalid as error:
        raise Misused(texts.text("refusal.setting_invalid", name=error.name)) from None
    ctx.obj = ctx.obj or Operator(settings, texts, utc_now)
