"""A commission that fails in every way, seed after seed: what is lost on the way there and back, what comes twice."""

import hashlib
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from random import Random
from typing import Final

from server.domain.errors import PackageRefused
from server.hub import Hub
from server.services.commission import transmitting
from server.services.commission.answering import fetch_all
from server.services.commission.delivering import Outgoing, to_address
from server.services.commission.road import Patience
from server.store import packages, timeline
from server.store.packages import Package, Series
from tests.builders import Person
from tests.case_work import at_desk
from tests.commission_answers import manifest, package_of
from tests.commission_receiver import Commission, plain, verdict_on

# More than half of all requests come to nothing, or seem to.
RATE: Final = 0.6
ITEMS: Final = 8
# A person who tries again, and a job that runs again; far more often than it ever takes.
_TRIES: Final = 60
_SETTLED: Final = frozenset({"package_accepted", "package_rejected"})


@dataclass(frozen=True)
class Run:
    """What became of the items of several packages: how many were sent, never arrived at one of the two ends, or were
    taken down there or entered here more than once."""

    items: int
    lost: int
    twice: int


def run(hub: Hub, who: Person, there: Commission, series: Series, numbers: list[str], seeds: Iterable[int]) -> Run:
    """Send a package for each seed, and fetch what is said of it, until nobody owes a word; `numbers`: of complaints
    that have their cases."""
    found = [_run(hub, who, there, series, numbers, seed) for seed in seeds]
    return Run(sum(each.items for each in found), sum(each.lost for each in found), sum(each.twice for each in found))


def impatient(tries: int = 3) -> Patience:
    """Waits for nobody."""
    return Patience(piece_s=0.2, waits_s=(0.0,) * (tries - 1), wait=lambda _: None)


def _run(hub: Hub, who: Person, there: Commission, series: Series, numbers: list[str], seed: int) -> Run:
    dice = Random(seed)
    said = {f"P-{_letters(dice)}": (number, "line") for number in dice.sample(numbers, ITEMS)}
    body = plain(manifest(seed), list(said))
    digest = hashlib.sha256(body).hexdigest()
    package = package_of(hub, who, said, seed, "sealed", file=digest, key=series.key)  # type: ignore[arg-type]
    folder = hub.settings.data
    file = Outgoing(folder / transmitting.package_file(package), digest, package.number.text)
    file.path.write_bytes(body)
    there.play(seed=seed, rate=RATE)
    _deliver(file, series)
    if dice.random() < 0.5:
        # Whoever sent it died before that was noted, and it is sent again.
        _deliver(file, series)
    transmitting.note_left(hub.store, at_desk(hub, who), package.number.text)
    for _ in range(_TRIES):
        if _stands(hub, package).state == "closed":
            break
        fetch_all(hub.store, None, hub.clock(), impatient())
    # What was answered is fetched once more, by a hub that was put back.
    there.play(seed=seed)
    _there_again(hub, package)
    return _counted(hub, there, package, seed)


def _there_again(hub: Hub, package: Package) -> None:
    before = _stands(hub, package)
    with hub.store.write() as connection:
        packages.change(connection, before.id, state="received")
    assert fetch_all(hub.store, None, hub.clock(), impatient()) == 0
    with hub.store.write() as connection:
        packages.change(connection, before.id, state=before.state)


def _deliver(file: Outgoing, series: Series) -> None:
    for _ in range(_TRIES):
        with suppress(PackageRefused):
            to_address(file, series, impatient())
            return
    raise AssertionError("the commission takes nothing at all")


def _counted(hub: Hub, there: Commission, package: Package, seed: int) -> Run:
    number = package.number.text
    down = Counter(ref for of, ref in there.books["items"] if of == number)
    entered = Counter(_entered(hub, number))
    with hub.store.read() as connection:
        told = packages.items(connection, package.id)
    lost = twice = 0
    for each in told:
        meant = verdict_on(seed, number, each.item.ref)
        has = {"ref": each.item.ref, "verdict": each.item.verdict, "reason": each.item.reason}
        is_here = has | {"file_number": each.item.file_number} == meant
        lost += not (down[each.item.ref] and is_here and entered[each.complaint or 0])
        twice += down[each.item.ref] > 1 or entered[each.complaint or 0] > 1
    return Run(len(told), lost, twice + len(down.keys() - {each.item.ref for each in told}))


def _entered(hub: Hub, number: str) -> Iterator[int]:
    """The complaints of which a case was told what became of them in a package, each as often as it was."""
    with hub.store.read() as connection:
        cases = [row[0] for row in connection.exec_driver_sql("SELECT id FROM casefile")]
        for entries in timeline.of_cases(connection, cases).values():
            for each in entries:
                if each.code in _SETTLED and each.fields["package"] == number and each.complaint is not None:
                    yield each.complaint


def _stands(hub: Hub, package: Package) -> Package:
    with hub.store.read() as connection:
        found = packages.find(connection, package.number)
    assert found is not None
    return found


def _letters(dice: Random) -> str:
    return "".join(dice.choice("ABCDEFGHIJKLMNOPQRSTUVWXYZ234567") for _ in range(10))
