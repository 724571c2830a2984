"""The recovery key at the terminal: three lists of words on paper, two of which, typed, are the key."""

import difflib
from collections.abc import Sequence
from typing import Final

from shamir_mnemonic import MnemonicError, combine_mnemonics, generate_mnemonics
from shamir_mnemonic.share import Share
from shamir_mnemonic.wordlist import WORDLIST

from server.commands.operator import Operator
from server.commands.spoken import Refused
from server.domain.errors import RecoveryKeyWrong

SHARES: Final = 3
_SHARES_NEEDED: Final = 2
_KNOWN: Final = frozenset(WORDLIST)
_NEAR_SHOWN: Final = 3
# Of 10 letters at most one or two are wrong in a word that was copied by hand.
_NEAR_ENOUGH: Final = 0.6
_COLUMNS: Final = 3


def split(key: bytes) -> list[str]:
    """Three lists of words for a private key of 32 bytes: any two of them are the key, one says nothing of it."""
    # No passphrase on top: it would be one more thing to lose, and two custodians are the protection.
    groups: list[list[str]] = generate_mnemonics(1, [(_SHARES_NEEDED, SHARES)], key, iteration_exponent=0)
    return groups[0]


def show_shares(operator: Operator, shares: Sequence[str]) -> None:
    """Show each list to its custodian alone, one after the other; they are shown nowhere again."""
    for number, words in enumerate(shares, 1):
        operator.say("keys.share_next", number=number)
        operator.wait_for_enter("keys.share_ready")
        with operator.own_screen():
            operator.say("keys.share", number=number, words=_laid_out(operator, words))
            operator.wait_for_enter("keys.share_written")


def ask_recovery_key(operator: Operator) -> bytes:
    """The private part of the recovery key, 32 bytes. Raises RecoveryKeyWrong for lists that don't belong together.

    A word that is on no list, or a list that can't be, is said at once; at a terminal it can be put right there.
    """
    lists = [_asked(operator, number) for number in range(1, _SHARES_NEEDED + 1)]
    try:
        key: bytes = combine_mnemonics(lists)
    except MnemonicError:
        raise RecoveryKeyWrong from None
    return key


def _asked(operator: Operator, number: int) -> str:
    """One list as its custodian types it, whole and without a misspelt word."""
    with operator.own_screen():
        while True:
            words = operator.answer(operator.texts.text("shares.ask", number=number)).lower().split()
            shared = " ".join(_corrected(operator, number, place, word) for place, word in enumerate(words, 1))
            try:
                Share.from_mnemonic(shared)
            except MnemonicError:
                _refuse_or_say(operator, operator.refuse("shares.unfit", number=number, count=len(words)))
            else:
                return shared


def _corrected(operator: Operator, number: int, place: int, word: str) -> str:
    while word not in _KNOWN:
        near = difflib.get_close_matches(word, WORDLIST, _NEAR_SHOWN, _NEAR_ENOUGH)
        shown = ", ".join(near) or "–"
        _refuse_or_say(operator, operator.refuse("shares.unknown", number=number, place=place, word=word, near=shown))
        word = operator.answer(operator.texts.text("shares.ask_word", place=place)).strip().lower()
    return word


def _refuse_or_say(operator: Operator, refused: Refused) -> None:
    """Where nobody can put it right, what is wrong is a refusal."""
    if not operator.has_terminal:
        raise refused
    refused.show()


def _laid_out(operator: Operator, words: str) -> str:
    """The words numbered, for a person who copies them; in one line for what is no person."""
    if not operator.has_terminal:
        return words
    numbered = [f"{place:>4}. {word:<12}" for place, word in enumerate(words.split(), 1)]
    rows = -(-len(numbered) // _COLUMNS)
    lines = ("".join(numbered[row::rows]).rstrip() for row in range(rows))
    return "\n\n" + "\n".join(lines) + "\n"
