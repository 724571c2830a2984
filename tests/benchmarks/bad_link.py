"""A bad link, packet by packet: a network for one device, and on its way to us a rate, a delay, losses and cuts.

Handshakes, slow start and retransmission are the kernel's own. The link is a process (`python -m … NUMBER`) between two
TUN devices, one in a network namespace; it needs root and `ip`.
"""

import asyncio
import fcntl
import json
import os
import random
import shutil
import struct
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from math import ceil
from pathlib import Path
from typing import Any, Final, Self

from tests.benchmarks.harness import CHECKOUT, Void

MTU_BYTES: Final = 1400
# Of IPv4 and of TCP with time stamps.
HEADERS_BYTES: Final = 20 + 32
_QUEUE_BYTES: Final = 64 * 2**10
_READ_BYTES: Final = 65_536
_TUN: Final = Path("/dev/net/tun")
# linux/if_tun.h: TUNSETIFF, and IFF_TUN with IFF_NO_PI.
_TUNSETIFF: Final = 0x400454CA
_TUN_WITHOUT_PI: Final = 0x1001
_LOOK_S: Final = 0.1
_BITS: Final = 8


@dataclass(frozen=True)
class Quality:
    """What a link is worth. `loss` is the share of packets that vanish; of every `cut_every_s` seconds nothing passes
    in the last `cut_for_s`."""

    up_kbit: float = 60
    down_kbit: float = 120
    rtt_ms: float = 600
    loss: float = 0.03
    cut_every_s: float = 90
    cut_for_s: float = 20


@dataclass(frozen=True)
class Carried:
    """What a link carried since it began: packets in bytes, as they were offered, and the cuts."""

    up_bytes: int
    down_bytes: int
    cuts: int


def is_possible() -> bool:
    """Whether this machine lets us make links."""
    return os.geteuid() == 0 and os.access(_TUN, os.W_OK) and shutil.which("ip") is not None


def is_cut(quality: Quality, at_s: float) -> bool:
    """Whether nothing passes, so long after the link began."""
    return at_s % quality.cut_every_s >= quality.cut_every_s - quality.cut_for_s


def cuts_begun(quality: Quality, at_s: float) -> int:
    """How many cuts have begun by then."""
    return int((at_s + quality.cut_for_s) // quality.cut_every_s)


def least_s(quality: Quality, up_bytes: int) -> float:
    """The least that so many bytes take up the link: with the headers of full packets at its rate, and the cuts that
    fall into that. Nothing is lost, nobody waits for an answer."""
    packets = ceil(up_bytes / (MTU_BYTES - HEADERS_BYTES))
    open_s = (up_bytes + packets * HEADERS_BYTES) * _BITS / (quality.up_kbit * 1000)
    cuts = max(ceil(open_s / (quality.cut_every_s - quality.cut_for_s)) - 1, 0)
    return open_s + cuts * quality.cut_for_s


@dataclass
class Link:
    """One link of this machine; a context manager. Until it begins it is as good as none.

    Programs for its far end run `at(…)`; from there this machine is `host`. `kills`: each cut destroys the connections
    of the far end, as telephones do when a network goes away; else they live on.
    """

    number: int
    quality: Quality
    seed: int
    kills: bool
    _process: subprocess.Popen[str] = field(init=False)

    @property
    def host(self) -> str:
        """The address of this machine from the far end."""
        return _hosts(self.number)[0]

    @property
    def namespace(self) -> str:
        """The network of the far end."""
        return f"seere-far-{self.number}"

    def at(self, *command: str) -> list[str]:
        """The command at the far end."""
        return ["ip", "netns", "exec", self.namespace, *command]

    def __enter__(self) -> Self:
        self._drop_namespace()
        told = json.dumps({"number": self.number, "seed": self.seed, "kills": self.kills} | asdict(self.quality))
        command = [sys.executable, "-m", "tests.benchmarks.bad_link", told]
        self._process = subprocess.Popen(
            command, cwd=CHECKOUT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        if self._heard() != "up":
            self.__exit__()
            raise Void("no bad link can be made here")
        return self

    def begin(self) -> float:
        """Be bad from now on, first open and then cut; gives the time, as time.monotonic() has it."""
        self._say("begin")
        return float(self._heard())

    def end(self) -> Carried:
        """Be good again; gives what was carried meanwhile."""
        self._say("end")
        return Carried(**json.loads(self._heard()))

    def __exit__(self, *_error: object) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait()
        assert self._process.stdout is not None
        self._process.stdout.close()
        self._drop_namespace()

    def _drop_namespace(self) -> None:
        # One that a killed run left is in the way.
        subprocess.run(["ip", "netns", "delete", self.namespace], check=False, capture_output=True)

    def _say(self, word: str) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(word + "\n")
        self._process.stdin.flush()

    def _heard(self) -> str:
        assert self._process.stdout is not None
        return self._process.stdout.readline().strip()


def _hosts(number: int) -> tuple[str, str]:
    """Addresses of this machine and of the far end."""
    return f"10.99.{number}.1", f"10.99.{number}.2"


# What follows runs in the process of the link.


class _Way:
    """One direction: a queue that drops what it has no room for, a rate, a delay, and packets that vanish."""

    def __init__(self, kbit: float, out: int, state: "_State") -> None:
        self._bytes_per_s = kbit * 1000 / _BITS
        self._out = out
        self._state = state
        self._free_at = 0.0
        self.offered_bytes = 0

    def push(self, packet: bytes) -> None:
        """Take a packet in."""
        state = self._state
        if not state.is_bad:
            os.write(self._out, packet)
            return
        now = time.monotonic()
        self.offered_bytes += len(packet)
        self._free_at = max(self._free_at, now)
        is_full = (self._free_at - now) * self._bytes_per_s > _QUEUE_BYTES
        if state.is_cut(now) or is_full:
            return
        # One that is lost was in the air all the same.
        self._free_at += len(packet) / self._bytes_per_s
        if state.dice.random() >= state.quality.loss:
            wait_s = self._free_at - now + state.quality.rtt_ms / 2000
            asyncio.get_running_loop().call_later(wait_s, self._deliver, packet)

    def _deliver(self, packet: bytes) -> None:
        if not self._state.is_cut(time.monotonic()):
            os.write(self._out, packet)


class _State:
    """Whether the link is bad, and since when."""

    def __init__(self, quality: Quality, seed: int) -> None:
        self.quality = quality
        self.dice = random.Random(seed)
        self.began_at: float | None = None

    @property
    def is_bad(self) -> bool:
        return self.began_at is not None

    def is_cut(self, now: float) -> bool:
        return self.began_at is not None and is_cut(self.quality, now - self.began_at)

    def cuts(self, now: float) -> int:
        return 0 if self.began_at is None else cuts_begun(self.quality, now - self.began_at)


async def _run(number: int, seed: int, kills: bool, quality: Quality) -> None:
    state = _State(quality, seed)
    link = Link(number, quality, seed, kills)
    near, far = _ends(link)
    up, down = _Way(quality.up_kbit, near, state), _Way(quality.down_kbit, far, state)
    loop, ended = asyncio.get_running_loop(), asyncio.Event()
    loop.add_reader(far, _drain, far, up.push)
    loop.add_reader(near, _drain, near, down.push)

    def hear() -> None:
        word, now = sys.stdin.readline().strip(), time.monotonic()
        if word == "begin":
            state.began_at = now
            print(now, flush=True)
        elif word == "end":
            print(json.dumps(asdict(Carried(up.offered_bytes, down.offered_bytes, state.cuts(now)))), flush=True)
            state.began_at = None
        else:
            ended.set()

    loop.add_reader(sys.stdin, hear)
    print("up", flush=True)
    cuts = 0
    while not ended.is_set():
        await asyncio.sleep(_LOOK_S)
        if kills and state.cuts(time.monotonic()) > cuts:
            _sh(*link.at("ss", "-4", "-t", "-K", "dst", link.host))
        cuts = state.cuts(time.monotonic())


def _drain(end: int, push: Callable[[bytes], None]) -> None:
    try:
        while packet := os.read(end, _READ_BYTES):
            # What the kernel says to its neighbours in IPv6 is nobody's traffic.
            if packet[0] >> 4 == 4:
                push(packet)
    except BlockingIOError:
        return


def _ends(link: Link) -> tuple[int, int]:
    """Both TUN devices: of this machine, and of the far end in its namespace."""
    number = link.number
    near_host, far_host = _hosts(number)
    near, far = _tun(f"seere_near{number}"), _tun(f"seere_far{number}")
    _sh("ip", "netns", "add", link.namespace)
    _sh("ip", "link", "set", f"seere_far{number}", "netns", link.namespace)
    _set_up(("ip",), f"seere_near{number}", near_host, far_host)
    _set_up(("ip", "-n", link.namespace), f"seere_far{number}", far_host, near_host)
    return near, far


def _set_up(ip: tuple[str, ...], device: str, host: str, other: str) -> None:
    _sh(*ip, "link", "set", device, "mtu", str(MTU_BYTES), "up")
    _sh(*ip, "addr", "add", f"{host}/32", "dev", device)
    # What telephones use, whatever this machine prefers.
    _sh(*ip, "route", "add", f"{other}/32", "dev", device, "src", host, "congctl", "cubic")


def _tun(name: str) -> int:
    end = os.open(_TUN, os.O_RDWR | os.O_NONBLOCK)
    fcntl.ioctl(end, _TUNSETIFF, struct.pack("16sH", name.encode(), _TUN_WITHOUT_PI))
    return end


def _sh(*command: str) -> None:
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)


def _told(text: str) -> dict[str, Any]:
    members = json.loads(text)
    own = {name: members.pop(name) for name in ("number", "seed", "kills")}
    return own | {"quality": Quality(**members)}


if __name__ == "__main__":
    asyncio.run(_run(**_told(sys.argv[1])))
