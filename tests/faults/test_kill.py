"""Programs killed by a line they say or at a drawn time; by an operation in test_shim.py."""

import os
import sys
from contextlib import suppress
from random import Random

import pytest

from tests.faults.kill import Child, ChildEnded, at_random, when

PYTHON = sys.executable
COUNTS_FOR_EVER = "import itertools\nfor n in itertools.count(): print('line', n, flush=True)"


def test_child_is_killed_when_it_says_the_line() -> None:
    ending = when([PYTHON, "-c", COUNTS_FOR_EVER], "line 3")

    assert ending.was_killed
    assert "line 3" in ending.lines


def test_child_that_ends_without_the_line_is_reported() -> None:
    with pytest.raises(ChildEnded, match="goodbye"):
        when([PYTHON, "-c", "print('goodbye')"], "never said")


def test_child_is_dead_when_the_load_ends() -> None:
    lines = 0
    with Child([PYTHON, "-c", COUNTS_FOR_EVER]) as child:
        child.wait_for("line 0")
        with at_random(child, Random(4), longest_s=0.2), suppress(ChildEnded):
            while child.wait_for("line"):
                lines += 1
        assert child.wait().was_killed
    assert lines > 0


def test_left_child_does_not_outlive_its_block() -> None:
    with Child([PYTHON, "-c", COUNTS_FOR_EVER]) as child:
        child.wait_for("line 0")
    with pytest.raises(ProcessLookupError):
        os.kill(child.pid, 0)
