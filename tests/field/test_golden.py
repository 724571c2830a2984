"""The golden exchanges, read by the phone's own code."""

import subprocess
from pathlib import Path

import pytest

pytestmark = [pytest.mark.prove, pytest.mark.ci]

FILES = sorted(Path(__file__).parent.glob("*.test.mjs"))


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_the_phone_passes_its_tests(node: str, file: Path) -> None:
    done = subprocess.run([node, "--test", str(file)], capture_output=True, text=True, timeout=100, check=False)
    assert done.returncode == 0, done.stdout[-4000:]
    assert "# fail 0" in done.stdout
