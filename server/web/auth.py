"""Guards: every route names who may call it, and a test walks the map of routes to see that it does."""

from collections.abc import Callable
from functools import wraps
from typing import Concatenate, Final, Literal, ParamSpec, TypeVar

from flask import current_app, g, redirect, render_template, request, session, url_for
from werkzeug.wrappers import Response

from server.domain.errors import DeviceUnknown, NotFound, SessionOver
from server.domain.permission import Action, may_ever
from server.hub import Hub
from server.i18n import catalogue
from server.services import devices
from server.services.accounts import sessions
from server.services.accounts.sessions import Login
from server.services.devices import Device
from server.web.formats import callers_language, read_in

P = ParamSpec("P")
R = TypeVar("R")
Guard = Literal["public", "enrolment", "device"]

# Where a script puts what is no page: its form stays as it is.
_BESIDE: Final = {"HX-Retarget": "#ended", "HX-Reswap": "innerHTML", "HX-Push-Url": "false"}
# Where the cookie keeps the token of a session.
TOKEN: Final = "token"
# What somebody may do who has not yet chosen a passphrase.
_ALWAYS: Final[Action] = "use_account"


def guarded(guard: Guard) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Name the guard of a view that needs no caller: `public`, or `enrolment` where the code is the key."""

    def mark(view: Callable[P, R]) -> Callable[P, R]:
        view.guard = guard  # type: ignore[attr-defined]
        return view

    return mark


def for_device(view: Callable[Concatenate[Device, P], R]) -> Callable[P, R]:
    """Let a device in by its bearer token; cookies are never looked at."""

    @wraps(view)
    def guarded_view(*args: P.args, **kwargs: P.kwargs) -> R:
        kind, _, token = request.headers.get("Authorization", "").partition(" ")
        if kind.lower() != "bearer" or not token:
            raise DeviceUnknown
        device = devices.authenticate(this_hub().store, token)
        g.device = device.id
        return view(device, *args, **kwargs)

    guarded_view.guard = "device"  # type: ignore[attr-defined]
    return guarded_view


def for_person(
    action: Action,
) -> Callable[[Callable[Concatenate[Login, P], R]], Callable[P, R | Response]]:
    """Let in who has a session and a role that may ever do `action`; on what, is for the view's service to permit.

    Without a session the caller is sent to log in, and back; for another role the page does not exist. Whoever came in
    by sign-up words is sent to choose a passphrase. What the view writes is written as its reader writes it.
    """

    def guard(view: Callable[Concatenate[Login, P], R]) -> Callable[P, R | Response]:
        @wraps(view)
        def guarded_view(*args: P.args, **kwargs: P.kwargs) -> R | Response:
            try:
                person = this_person()
            except SessionOver:
                return _to_login()
            if not may_ever(person.actor, action):
                raise NotFound
            if person.must_choose and action != _ALWAYS:
                return redirect(url_for("account.show"), 303)
            read_in(person.language)
            return view(person, *args, **kwargs)

        guarded_view.guard = f"permit:{action}"  # type: ignore[attr-defined]
        return guarded_view

    return guard


def _to_login() -> Response:
    """The way in, and back to the page; a script that sends a form is told beside it, so that what was typed stays."""
    if request.method == "GET":
        return redirect(url_for("login.ask", next=request.full_path.rstrip("?")), 303)
    if request.headers.get("HX-Request"):
        said = render_template("ended.html", texts=catalogue(callers_language()))
        return Response(said, 401, _BESIDE, mimetype="text/html")
    return redirect(url_for("login.ask"), 303)


def this_person() -> Login:
    """The person whose browser asks. Raises SessionOver."""
    token = session.get(TOKEN)
    if token is None:
        raise SessionOver
    hub = this_hub()
    return sessions.resume(hub.store, token, hub.clock())


def this_hub() -> Hub:
    """The hub that answers this request."""
    hub: Hub = current_app.extensions["seere"]
    return hub
