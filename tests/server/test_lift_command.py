"""`seere lift`: a named reader takes back that a complaint is strictly confidential."""

from collections.abc import Callable
from typing import Any

import pyotp
import pytest
from click.testing import Result

from server.domain.permission import OPERATOR
from server.hub import Hub
from server.services.accounts import people
from server.services.accounts.people import Post
from server.store import accounts
from tests.builders import NOW, PASSPHRASE, complaint, enrolled, facts, revision

Run = Callable[..., Result]
NUMBER = "SRE-2026-000001"
WHY = "vu avec l'équipe"


@pytest.fixture
def hub(folder_hub: Hub) -> Hub:
    """With a complaint that a colleague's device made strict, and one that is strict by itself."""
    first, second = (enrolled(folder_hub, label, team="gao") for label in ("Gao 1", "Gao 2"))
    first.send(complaint("a"), complaint("b", confidentiality="strict"))
    second.send(revision("r", "a", 1, lineage=first.lineage, facts={"clear": facts(confidentiality="strict")}))
    return folder_hub


@pytest.fixture
def lift(seere: Run, hub: Hub) -> Run:
    """Runs `seere lift` as a coordinator for everything, a named reader or not."""

    def run(*arguments: str, is_named_reader: bool = True) -> Result:
        name = "Awa" if is_named_reader else "Oumar"
        post = Post("coordinator", is_named_reader=is_named_reader)
        made = people.make(hub.store, hub.secrets.totp, OPERATOR, name, post, PASSPHRASE, NOW)
        with hub.store.write() as connection:
            accounts.update(connection, made.account.id, totp_step=0)
        typed = (PASSPHRASE, pyotp.TOTP(str(made.secret)).now())
        return seere("lift", *arguments, "--as", name, typed=typed)

    return run


def test_named_reader_is_told_how_confidential_it_is_now(lift: Run) -> None:
    found = lift(NUMBER, "--reason", WHY)
    assert found.exit_code == 0, found.output
    assert f"{NUMBER} n'est plus strictement confidentielle ; elle est : confidentielle." in found.output


@pytest.mark.parametrize(
    ("arguments", "who", "words"),
    [
        ((NUMBER,), {}, "Dites pourquoi"),
        ((NUMBER, "--reason", "trop peu"), {}, "Dites pourquoi"),
        ((NUMBER, "--reason", WHY), {"is_named_reader": False}, f"« {NUMBER} »"),
        (("SRE-1999-000009", "--reason", WHY), {}, "« SRE-1999-000009 »"),
        (("SRE-2026-000002", "--reason", WHY), {}, "Les faits de cette plainte demandent eux-mêmes"),
    ],
)
def test_refusal_says_why(lift: Run, arguments: tuple[str, ...], who: dict[str, Any], words: str) -> None:
    found = lift(*arguments, **who)
    assert found.exit_code == 1
    assert words in found.output
