"""Emergency cards: what to do first, where to go and whom to call, shown when an answer means danger."""

import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib import resources
from typing import Any, Final

REASONS: Final = ("danger", "gbv", "child", "detention")


@dataclass(frozen=True)
class PhoneNumber:
    """A number and whose it is."""

    label: str
    number: str


@dataclass(frozen=True)
class Card:
    """One card, in plain French: `steps` in the order to take them, where to go, numbers nearest first."""

    title: str
    steps: tuple[str, ...]
    care: str
    numbers: tuple[PhoneNumber, ...]


@dataclass(frozen=True)
class _Advice:
    title: str
    steps: tuple[str, ...]
    care: str


@dataclass(frozen=True)
class _Local:
    care: Mapping[str, str]
    numbers: tuple[PhoneNumber, ...]


@dataclass(frozen=True)
class CardDirectory:
    """One version of every card, by reason and by place."""

    version: str
    _advice: Mapping[str, _Advice]
    _local: Mapping[str, _Local]
    _wider: Mapping[str, str]
    _everywhere: tuple[PhoneNumber, ...]

    def card_for(self, place_id: str | None, reason: str) -> Card:
        """The card for `reason`, with what is known nearest to a cercle or region.

        A place that is not listed, or None, gets the card that holds everywhere. Raises KeyError when
        `reason` is not one of REASONS.
        """
        advice = self._advice[reason]
        near = list(self._around(place_id))
        care = next((local.care[reason] for local in near if reason in local.care), advice.care)
        numbers = next((local.numbers for local in near if local.numbers), ())
        return Card(advice.title, advice.steps, care, numbers + self._everywhere)

    def _around(self, place_id: str | None) -> Iterator[_Local]:
        while place_id is not None:
            if place_id in self._local:
                yield self._local[place_id]
            place_id = self._wider.get(place_id)


def read_cards(text: str) -> CardDirectory:
    """The directory written in `text`, in the form of the shipped cards.toml.

    Raises ValueError for text that is no TOML, and KeyError, naming the member, when one is missing.
    """
    data = tomllib.loads(text)
    return CardDirectory(
        version=data["version"],
        _advice={reason: _advice(data["reason"][reason]) for reason in REASONS},
        _local={place_id: _local(entry) for place_id, entry in data["place"].items()},
        _wider=data["region_of"],
        _everywhere=_numbers(data["everywhere"]["numbers"]),
    )


def card_for(place_id: str | None, reason: str) -> Card:
    """The card of the shipped directory; see `CardDirectory.card_for`."""
    return CARDS.card_for(place_id, reason)


def _advice(entry: Mapping[str, Any]) -> _Advice:
    return _Advice(entry["title"], tuple(entry["steps"]), entry["care"])


def _local(entry: Mapping[str, Any]) -> _Local:
    return _Local(entry.get("care", {}), _numbers(entry.get("numbers", ())))


def _numbers(entries: Any) -> tuple[PhoneNumber, ...]:
    return tuple(PhoneNumber(entry["label"], entry["number"]) for entry in entries)


CARDS: Final = read_cards((resources.files("client_sync") / "cards.toml").read_text("utf-8"))
