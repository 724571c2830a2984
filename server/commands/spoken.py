"""Commands of click whose every word comes from the catalogue, under keys that follow from their names."""

import os
import re
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Final, NoReturn

import click

from client_sync.i18n import SOURCE_LANGUAGE, Catalogue
from server.config import PREFIX
from server.domain.errors import SeereError
from server.domain.folding import fold
from server.i18n import LANGUAGES, catalogue
from server.refusals import hints, refusal

_TEXTS: Final = "server.texts"
# What stands for something to be given: `--as NAME`.
_PLACEHOLDER: Final = re.compile(r"\b[A-Z]+\b")


Phrase = Callable[[Catalogue, str], str]


class Refused(click.ClickException):
    """A refusal in the words of the operator's language."""

    def show(self, file: Any = None) -> None:
        """The sentence alone, on standard error."""
        click.secho(self.message, file=file, err=file is None, fg="red")


class Misused(Refused):
    """The command was called in a way that it does not have."""

    exit_code = 2


def speak(ctx: click.Context, language: str) -> Catalogue:
    """Choose the language of a command and all below it."""
    texts = catalogue(language if language in LANGUAGES else SOURCE_LANGUAGE)
    ctx.find_root().meta[_TEXTS] = texts
    return texts


def texts_of(ctx: click.Context) -> Catalogue:
    """The texts in the language chosen on the command line, else in the environment's."""
    texts: Catalogue | None = ctx.find_root().meta.get(_TEXTS)
    return texts or speak(ctx, os.environ.get(f"{PREFIX}LANGUAGE", SOURCE_LANGUAGE))


class Said(click.ParamType[str]):
    """One of a few codes, typed as such or by its words, in which accents, capitals and hyphens don't count."""

    name = "word"

    def __init__(self, said: str | Phrase, codes: Collection[str]) -> None:
        """`said`: the beginning of the keys of the words, a section by its name and dot; or what gives the words."""
        self._word, self._codes = _keyed(said) if isinstance(said, str) else said, codes

    def words(self, ctx: click.Context) -> Sequence[str]:
        """All that can be typed where the command stands as it does, in the words of the reader."""
        return self.typed(ctx, self._codes)

    def typed(self, ctx: click.Context, codes: Collection[str]) -> Sequence[str]:
        """These codes as people type them."""
        return [typed(self._word(texts_of(ctx), code)) for code in codes]

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """The code."""
        assert ctx is not None
        texts = texts_of(ctx)
        known = {fold(word): code for code in self._codes for word in (code, self._word(texts, code))}
        said = fold(str(value))
        return known[said] if said in known else self.fail("", param, ctx)


class SpokenCommand(click.Command):
    """A command: `help.<names>` says what it is for, `option.<name>` what each option and argument means."""

    def format_usage(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """One line: how it is called."""
        pieces = _placed(ctx, " ".join(self.collect_usage_pieces(ctx)))
        formatter.write_usage(ctx.command_path, pieces, prefix=texts_of(ctx).text("usage.usage") + " ")

    def format_help_text(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """What it is for."""
        formatter.write_paragraph()
        with formatter.indentation():
            formatter.write_text(texts_of(ctx).text(f"help.{_key(ctx)}"))

    def format_arguments(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """What to give, in order."""
        params = [param for param in self.get_params(ctx) if isinstance(param, click.Argument)]
        if params:
            with formatter.section(texts_of(ctx).text("usage.arguments")):
                formatter.write_dl([(_placed(ctx, param.make_metavar(ctx)), _meaning(ctx, param)) for param in params])

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Every option with its meaning."""
        params = [param for param in self.get_params(ctx) if isinstance(param, click.Option)]
        records = [(param, param.get_help_record(ctx)) for param in params]
        rows = [(_placed(ctx, record[0]), _meaning(ctx, param)) for param, record in records if record is not None]
        with formatter.section(texts_of(ctx).text("usage.options")):
            formatter.write_dl(rows)
        if isinstance(self, click.Group):
            self.format_commands(ctx, formatter)

    def make_context(
        self,
        info_name: str | None,
        args: list[str],
        parent: click.Context | None = None,
        **extra: Any,
    ) -> click.Context:
        """As click's, with refusals in the operator's language."""
        with click.Context(self, parent=parent, info_name=info_name) as ctx, refusing(ctx):
            return super().make_context(info_name, args, parent, **extra)


class SpokenGroup(SpokenCommand, click.Group):
    """A group of such commands."""

    command_class = SpokenCommand
    # What it is taken for when it is called with nothing.
    called_bare = "--help"

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """As click's, of what it is taken for where nothing is given."""
        return super().parse_args(ctx, args or [self.called_bare])

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Every command with what it is for; loads none of them."""
        texts, path = texts_of(ctx), _path(ctx)
        rows = [(name, texts.text(f"help.{'_'.join([*path, name])}")) for name in self.list_commands(ctx)]
        with formatter.section(texts.text("usage.commands")):
            formatter.write_dl(rows)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """As click's, with a refusal in the operator's language."""
        if self.get_command(ctx, args[0]) is None:
            raise Misused(texts_of(ctx).text("usage.no_command", name=args[0]))
        return super().resolve_command(ctx, args)


@contextmanager
def refusing(ctx: click.Context) -> Iterator[None]:
    """Turn refusals of the hub and of click into sentences."""
    try:
        yield
    except click.NoSuchOption as error:
        _misused(ctx, "usage.no_option", error.option_name)
    except click.MissingParameter as error:
        _misused(ctx, "usage.missing", _shown(ctx, error), _words(ctx, error))
    except click.BadParameter as error:
        is_path = error.param is not None and isinstance(error.param.type, click.Path)
        meaning = _meaning(ctx, error.param) if error.param and not is_path else ""
        said = _words(ctx, error) or meaning
        _misused(ctx, "usage.bad_path" if is_path else "usage.bad_value", _shown(ctx, error), said)
    except click.UsageError as error:
        _misused(ctx, "usage.unclear", error.ctx.command_path if error.ctx else "")
    except SeereError as error:
        raise Refused(refusal_in_full(texts_of(ctx), error)) from error
    except (click.Abort, KeyboardInterrupt):
        raise Refused(texts_of(ctx).text("usage.stopped")) from None


def refusal_in_full(texts: Catalogue, error: SeereError) -> str:
    """What a terminal says of a refusal: what is wrong, then what to type about it, where that is known."""
    return " ".join(filter(None, (refusal(texts, error), hints(texts, error))))


def typed(text: str) -> str:
    """Words as people type them on one line, in one piece, with no comma of their own in a list of them."""
    return text.replace(",", "").replace(" ", "-")


def _keyed(start: str) -> Phrase:
    prefix = start if start.endswith(".") else f"{start}_"
    return lambda texts, code: texts.text(f"{prefix}{code}")


def _misused(ctx: click.Context, key: str, name: str, meaning: str = "") -> NoReturn:
    texts = texts_of(ctx)
    hint = texts.text("usage.hint", command=ctx.command_path)
    raise Misused(" ".join(filter(None, (texts.text(key, name=name), meaning, hint)))) from None


def _shown(ctx: click.Context, error: click.BadParameter) -> str:
    hint = error.param.get_error_hint(error.ctx) if error.param and error.ctx else str(error.param_hint or "")
    return _placed(ctx, hint.replace("'", ""))


def _placed(ctx: click.Context, text: str) -> str:
    """The text with what stands for something to be given in the words of the reader."""
    texts = texts_of(ctx)
    return _PLACEHOLDER.sub(lambda found: texts.text(f"placeholder.{found[0].lower()}"), text)


def _words(ctx: click.Context, error: click.BadParameter) -> str:
    """What can be said where only a few words can; nothing where others can. With their meaning, where that has them
    all."""
    if error.param is None:
        return ""
    kind = error.param.type
    words = kind.words(error.ctx or ctx) if isinstance(kind, Said) else getattr(kind, "choices", ())
    if not words:
        return ""
    meaning = _meaning(ctx, error.param)
    is_told = all(str(word) in meaning for word in words)
    return meaning if is_told else texts_of(ctx).text("usage.words", words=", ".join(map(str, words)))


def _path(ctx: click.Context) -> list[str]:
    """Names of the commands from below the program to this one."""
    names: list[str] = []
    while ctx.parent is not None:
        names.insert(0, ctx.info_name or "")
        ctx = ctx.parent
    return names


def _key(ctx: click.Context) -> str:
    return "_".join(_path(ctx)) or "seere"


def _meaning(ctx: click.Context, param: click.Parameter) -> str:
    """What an option or argument means in this command, where that is said, else what it means everywhere."""
    name = "help" if "--help" in param.opts else (param.name or "")
    try:
        return texts_of(ctx).text(f"option.{_key(ctx)}_{name}")
    except KeyError:
        return texts_of(ctx).text(f"option.{name}")
