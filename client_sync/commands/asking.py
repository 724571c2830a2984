"""Questions at a terminal: numbered choices, lines and numbers; skip, go back or close at any of them."""

from collections.abc import Sequence
from typing import Final

import click

from client_sync.commands.session import Session

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
            click.echo(self.texts.text(hint))

    def line(self, key: str = "ask.answer") -> str | None:
        """One line of text; None when it was skipped. Raises GoBack and Close."""
        typed: str = click.prompt(self.texts.text(key), default="", show_default=False, prompt_suffix=" ")
        if typed.strip() == BACK:
            raise GoBack
        if typed.strip() == CLOSE:
            raise Close
        return typed.strip() or None

    def lines(self) -> str | None:
        """Lines up to an empty one; None when the first is empty."""
        told: list[str] = []
        while (line := self.line("ask.line")) is not None:
            told.append(line)
        return "\n".join(told) or None

    def whole(self, key: str) -> int | None:
        """A whole number, spaces between its digits allowed; None when it was skipped."""
        while (typed := self.line(key)) is not None:
            digits = "".join(typed.split())
            if digits.isdecimal():
                return int(digits)
            self.session.say("ask.not_a_number")
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
            self.session.say_count("ask.out_of_range", len(options), most=most)

    def agrees(self, key: str) -> bool | None:
        """Yes, no, or None when it was skipped."""
        click.echo(self.texts.text(key))
        answer = self.choose([(code, self.texts.text(f"ask.{code}")) for code in ("yes", "no")])
        return None if answer is None else answer == "yes"


def _is_one_of(number: str, options: Sequence[Option]) -> bool:
    return number.isascii() and number.isdecimal() and 1 <= int(number) <= len(options)
