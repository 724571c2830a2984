"""Questions at a terminal: numbered choices, lines and numbers; skip, go back or close at any of them."""

from collections.abc import Sequence
from typing import Final

import click

from client_sync.commands.session import Session
from client_sync.protocol.limits import TEXT_MAX_CHARS

BACK: Final = "<"
CLOSE: Final = "!"

# A code and the words for it.
Option = tuple[str, str]


class GoBack(Exception):
    """The person wants the question before."""


class Close(Exception):
    """The person wants to stop here; what was answered is kept."""


class Asker:
    """Asks on the terminal of a session."""

    def __init__(self, session: Session) -> None:
        self.session = session
        self.texts = session.texts

    def title(self, key: str, hint: str | None = None) -> None:
        """Write a question, and a line of help under it."""
        click.echo()
        click.secho(self.texts.text(key), bold=True)
        if hint is not None:
            self.session.say(hint)

    def line(self, key: str = "ask.answer", most_chars: int = TEXT_MAX_CHARS) -> str | None:
        """One line of text that a complaint can hold; None when it was skipped. Raises GoBack and Close."""
        while True:
            typed = self.session.typed(self.texts.text(key), default="").strip()
            if typed == BACK:
                raise GoBack
            if typed == CLOSE:
                raise Close
            if len(typed) > most_chars:
                self.session.say("ask.too_long", most=most_chars)
            elif not _is_text(typed):
                self.session.say("error.text_surrogate")
            else:
                return typed or None

    def lines(self, most_chars: int) -> str | None:
        """Lines up to an empty one; None when the first is empty. A line that no longer fits is asked again."""
        told = ""
        while (line := self.line("ask.line")) is not None:
            if len(told) + 1 + len(line) > most_chars:
                self.session.say("ask.too_long", most=most_chars)
                break
            told = f"{told}\n{line}" if told else line
        return told or None

    def whole(self, key: str, most: int, otherwise: str = "ask.not_a_number") -> int | None:
        """A whole number up to `most`, spaces between its digits allowed; None when it was skipped.

        `otherwise` is the text for what is no such number.
        """
        while (typed := self.line(key)) is not None:
            digits = "".join(typed.split())
            if digits.isascii() and digits.isdecimal() and int(digits) <= most:
                return int(digits)
            self.session.say(otherwise, most=most)
        return None

    def choose(self, options: Sequence[Option], *, may_skip: bool = True) -> str | None:
        """The code of one option, typed as its number; None when it was skipped."""
        while True:
            chosen = self.several(options, most=1)
            if chosen or may_skip:
                return chosen[0] if chosen else None
            self.session.say("ask.needed")

    def several(self, options: Sequence[Option], *, most: int) -> list[str]:
        """The codes of up to `most` options, in the order typed; none when it was skipped."""
        for number, (_, words) in enumerate(options, 1):
            click.echo(f"{number:>3}  {words}")
        while True:
            typed = self.line("ask.number" if most == 1 else "ask.numbers")
            numbers = (typed or "").replace(",", " ").split()
            if len(numbers) <= most and all(_is_one_of(number, options) for number in numbers):
                return list(dict.fromkeys(options[int(number) - 1][0] for number in numbers))
            key = "ask.out_of_range" if most == 1 else "ask.out_of_range_of_several"
            self.session.say_count(key, len(options), most=most)

    def agrees(self, key: str, *, may_skip: bool = True) -> bool | None:
        """Yes, no, or None when it was skipped."""
        click.echo(self.texts.text(key))
        answer = self.choose([(code, self.texts.text(f"ask.{code}")) for code in ("yes", "no")], may_skip=may_skip)
        return None if answer is None else answer == "yes"


def _is_text(typed: str) -> bool:
    """Whether a terminal gave text: one with another encoding than ours gives halves of characters."""
    return "\0" not in typed and not any("\ud800" <= char <= "\udfff" for char in typed)


def _is_one_of(number: str, options: Sequence[Option]) -> bool:
    return number.isascii() and number.isdecimal() and 1 <= int(number) <= len(options)
