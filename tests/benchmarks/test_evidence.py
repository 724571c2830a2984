"""What the figures of evidence count and compare with, on amounts that anybody can work out."""

import json
import zlib
from dataclasses import asdict
from io import BytesIO

import pytest
from PIL import Image

from client_sync.protocol.media import recognise
from server.domain.working_copy import Made
from tests import media
from tests.benchmarks.bad_link import Quality, cuts_begun, is_cut, least_s
from tests.benchmarks.broken_off import resent
from tests.benchmarks.handset import Handed, photo, sent_twice, told
from tests.benchmarks.nasty import MARK, is_clean, jpeg_markers
from tests.benchmarks.over_link import cut_within

LINK = Quality(up_kbit=60, cut_every_s=90, cut_for_s=20)
# What goes up in 70 seconds in packets of 1,400 bytes, of which 52 are headers.
UNTIL_THE_CUT_BYTES = 375 * 1348


def handed(offset: int, size: int, upload: str = "a", began_s: float = 0, ended_s: float = 1) -> Handed:
    return Handed(upload, offset, size, size, began_s, ended_s)


# The link.


@pytest.mark.parametrize(
    ("up_bytes", "least"),
    [
        (0, 0),
        (1348, 1400 / 7500),
        (UNTIL_THE_CUT_BYTES, 70),
        (UNTIL_THE_CUT_BYTES + 1, 70 + 20 + 53 / 7500),
        (2 * UNTIL_THE_CUT_BYTES + 1348, 70 + 20 + 70 + 20 + 1400 / 7500),
    ],
)
def test_least_that_bytes_take_is_their_packets_at_the_rate_and_the_cuts_within(up_bytes: int, least: float) -> None:
    assert least_s(LINK, up_bytes) == pytest.approx(least)


@pytest.mark.parametrize(
    ("at_s", "is_away", "cuts"),
    [(0, False, 0), (69.9, False, 0), (70, True, 1), (89.9, True, 1), (90, False, 1), (160, True, 2)],
)
def test_link_is_open_first_and_then_cut(at_s: float, is_away: bool, cuts: int) -> None:
    assert (is_cut(LINK, at_s), cuts_begun(LINK, at_s)) == (is_away, cuts)


@pytest.mark.parametrize(
    ("began_s", "ended_s", "cut"),
    [(1000, 1030, 0), (1060, 1075, 1), (1075, 1095, 1), (1091, 1100, 0), (1150, 1185, 2)],
)
def test_request_broke_for_the_cut_that_it_met(began_s: float, ended_s: float, cut: int) -> None:
    """The link began at 1000."""
    assert cut_within(LINK, handed(0, 1, began_s=began_s, ended_s=ended_s), 1000) == cut


# What goes again.


def test_bytes_that_went_once_are_not_counted() -> None:
    assert sent_twice([handed(0, 32), handed(0, 10, "b"), handed(32, 32), handed(64, 6)]) == [0, 0, 0, 0]


def test_of_a_broken_request_what_the_next_one_says_again_went_twice() -> None:
    # The hub had 8 of its 32 bytes.
    assert sent_twice([handed(0, 32), handed(32, 32), handed(40, 16), handed(56, 4)]) == [0, 24, 0, 0]


def test_each_time_counts_that_the_same_bytes_went() -> None:
    assert sent_twice([handed(0, 32), handed(0, 32), handed(0, 32)]) == [32, 32, 0]


def test_file_that_begins_anew_went_twice_as_far_as_it_had_come() -> None:
    assert sent_twice([handed(0, 32), handed(32, 32), handed(0, 64)]) == [32, 32, 0]


def test_resent_may_be_a_chunk_a_cut_and_a_fiftieth() -> None:
    # 10 cuts of 32 KiB are a quarter of 1,310,720 bytes.
    figure = resent(1_310_720, 983_040, cuts=10)
    assert (figure.value, figure.target, figure.holds) == (0.25, "<= 0.27", True)
    assert not resent(1_310_720, 900_000, cuts=10).holds


# What a handset says.


def test_request_that_a_kill_broke_counts_with_all_that_it_tried() -> None:
    tried, ended = handed(0, 32, began_s=1, ended_s=1), handed(32, 32, began_s=2, ended_s=2)
    lines = [
        json.dumps(["push", 300]),
        json.dumps(["tries", asdict(tried)]),
        json.dumps(["tries", asdict(ended)]),
        json.dumps(["handed", asdict(handed(32, 7, began_s=2, ended_s=9))]),
        json.dumps(["texts", 4.5]),
        '["push", 2',
        json.dumps(["push", 200]),
        json.dumps(["texts", 11.5]),
    ]
    said = told(lines)
    assert [(each.offset, each.size, each.ended_s) for each in said.handed] == [(0, 32, 1), (32, 7, 9)]
    assert (said.text_bytes, said.texts_s, said.done_s) == (500, 4.5, None)


@pytest.mark.parametrize("size", [3_000, 70_001, 70_002, 70_003, 70_004, 200_000])
def test_photo_is_of_its_size_and_nothing_makes_it_smaller(size: int) -> None:
    data = photo(size, 1)
    assert (len(data), recognise(BytesIO(data)).type) == (size, "image/jpeg")
    assert len(zlib.compress(data, 9)) > 0.9 * size
    assert Image.open(BytesIO(data)).convert("L").getbbox() is not None
    assert photo(size, 2) != data


# Copies.


def bare(**more: object) -> bytes:
    written = BytesIO()
    Image.new("RGB", (64, 64), "red").save(written, "JPEG", **more)
    return written.getvalue()


@pytest.mark.parametrize("is_progressive", [False, True])
def test_copy_that_is_only_seen_is_clean(is_progressive: bool) -> None:
    assert is_clean(Made([bare(progressive=is_progressive)], b"OggS said"))


@pytest.mark.parametrize(
    "made",
    [
        Made([media.photo()], b""),
        Made([bare(comment=b"x")], b""),
        Made([bare() + b"x"], b""),
        Made([bare()[:-2]], b""),
        Made([bare(), bare() + bare()], b""),
        Made([photo(3_000, 1)], b""),
        Made([bare()], b"OggS " + MARK),
        Made([bare()], b"<html>"),
    ],
)
def test_copy_that_says_more_is_not_clean(made: Made) -> None:
    assert not is_clean(made)


def test_markers_of_a_picture_are_read_to_its_end() -> None:
    assert jpeg_markers(bare())[-1] == 0xD9
    assert jpeg_markers(bare(progressive=True)).count(0xDA) > 1
    assert jpeg_markers(bare()[:-1])[-1] == 0
