"""The phone's own code, run by Node."""

import json
import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parent.parent.parent


@pytest.fixture(scope="session")
def node() -> str:
    """The program. Where it is missing its tests are skipped, and fail where every change has to pass them."""
    found = shutil.which("node")
    if found is None:
        missing = "node is not installed (requirements/debian.txt)"
        pytest.fail(missing) if os.environ.get("CI") else pytest.skip(missing)
    return found


class PhoneRefuses(Exception):
    """What the phone's code threw: the code of its error, or its class."""


@pytest.fixture(scope="session")
def phone(node: str) -> Iterator[Callable[..., Any]]:
    """Has the phone's code do a task of `twin.mjs` and gives what it made; raises PhoneRefuses."""
    with subprocess.Popen(
        [node, str(ROOT / "tests" / "field" / "twin.mjs")], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        pipe, answers = process.stdin, process.stdout

        def ask(task: str, **given: Any) -> Any:
            # As ASCII, in which half a surrogate pair stands as well.
            pipe.write(json.dumps({"task": task} | given).encode() + b"\n")
            pipe.flush()
            answer = json.loads(answers.readline())
            if "error" in answer:
                raise PhoneRefuses(answer["error"], answer["message"])
            return answer["value"]

        yield ask
        pipe.close()
