"""S15, people: who has an account, for what, with which keys; made, changed, reset, suspended, closed."""

from collections.abc import Callable, Sequence
from datetime import date
from typing import Any, Final

from flask import Blueprint, request, session, url_for
from werkzeug.datastructures import MultiDict
from werkzeug.wrappers import Response

from server.domain.errors import NameRefused, NotFound, ReasonMissing, SeereError
from server.domain.people import KEY_ROLES, ROLES, SIGN_UP_MAX, Role, login_name
from server.domain.places import place_name
from server.i18n import LANGUAGES, Catalogue, catalogue
from server.services.accounts import passphrases, people, second_factor
from server.services.accounts.people import Colleague, Made, Post
from server.services.accounts.sessions import Login
from server.services.cases import destinations, phrases
from server.web.auth import for_person, this_hub
from server.web.console import qr
from server.web.console.listing import csv_answer, wants_csv
from server.web.console.pages import Answer, offer_undo, page, see
from server.web.console.unsaid import Unsaid, why
from server.web.formats import day, moment

blueprint = Blueprint("people", __name__, url_prefix="/console/people")

_COLUMNS: Final = ("name", "role", "scope", "strict", "keys", "login", "state")
# Who speaks for a destination, and has no other scope.
_CLERK: Final[Role] = "commission"
# As a team is called on a device.
_CODE_MAX_CHARS: Final = 80


@blueprint.get("")
@for_person("manage_people")
def show(person: Login) -> Answer:
    """Everybody, those who left last."""
    texts = catalogue(person.language)
    known = people.overview(this_hub().store, person.actor)
    rows = [(each, dict(zip(_COLUMNS, _cells(texts, each), strict=True))) for each in known]
    header = [texts.text(f"people_page.column_{name}") for name in _COLUMNS]
    if wants_csv():
        return csv_answer(texts.text("people_page.file"), header, ([*cells.values()] for _, cells in rows))
    return page("people.html", person, rows=rows, header=header, leads=any(each.is_head for each in known))


@blueprint.get("/new")
@for_person("manage_people")
def ask(person: Login) -> str:
    """The form for somebody who has no account."""
    return _asked(person)


@blueprint.post("/new")
@for_person("manage_people")
def add(person: Login) -> Answer:
    """Make an account under sign-up words, which are shown this once."""
    hub, form = this_hub(), request.form
    words, until = passphrases.sign_up_words(), hub.clock() + SIGN_UP_MAX
    name, language = form.get("name", ""), form.get("language", "")
    try:
        post = _post(person, form, ())
        if language not in LANGUAGES:
            raise Unsaid("people_page.language_lacks")
        made = people.make(
            hub.store,
            hub.secrets.totp,
            person.actor,
            name,
            post,
            words,
            hub.clock(),
            language=language,
            change_by=until,
        )
    except (Unsaid, NameRefused) as refused:
        return _asked(person, wrong=_why(person, refused)), 422
    return _secrets(person, made, words)


@blueprint.get("/noted")
@for_person("manage_people")
def forget(person: Login) -> Response:
    """Back to the list; nothing of what was shown once stays."""
    del person
    # Browsers may keep a page for the way back, `no-store` or not, until a cookie of it changes.
    session.modified = True
    return see(url_for("people.show"))


@blueprint.get("/<account>")
@for_person("manage_people")
def look(person: Login, account: str) -> str:
    """One account, and what can be done to it."""
    return _looked_at(person, _found(person, account))


@blueprint.post("/<account>")
@for_person("manage_people")
def set_post(person: Login, account: str) -> Answer:
    """Give another role or scope, at once and for a reason."""
    hub, found = this_hub(), _found(person, account)
    before = found.account
    try:
        post = _post(person, request.form, before.regions)
        made = people.set_post(
            hub.store, hub.secrets.totp, person.actor, before.name, post, hub.clock(), reason=_reason()
        )
    except (Unsaid, ReasonMissing) as refused:
        return _looked_at(person, found, wrong_post=_why(person, refused)), 422
    if made.secret is not None:
        return _secrets(person, made)
    # Keys that were taken away do not come back with the role.
    if before.role not in KEY_ROLES or post.role in KEY_ROLES:
        _offer(person, "set", url_for("people.look", account=account), **_fields(found))
    return see(url_for("people.look", account=account))


@blueprint.get("/<account>/reset")
@for_person("manage_people")
def ask_reset(person: Login, account: str) -> str:
    """What resetting an account does, and the form for it."""
    return _confirming("people_reset.html", person, _found(person, account))


@blueprint.post("/<account>/reset")
@for_person("manage_people")
def reset(person: Login, account: str) -> Answer:
    """Give sign-up words, another second factor and other keys; the words are shown this once."""
    hub, found = this_hub(), _found(person, account)
    words, until = passphrases.sign_up_words(), hub.clock() + SIGN_UP_MAX
    try:
        made = people.reset(
            hub.store,
            hub.secrets.totp,
            person.actor,
            found.account.name,
            words,
            hub.clock(),
            reason=_reason(),
            change_by=until,
        )
    except ReasonMissing as refused:
        return _confirming("people_reset.html", person, found, wrong=_why(person, refused)), 422
    return _secrets(person, made, words)


@blueprint.post("/<account>/suspend")
@for_person("manage_people")
def suspend(person: Login, account: str) -> Answer:
    """Let nobody in by an account, until it is restored."""
    return _turned(person, account, people.suspend, "suspended", "people.restore")


@blueprint.post("/<account>/restore")
@for_person("manage_people")
def restore(person: Login, account: str) -> Answer:
    """Let the holder of a suspended account in again."""
    return _turned(person, account, people.restore, "restored", "people.suspend")


@blueprint.post("/<account>/head")
@for_person("manage_people")
def name_head(person: Login, account: str) -> Response:
    """Let somebody be who leads the network."""
    hub, found = this_hub(), _found(person, account)
    before = people.head(hub.store, person.actor)
    people.name_head(hub.store, person.actor, found.account.name, hub.clock())
    if before is not None and before.id != account:
        _offer(person, "head", url_for("people.name_head", account=before.id))
    return see(url_for("people.look", account=account))


@blueprint.get("/<account>/leave")
@for_person("manage_people")
def ask_leave(person: Login, account: str) -> str:
    """What closing an account does, and the form for it."""
    return _confirming("people_leave.html", person, _found(person, account))


@blueprint.post("/<account>/leave")
@for_person("manage_people")
def leave(person: Login, account: str) -> Answer:
    """Close an account for good, once its name was typed."""
    hub, form, found = this_hub(), request.form, _found(person, account)
    try:
        if login_name(form.get("name", "")) != found.account.login:
            raise Unsaid("people_page.leave_wrong")
        people.end(hub.store, person.actor, found.account.name, hub.clock(), reason=_reason())
    except (Unsaid, ReasonMissing) as refused:
        return _confirming("people_leave.html", person, found, wrong=_why(person, refused)), 422
    return see(url_for("people.show"))


def _turned(person: Login, account: str, act: Callable[..., None], done: str, back: str) -> Answer:
    """Suspend or restore an account for a reason, and offer `back`, the route that takes it back."""
    hub, found = this_hub(), _found(person, account)
    try:
        act(hub.store, person.actor, found.account.name, hub.clock(), reason=_reason())
    except ReasonMissing as refused:
        return _looked_at(person, found, wrong_state=_why(person, refused)), 422
    _offer(person, done, url_for(back, account=account))
    return see(url_for("people.look", account=account))


def _reason() -> str:
    return request.form.get("reason", "")


def _found(person: Login, account: str) -> Colleague:
    """The account with this id, whose holder did not leave. Raises NotFound."""
    known = people.overview(this_hub().store, person.actor)
    found = next((each for each in known if each.account.id == account and each.account.left_at is None), None)
    if found is None:
        raise NotFound(object=account)
    return found


def _why(person: Login, refused: Unsaid | SeereError) -> str:
    return why(catalogue(person.language), refused)


def _offer(person: Login, act: str, url: str, **fields: str) -> None:
    texts = catalogue(person.language)
    offer_undo(texts.text(f"people_page.done_{act}"), url, **({"reason": texts.text("people_page.undone")} | fields))


def _asked(person: Login, wrong: str = "") -> str:
    form, texts = request.form, catalogue(person.language)
    return page(
        "people_new.html",
        person,
        wrong=wrong,
        typed=form,
        languages={each: texts.text(f"language.{each}") for each in LANGUAGES},
        days=SIGN_UP_MAX.days,
        **_choices(person, _said(form)),
    )


def _looked_at(person: Login, found: Colleague, *, wrong_post: str = "", wrong_state: str = "") -> str:
    said = _said(request.form) if wrong_post else _standing(found)
    return page(
        "people_one.html",
        person,
        found=found,
        account=found.account,
        is_own=found.account.id == person.actor.id,
        facts=_facts(catalogue(person.language), found),
        wrong_post=wrong_post,
        wrong_state=wrong_state,
        typed=request.form,
        **_choices(person, said),
    )


def _confirming(template: str, person: Login, found: Colleague, wrong: str = "") -> str:
    return page(
        template,
        person,
        account=found.account,
        is_own=found.account.id == person.actor.id,
        is_last_named=found.is_last_named,
        has_keys=found.account.role in KEY_ROLES,
        wrong=wrong,
        typed=request.form,
    )


def _secrets(person: Login, made: Made, words: str = "") -> str:
    """The page that shows, this once, the words that let somebody in and the second factor."""
    hub, account = this_hub(), made.account
    issuer = hub.settings.coalition or catalogue(person.language).text("page.brand")
    return page(
        "people_secrets.html",
        person,
        account=account,
        words=words.split(),
        until=hub.clock() + SIGN_UP_MAX,
        secret=made.secret,
        qr=qr.drawn(second_factor.address(made.secret, account.name, issuer)) if made.secret else "",
        has_keys=account.role in KEY_ROLES,
    )


def _choices(person: Login, said: dict[str, Any]) -> dict[str, Any]:
    """What a form for a role and a scope offers, and what of it is said already."""
    texts, known = catalogue(person.language), people.overview(this_hub().store, person.actor)
    return {
        "said": said,
        "roles": {each: texts.text(f"role.{each}") for each in ROLES},
        "role_means": {each: texts.text(f"people_page.role_{each}") for each in ROLES},
        "regions": _regions(said["regions"]),
        "bodies": _bodies(person),
        "teams": sorted({team for each in known for team in each.account.teams}),
        "partners": sorted({partner for each in known for partner in each.account.partners}),
    }


def _said(form: MultiDict[str, str]) -> dict[str, Any]:
    """What a form says of a role and a scope, as it was typed."""
    typed = {name: form.get(name, "") for name in ("role", "teams", "partners", "named", "destination")}
    return typed | {"regions": _listed(form.getlist("regions"))}


def _standing(found: Colleague) -> dict[str, Any]:
    """What stands of an account, as `_said` gives it."""
    return _fields(found) | {"regions": found.account.regions}


def _fields(found: Colleague) -> dict[str, str]:
    """The form that gives an account the role and scope which it has."""
    account = found.account
    lists = {"regions": account.regions, "teams": account.teams, "partners": account.partners}
    return {
        "role": account.role,
        "named": "yes" if account.is_named_reader else "",
        "destination": account.destination or "",
        **{name: ", ".join(listed) for name, listed in lists.items()},
    }


def _regions(standing: Sequence[str]) -> dict[str, str]:
    """The names of all regions by their ids, in order; and of those that stand and are on no list."""
    places = this_hub().gazetteer()
    known = {each.id: each.name for each in (places.regions if places else ())}
    return known | {id: id for id in standing if id not in known}


def _bodies(person: Login) -> dict[str, str]:
    """What destinations are called, by their codes."""
    hub, texts = this_hub(), catalogue(person.language)
    desk = hub.desk(person.actor)
    return {each.code: phrases.body(texts, each, desk.places) for each in destinations.listed(hub.store, desk)}


def _post(person: Login, form: MultiDict[str, str], standing: Sequence[str]) -> Post:
    """The role and scope that a form says; regions that stand stay, listed or not. Raises Unsaid."""
    role = next((each for each in ROLES if each == form.get("role")), None)
    if role is None:
        raise Unsaid("people_page.role_lacks")
    regions = _listed(form.getlist("regions"))
    if not set(regions) <= _regions(standing).keys():
        raise Unsaid("people_page.region_unknown")
    teams, partners = (_listed(form.getlist(name)) for name in ("teams", "partners"))
    if any(len(each) > _CODE_MAX_CHARS or not each.isprintable() for each in (*teams, *partners)):
        raise Unsaid("people_page.code_too_long")
    is_named = bool(form.get("named"))
    if is_named and role not in KEY_ROLES:
        raise Unsaid("people_page.named_keyless")
    to = form.get("destination", "") if role == _CLERK else ""
    if to and to not in _bodies(person):
        raise Unsaid("people_page.destination_unknown")
    return Post(role, regions, teams, partners, is_named, to)


def _listed(values: Sequence[str]) -> list[str]:
    """The names in fields that hold one or several, between commas."""
    names = (" ".join(each.split()) for value in values for each in value.split(","))
    return [each for each in names if each]


def _facts(texts: Catalogue, found: Colleague) -> dict[str, str]:
    """What is known of an account, by what each is called; what says nothing is left out."""
    account = found.account
    said = {
        "made": day(account.made_at),
        "column_login": _last_login(texts, found),
        "column_keys": _keys(texts, found),
        "factor": texts.text("people_page.factor_yes" if account.totp else "people_page.factor_no"),
        "change_by": account.change_by and moment(account.change_by),
        "column_language": texts.text(f"language.{account.language}"),
    }
    return {texts.text(f"people_page.{name}"): value for name, value in said.items() if value}


def _cells(texts: Catalogue, found: Colleague) -> Sequence[str]:
    """What the list shows of an account, by _COLUMNS."""
    account = found.account
    return [
        account.name,
        texts.text(f"role.{account.role}"),
        _scope(texts, found),
        texts.text("people.yes") if account.is_named_reader else "",
        "" if account.left_at else _keys(texts, found),
        _last_login(texts, found),
        texts.text(f"people.state_{account.state}", day=day(account.left_at) if account.left_at else ""),
    ]


def _last_login(texts: Catalogue, found: Colleague) -> str:
    last = found.account.last_login_on
    return texts.text("people_page.never") if last is None else day(date.fromisoformat(last))


def _scope(texts: Catalogue, found: Colleague) -> str:
    account, places = found.account, this_hub().gazetteer()
    if account.role == _CLERK:
        return account.destination or texts.text("people_page.destination_none")
    regions = [place_name(places, each) for each in account.regions]
    return ", ".join((*regions, *account.teams, *account.partners)) or texts.text("people.everywhere")


def _keys(texts: Catalogue, found: Colleague) -> str:
    if found.account.role not in KEY_ROLES:
        return ""
    if not found.keys:
        return texts.text("people_page.keys_none")
    return texts.text("people_page.keys_in_use" if found.is_sealed_to else "people_page.keys_unpublished")
