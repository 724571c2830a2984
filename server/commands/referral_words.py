"""Words for what referrals and findings say by codes."""

from collections.abc import Mapping
from typing import Any, Final, get_args

from client_sync.protocol.vocabulary import label
from server.commands.operator import Operator
from server.commands.plain import plain
from server.commands.spoken import Said
from server.domain.act import Verdict
from server.domain.casework import BODY
from server.domain.folding import fold
from server.domain.places import Gazetteer
from server.domain.referral import PROGRAMMES, Destination
from server.domain.verification import CERTAINTIES, COURTS, METHODS, REOPENING, RULES
from server.services.cases.letters import body_word

FINDING: Final = Said("verification.state", RULES["under_verification"].next)
METHOD: Final = Said("verification.method", METHODS)
CERTAINTY: Final = Said("verification.certainty", CERTAINTIES)
VERDICT: Final = Said("verification.verdict", get_args(Verdict))
COURT: Final = Said("verification.court", COURTS)
AGAIN: Final = Said("verification.reopening", REOPENING)


def body(operator: Operator, to: Destination, places: Gazetteer | None) -> str:
    """A destination in words: the body, and what it covers."""
    word = body_word(to.body, operator.texts.language)
    if to.place is None:
        return word
    known = places.by_id.get(to.place) if places else None
    return operator.texts.text("referrals.at_place", body=word, place=plain(known.name if known else to.place))


def kind(operator: Operator, code: str) -> str:
    """A kind of act in words."""
    return plain(label("kind", code, operator.texts.language))


def finding(operator: Operator, state: str) -> str:
    """What an act is held to be, in words."""
    return operator.texts.text(f"verification.state_{state}")


def method(operator: Operator, code: str) -> str:
    """A method of verification, in words."""
    return operator.texts.text(f"verification.method_{code}")


def certainty(operator: Operator, code: str) -> str:
    """How certain a finding is, in words."""
    return operator.texts.text(f"verification.certainty_{code}")


def outcome(operator: Operator, programme: str, said: str) -> str:
    """The code of an outcome that was typed, as such or by its words. Refuses one that the programme does not give."""
    known = PROGRAMMES[programme].outcomes
    words = {code: operator.texts.text(PROGRAMMES[programme].outcome_key(code)) for code in known}
    found = {fold(word): code for code in known for word in (code, words[code])}.get(fold(said))
    if found is None:
        raise operator.refuse("referrals.outcomes", outcomes=" · ".join(f"{code} ({words[code]})" for code in known))
    return found


def named(operator: Operator, fields: Mapping[str, Any]) -> dict[str, str]:
    """Words for what the fields of an entry name: body, outcome, act, finding."""
    found: dict[str, str] = {}
    texts = operator.texts
    told = fields | fields.get("given", {})
    if BODY in told:
        found[BODY] = body_word(told[BODY], texts.language)
    if "programme" in fields and "outcome" in fields:
        found["outcome"] = texts.text(f"outcome.{fields['programme']}.{fields['outcome']}")
    if "act" in fields:
        found["act"] = kind(operator, fields["act"])
    if "act" in fields and "reason" in fields:
        again = texts.text(f"verification.reopening_{fields['reason']}")
        found["act"] = f"{found['act']} ({again})"
    if "state" in fields:
        found["state"] = finding(operator, fields["state"])
    return found
