"""Over a bad link: complaints and photos of a real field client, to a hub behind nginx as operators have it."""

import shutil
import ssl
import subprocess
import sys
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from subprocess import PIPE
from threading import Event, Timer
from typing import Final

from client_sync.stores import Folder
from client_sync.transport import public_key_digest
from tests.benchmarks.bad_link import Link, Quality, cuts_begun, is_cut, is_possible, least_s
from tests.benchmarks.binding import bind
from tests.benchmarks.figure import Figure, note
from tests.benchmarks.handset import Handed, Told, photo, sent_twice, told, write
from tests.benchmarks.harness import CHECKOUT, HubProcess, Void, enrol, free_port, fresh_folder, opened
from tests.benchmarks.wire import foreign_contents
from tests.proxy import CERTIFICATE, proxying

FIGURES: Final = (
    "link_20_5_survive_s",
    "link_20_5_kill_s",
    "link_20_5_ratio",
    "text_safe_s",
    "bytes_lost_per_cut",
    "link_100_text_ratio",
)
_TARGETS: Final = (
    ("s", 240),
    ("s", 240),
    ("of the least", 1.3),
    ("s", 6),
    ("bytes", 65_536),
    ("of the least", 1.6),
)
_QUALITY: Final = Quality()
_ROUNDS: Final = 3
_PHOTOS: Final = 5
_PHOTO_BYTES: Final = 200_000
_PATIENCE_S: Final = 600
# All start at the same moment of their links, and one after the other on this machine.
_STAGGER_S: Final = 4
_SEED: Final = 815
# Of the recipe.
_NAME: Final = "centre.example"


@dataclass(frozen=True)
class Kind:
    """What goes: `texts` complaints, `photos` of them with one. `kills`: what a cut does to connections."""

    name: str
    texts: int
    photos: int
    kills: bool


_KINDS: Final = (
    Kind("survive", 20, _PHOTOS, kills=False),
    Kind("kill", 20, _PHOTOS, kills=True),
    Kind("text", 100, 0, kills=False),
)


@dataclass(frozen=True)
class Run:
    """One handset's way over one link, which began at `began_s`; `file_bytes` are those of its sealed files."""

    kind: Kind
    told: Told
    began_s: float
    file_bytes: int

    @property
    def took_s(self) -> float:
        """Until nothing was left."""
        assert self.told.done_s is not None
        return self.told.done_s - self.began_s

    @property
    def least_s(self) -> float:
        """The least that its bytes take."""
        return least_s(_QUALITY, self.file_bytes + self.told.text_bytes)

    @property
    def lost_by_cut(self) -> dict[int, int]:
        """By cut, bytes that went again and whose request it broke; 0 for those that broke without one."""
        lost: dict[int, int] = {}
        for each, size in zip(self.told.handed, sent_twice(self.told.handed), strict=True):
            cut = cut_within(_QUALITY, each, self.began_s)
            lost[cut] = lost.get(cut, 0) + size
        return lost


def cut_within(quality: Quality, handed: Handed, began_s: float) -> int:
    """The last cut, from 1 on, that a request met; 0 for none."""
    first, last = handed.began_s - began_s, handed.ended_s - began_s
    cut = cuts_begun(quality, last)
    if is_cut(quality, first) or cut > cuts_begun(quality, first):
        return cut
    return 0


def measure() -> Iterator[Figure]:
    """The figures, each of three runs side by side; without value where no link can be made here."""
    nginx = shutil.which("nginx")
    if nginx is None or not is_possible():
        note("no bad link here: it takes root, ip, /dev/net/tun and nginx")
        values: Sequence[float | None] = [None] * len(FIGURES)
    else:
        values = _values(_runs(nginx))
    for name, value, (unit, bound) in zip(FIGURES, values, _TARGETS, strict=True):
        yield Figure(name, value, unit, "<=", bound)


def _values(runs: Sequence[Run]) -> list[float]:
    by_kind = {kind.name: [run for run in runs if run.kind is kind] for kind in _KINDS}
    for run in runs:
        note(
            f"{run.kind.name}: {run.took_s:.1f} s, at least {run.least_s:.1f}; texts {_texts_s(run):.1f} s,"
            f" {run.told.text_bytes} bytes; again by cut {run.lost_by_cut}"
        )
    took = {name: median(run.took_s for run in some) for name, some in by_kind.items()}
    ratio = {name: median(run.took_s / run.least_s for run in some) for name, some in by_kind.items()}
    with_photos = [run for run in runs if run.kind.photos]
    lost = [size for run in with_photos for cut, size in run.lost_by_cut.items() if cut]
    return [
        took["survive"],
        took["kill"],
        max(ratio["survive"], ratio["kill"]),
        median(_texts_s(run) for run in with_photos),
        max(lost, default=0),
        ratio["text"],
    ]


def _texts_s(run: Run) -> float:
    assert run.told.texts_s is not None
    return run.told.texts_s - run.began_s


def _runs(nginx: str) -> list[Run]:
    """All rounds of all kinds, each on a link of its own, at one hub."""
    made = [kind for kind in _KINDS for _ in range(_ROUNDS)]
    port = free_port()
    with fresh_folder() as folder:
        ways = [_Way(kind, Link(no, _QUALITY, no, kind.kills), folder / f"way-{no}") for no, kind in enumerate(made, 1)]
        with opened(folder / "hub") as hub:
            for way in ways:
                bind(way.folder, hub, enrol(hub), (way.link.host, port), _pin())
        for way in ways:
            way.write()
        (folder / "nginx").mkdir()
        hosts = ",".join(way.link.host for way in ways)
        settings = {"SEERE_ADDRESS": f"https://{_NAME}", "SEERE_OTHER_HOSTS": hosts, "SEERE_PROXIES": "1"}
        with HubProcess(folder / "hub", settings) as process:
            url = "http://{}:{}".format(*process.address)
            with proxying(nginx, folder / "nginx", url, f"0.0.0.0:{port}"), ThreadPoolExecutor(len(ways)) as threads:
                return list(threads.map(lambda pair: pair[1].run(pair[0] * _STAGGER_S), enumerate(ways)))


@dataclass
class _Way:
    """A handset and its link."""

    kind: Kind
    link: Link
    folder: Path

    def write(self) -> None:
        """Finish what it is to send."""
        seed = _SEED + self.link.number
        photos = [photo(_PHOTO_BYTES, seed * _PHOTOS + no) for no in range(self.kind.photos)]
        write(Folder(self.folder), foreign_contents(seed, self.kind.texts), photos)

    def run(self, after_s: float) -> Run:
        """Send all of it, from so long on. Raises Void when that has no end."""
        file_bytes = sum(path.stat().st_size for path in Folder(self.folder).files.glob("*"))
        Event().wait(after_s)
        with self.link:
            command = self.link.at(sys.executable, "-m", "tests.benchmarks.handset", str(self.folder), "0", "0")
            with subprocess.Popen(command, cwd=CHECKOUT, stdin=PIPE, stdout=PIPE, text=True) as process:
                assert process.stdin is not None
                assert process.stdout is not None
                # Python starts before the clock does: on a telephone the program runs.
                process.stdout.readline()
                began_s = self.link.begin()
                process.stdin.close()
                timer = Timer(_PATIENCE_S, process.kill)
                timer.start()
                said = told(process.stdout)
                timer.cancel()
            self.link.end()
        if said.done_s is None or said.texts_s is None:
            raise Void(f"{self.kind.name} {self.link.number} did not end")
        return Run(self.kind, said, began_s, file_bytes)


def _pin() -> str:
    """What a device has to know of the hub's certificate."""
    return public_key_digest(ssl.PEM_cert_to_DER_cert(_certificate()))


def _certificate() -> str:
    mark = "-----BEGIN CERTIFICATE-----"
    return mark + CERTIFICATE.read_text("ascii").partition(mark)[2]
