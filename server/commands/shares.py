"""The recovery key at the terminal: two of its three printed lists of words, typed, are the key."""

import click
from shamir_mnemonic import MnemonicError, combine_mnemonics, generate_mnemonics

from server.commands.operator import Operator
from server.domain.errors import RecoveryKeyWrong

SHARES = 3
_SHARES_NEEDED = 2


def split(key: bytes) -> list[str]:
    """Three lists of words for a private key of 32 bytes: any two of them are the key, one says nothing of it."""
    # No passphrase on top: it would be one more thing to lose, and two custodians are the protection.
    groups: list[list[str]] = generate_mnemonics(1, [(_SHARES_NEEDED, SHARES)], key, iteration_exponent=0)
    return groups[0]


def ask_recovery_key(operator: Operator) -> bytes:
    """The private part of the recovery key, 32 bytes. Raises RecoveryKeyWrong for lists that don't belong together."""
    texts = operator.texts
    asked = [texts.text("shares.ask", number=number) for number in range(1, _SHARES_NEEDED + 1)]
    typed = [click.prompt(each, prompt_suffix=texts.text("usage.asks")) for each in asked]
    try:
        key: bytes = combine_mnemonics([" ".join(words.lower().split()) for words in typed])
    except MnemonicError:
        raise RecoveryKeyWrong from None
    return key
