"""Commands whose help, and whose answer to a wrong command line, come from the catalogue."""

from collections.abc import Callable
from typing import Any

import click

from client_sync.commands.session import Session
from client_sync.i18n import Catalogue


def _texts(context: click.Context) -> Catalogue:
    session: Session = context.find_root().obj
    return session.texts


class LocalizedOption(click.Option):
    """An option explained by the text `option.<its name>`."""

    def get_help_record(self, ctx: click.Context) -> tuple[str, str] | None:
        """Its names and its explanation."""
        record = super().get_help_record(ctx)
        return None if record is None else (record[0], _texts(ctx).text(f"option.{self.name}"))


class LocalizedCommand(click.Command):
    """A command explained by the text `help.<its name>`; the first line is the short form."""

    def get_help_option(self, ctx: click.Context) -> click.Option | None:
        """--help, in the language of the device."""
        return click.Option(
            ["--help"], is_flag=True, is_eager=True, expose_value=False, callback=_show_help,
            help=_texts(ctx).text("help.help"),
        )  # fmt: skip

    def get_short_help_str(self, limit: int = 45) -> str:  # noqa: ARG002 - click's signature
        """The first line of its explanation."""
        return _explanation(self, click.get_current_context()).partition("\n")[0]

    def format_usage(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The line that shows how to type it."""
        pieces = " ".join(self.collect_usage_pieces(ctx))
        formatter.write_usage(ctx.command_path, pieces, prefix=_texts(ctx).text("usage.prefix") + " ")

    def format_help_text(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Its explanation."""
        formatter.write_paragraph()
        with formatter.indentation():
            formatter.write_text(_explanation(self, ctx))

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Its options, each explained."""
        records = [param.get_help_record(ctx) for param in self.get_params(ctx)]
        with formatter.section(_texts(ctx).text("usage.options")):
            formatter.write_dl([record for record in records if record is not None])


class LocalizedGroup(LocalizedCommand, click.Group):
    """A group of localized commands."""

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Its options, then its commands."""
        LocalizedCommand.format_options(self, ctx, formatter)
        commands = [(name, self.commands[name].get_short_help_str()) for name in self.list_commands(ctx)]
        with formatter.section(_texts(ctx).text("usage.commands")):
            formatter.write_dl(commands)

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        """The names of the commands, in the order in which they were added: that of a day in the field."""
        return list(self.commands)


def command(name: str) -> Callable[[Callable[..., Any]], click.Command]:
    """Make a function the localized command `name`."""
    return click.command(name, cls=LocalizedCommand)


def option(*names: str, **attributes: Any) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Give a command an option that is explained by the catalogue."""
    return click.option(*names, cls=LocalizedOption, **attributes)


def usage_sentence(error: click.UsageError, texts: Catalogue) -> str:
    """What is wrong with a command line, in the language of the device."""
    if isinstance(error, click.NoSuchOption):
        return texts.text("usage.no_such_option", name=error.option_name)
    if isinstance(error, click.MissingParameter):
        return texts.text("usage.missing", name=_parameter(error))
    if isinstance(error, click.BadParameter):
        return texts.text("usage.bad", name=_parameter(error))
    return texts.text("usage.wrong")


def _parameter(error: click.BadParameter) -> str:
    if error.param is None or error.param.name is None:
        return str(error.param_hint or "")
    is_option = isinstance(error.param, click.Option)
    return error.param.opts[0] if is_option else error.param.name.upper()


def _explanation(command: click.Command, context: click.Context) -> str:
    is_program = command is context.find_root().command
    return _texts(context).text("help.program" if is_program else f"help.{command.name}")


def _show_help(context: click.Context, _: click.Parameter, wanted: bool) -> None:
    if wanted and not context.resilient_parsing:
        click.echo(context.get_help())
        context.exit()
