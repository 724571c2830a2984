"""Guards: every route names who may call it, and a test walks the map of routes to see that it does."""

from collections.abc import Callable
from functools import wraps
from typing import Concatenate, Literal, ParamSpec, TypeVar

from flask import current_app, request

from server.domain.errors import DeviceUnknown
from server.hub import Hub
from server.services import devices
from server.services.devices import Device

P = ParamSpec("P")
R = TypeVar("R")
Guard = Literal["public", "enrolment", "device"]


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
        return view(devices.authenticate(this_hub().store, token), *args, **kwargs)

    guarded_view.guard = "device"  # type: ignore[attr-defined]
    return guarded_view


def this_hub() -> Hub:
    """The hub that answers this request."""
    hub: Hub = current_app.extensions["seere"]
    return hub
