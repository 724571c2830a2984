"""Confidentiality: what a stolen disk, an insider's key, a route, an answer and a clock give away."""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final

from server import credential
from tests.benchmarks import answers, contacts, log, matrix, readers, sealing
from tests.benchmarks.canaries import Canary, opened_device, search
from tests.benchmarks.doors import Images, walk_through
from tests.benchmarks.figure import Figure, note
from tests.benchmarks.harness import Plan, Void, fresh_folder
from tests.benchmarks.images import keys_in, open_databases, open_hub
from tests.builders import PASSPHRASE

_CANARIES: Final = 500
# What a device sends in clear, by policy: a search that does not find this finds nothing.
_SAID_IN_CLEAR: Final = Canary("name", "argent sans reçu")
_DISK_FIGURES: Final = (
    "canaries_planted",
    "canaries_found_hub_off",
    "canaries_found_hub_credential",
    "canaries_found_device_locked",
    "canaries_found_requests",
)
FIGURES: Final = (
    *_DISK_FIGURES,
    *readers.FIGURES,
    *matrix.FIGURES,
    *log.FIGURES,
    *contacts.FIGURES,
    *answers.FIGURES,
    *sealing.FIGURES,
)


def measure(plan: Plan) -> Iterator[Figure]:
    """Every figure of the family; only what sealing costs depends on the machine and the plan."""
    yield from disk(_CANARIES)
    for part in (readers, matrix, log, contacts, answers, sealing):
        yield from part.measure(plan)


def disk(count: int) -> Iterator[Figure]:
    """How many of about `count` canaries are found in what is left of a hub and of a device. Raises Void."""
    with fresh_folder() as folder:
        images = walk_through(folder, count)
        off, opened = _off(images, folder), _with_credential(images, folder)
        device, sent = _locked_device(images, folder), _found_where_clear_is(images.requests, images.planted)
    yield Figure("canaries_planted", len(images.planted), "canaries", ">=", count)
    for name, found in zip(_DISK_FIGURES[1:], (off, opened, device, sent), strict=True):
        yield Figure(name, found, "canaries", "=", 0)


def _off(images: Images, folder: Path) -> int:
    """Found in the image of the hub, also once every database was opened that a key in the image opens."""
    (into := folder / "opened-by-image").mkdir()
    keys = keys_in(images.hub)
    note(f"{len(keys)} keys in the image of the hub open {open_databases(images.hub, keys, into)} databases")
    planted = (*images.planted, *images.told)
    return _found(images.hub, planted) + _found(into, planted)


def _with_credential(images: Images, folder: Path) -> int:
    """Found in any table or box once the credential was opened; statements that may be clear are told apart."""
    into, data = folder / "opened-by-credential", images.hub / "ended"
    open_hub(data, credential.unlock(data / "hub.credential", PASSPHRASE), into)
    clear = _found(into, images.told)
    if clear != len(images.told):
        raise Void(f"{clear} of {len(images.told)} canaries in clear statements: the search looks at nothing")
    note(f"with the hub's credential: {clear} canaries in statements that are clear by policy (SQLite)")
    return sum(_found(each, images.planted) for each in into.iterdir())


def _locked_device(images: Images, folder: Path) -> int:
    """Found in the folder of a device, also once its transport store was opened by the machine key that lies there."""
    opened_device(images.device, folder / "opened-device")
    into = folder / "opened-device"
    return _found(images.device.path, images.planted) + _found_where_clear_is(into, images.planted)


def _found_where_clear_is(folder: Path, canaries: Iterable[Canary]) -> int:
    if not search(folder, [_SAID_IN_CLEAR]):
        raise Void(f"{folder.name}: what is there in clear was not found")
    return _found(folder, canaries)


def _found(folder: Path, canaries: Iterable[Canary]) -> int:
    """How many of the canaries are found; says of each where, but not its text."""
    hits = search(folder, canaries)
    places = sorted({f"{hit.path} ({hit.form}, {' in '.join(hit.packed) or 'not packed'})" for hit in hits})
    if places:
        note(f"found in {folder.name}: {', '.join(places[:9])}")
    return len({hit.canary for hit in hits})
