"""S9, verification: what each act is held to be, on which ground, by whom, and what courts decided."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, Final, get_args

from flask import Blueprint, request
from werkzeug.wrappers import Response

from server.domain.act import Judgement, Verdict
from server.domain.case import version_after
from server.domain.errors import FindingRefused, JudgementRefused, NoteRefused
from server.domain.permission import may_ever
from server.domain.verification import CERTAINTIES, COURTS, METHODS, REOPENING, RULES, STATES
from server.i18n import Catalogue, catalogue
from server.refusals import refusal
from server.services import keyrings
from server.services.accounts.sessions import Login
from server.services.cases import noting, phrases, verifying
from server.services.cases.verifying import Concluded, LookedInto, Visitor, Work
from server.web.auth import for_person, this_hub
from server.web.console.case_view import Look, state
from server.web.console.pages import Answer, offer_undo, page, see

blueprint = Blueprint("verification", __name__, url_prefix="/console/cases/<number>/verification")

_OPEN: Final = "under_verification"
# In the order of the vocabulary, the worst known first.
_FINDINGS: Final = tuple(each for each in STATES if each in RULES[_OPEN].next)


@dataclass(frozen=True)
class ActCard:
    """An act in words. `name` tells its form from the others; `devices` are those that may have gone there.

    `wrong`: why what was just said of it can't stand.
    """

    name: str
    number: str
    code: str
    kind: str
    victims: int
    look: Look
    looked: LookedInto
    ground: Mapping[str, str]
    devices: Sequence[Visitor]
    wrong: str

    @property
    def is_open(self) -> bool:
        """Whether it is being verified."""
        return self.looked.found is not None and self.looked.found.state == _OPEN


@dataclass(frozen=True)
class Accused:
    """A person of a complaint who is accused, by number, in words; `is_final`: a court decided for good."""

    number: str
    no: int
    words: str
    is_final: bool


@blueprint.get("")
@for_person("verify_act")
def show(person: Login, number: str) -> Answer:
    """Every act that the reader may verify."""
    return _shown(person, number)


@blueprint.post("")
@for_person("verify_act")
def note(person: Login, number: str) -> Answer:
    """Begin with an act, or say what it is held to be."""
    form = request.form
    doing = {"begin": _begin, "conclude": _conclude}.get(form.get("do", ""))
    if doing is None:
        return _shown(person, number), 422
    about, kind = form.get("number", ""), form.get("kind", "")
    try:
        doing(person, about, kind)
    except (FindingRefused, NoteRefused) as refused:
        return _shown(person, number, refused=(_name(about, kind), refusal(catalogue(person.language), refused))), 422
    return _done(person, number, form["do"], f"{about}, {phrases.kind(catalogue(person.language), kind)}")


@blueprint.post("/judgements")
@for_person("handle_case")
def judge(person: Login, number: str) -> Answer:
    """Note what a court decided of somebody who is accused."""
    hub, form = this_hub(), request.form
    about, no = form.get("number", ""), form.get("person", 0, int)
    verdict: Verdict | None = next((each for each in get_args(Verdict) if each == form.get("verdict")), None)
    decided_on = _day(form.get("on", ""))
    if verdict is None or decided_on is None:
        wrong = catalogue(person.language).text("verifying.say_all")
        return _shown(person, number, refused=(_name(about, no), wrong)), 422
    said = Judgement(verdict, form.get("court", ""), decided_on, "final" in form)
    try:
        verifying.judge(hub.store, hub.desk(person.actor), about, no, said, after=_after())
    except JudgementRefused as refused:
        return _shown(person, number, refused=(_name(about, no), refusal(catalogue(person.language), refused))), 422
    return _done(person, number, "judge", about)


def _begin(person: Login, about: str, kind: str) -> None:
    hub, reason = this_hub(), request.form.get("reason") or None
    verifying.begin(hub.store, hub.desk(person.actor), about, kind, after=_after(), reason=reason)


def _conclude(person: Login, about: str, kind: str) -> None:
    """Note the finding, and beside it what was written."""
    hub, form = this_hub(), request.form
    desk, words = hub.desk(person.actor, person.keys), form.get("note", "").strip()
    noting.check(words)
    found = next((each for each in _FINDINGS if each == form.get("state")), None)
    verified_on = _day(form.get("on", ""))
    # The rules refuse a day that has not come, and a state that is none.
    said = Concluded(
        state=found or "unverified",
        method=form.get("method", ""),
        sources=form.get("sources", 0, int),
        certainty=form.get("certainty", ""),
        verified_on=verified_on or date.max,
        device=form.get("device", ""),
    )
    verifying.conclude(hub.store, desk, about, kind, said, after=_after())
    if words:
        noting.write(hub.store, desk, keyrings.current(hub.store), about, words)


def _shown(person: Login, number: str, *, refused: tuple[str, str] = ("", "")) -> str:
    """`refused`: the form that was, and why."""
    hub, texts = this_hub(), catalogue(person.language)
    desk = hub.desk(person.actor)
    work = verifying.work(hub.store, desk, number)
    return page(
        "verification.html",
        person,
        number=work.number,
        work=work,
        cards=[_card(texts, work, each, refused) for each in work.acts],
        accused=_accused(texts, work) if work.is_handler else [],
        findings={each: phrases.finding(texts, each) for each in _FINDINGS},
        rules={each: _rule(texts, each) for each in _FINDINGS},
        methods={each: phrases.method(texts, each) for each in METHODS},
        certainties={each: phrases.certainty(texts, each) for each in CERTAINTIES},
        reopening={each: texts.text(f"verification.reopening_{each}") for each in REOPENING},
        verdicts={each: texts.text(f"verification.verdict_{each}") for each in get_args(Verdict)},
        courts={each: texts.text(f"verification.court_{each}") for each in COURTS},
        today=desk.now.date(),
        refused=refused,
        typed=request.form,
        sees_case=may_ever(person.actor, "handle_case"),
    )


def _card(texts: Catalogue, work: Work, each: LookedInto, refused: tuple[str, str]) -> ActCard:
    code, name = each.act.kind, _name(each.number, each.act.kind)
    return ActCard(
        name=name,
        number=each.number,
        code=code,
        kind=phrases.kind(texts, code),
        victims=each.act.victims,
        look=state(texts, "unverified" if each.found is None else each.found.state),
        looked=each,
        ground=_ground(texts, each),
        devices=[one for one in work.devices if one.number == each.number],
        wrong=refused[1] if refused[0] == name else "",
    )


def _ground(texts: Catalogue, each: LookedInto) -> dict[str, str]:
    """What the finding that stands rests on."""
    basis = each.found.basis if each.found else None
    if basis is None:
        return {}
    said = {
        "method": phrases.method(texts, basis.method),
        "sources": str(basis.sources),
        "certainty": phrases.certainty(texts, basis.certainty),
        "on": phrases.day(texts, basis.verified_on),
        "verifier": each.verifier,
    }
    return {texts.text(f"verifying.{name}"): words for name, words in said.items() if words}


def _rule(texts: Catalogue, code: str) -> str:
    """The least that a finding takes."""
    rule = RULES[code]
    least = texts.plural("verifying.least_sources", rule.sources)
    if rule.certainty in (None, CERTAINTIES[0]):
        return least
    return texts.text("verifying.least", sources=least, certainty=phrases.certainty(texts, str(rule.certainty)))


def _accused(texts: Catalogue, work: Work) -> list[Accused]:
    found: dict[tuple[str, int], Accused] = {}
    for each in work.acts:
        for one in each.act.involved:
            if one.is_accused:
                words = phrases.accused(texts, one)
                found[each.number, one.person] = Accused(each.number, one.person, words, not one.is_alleged)
    return list(found.values())


def _done(person: Login, number: str, done: str, what: str) -> Response:
    if may_ever(person.actor, "handle_case"):
        text = catalogue(person.language).text(f"verifying.done_{done}", what=what)
        offer_undo(text, f"/console/cases/{number}/undo", no=str(version_after(_after())))
    return see(f"/console/cases/{number}/verification")


def _name(number: str, which: Any) -> str:
    return f"{number}-{which}"


def _after() -> int:
    return request.form.get("after", 0, int)


def _day(text: str) -> date | None:
    try:
        return date.fromisoformat(text)
    except ValueError:
        return None
