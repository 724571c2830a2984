"""Filters of a list: they stand in its address, go along with its forms, and are there again afterwards."""

from collections.abc import Iterable
from typing import Any

from flask import request, url_for


def kept(names: Iterable[str]) -> dict[str, str]:
    """Those filters, of these names, that the request sets."""
    return {name: request.values[name] for name in names if request.values.get(name)}


def address(endpoint: str, names: Iterable[str], **changes: str) -> str:
    """Where the list is with the filters that are `kept`, and with changes; an empty one takes that out."""
    values: dict[str, Any] = {name: value for name, value in (kept(names) | changes).items() if value}
    return url_for(endpoint, **values)
