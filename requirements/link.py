"""Makes this checkout importable, and its commands callable, in the virtual environment that runs this file.

What `pip install --editable` would do, without a build tool in the lock of what runs in the field.
"""

import shlex
import sys
import sysconfig
import tomllib
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parent.parent
# -P: a folder named `server` where the command is called must not hide ours.
COMMAND = """#!/bin/sh
exec {python} -P -c '
import sys
from {module} import {function}
sys.argv[0] = "{name}"
sys.exit({function}())' "$@"
"""


def link() -> None:
    """Writes `seere.pth` and one executable for each entry of `[project.scripts]`."""
    project = tomllib.loads((CHECKOUT / "pyproject.toml").read_text("utf-8"))["project"]
    Path(sysconfig.get_path("purelib"), "seere.pth").write_text(f"{CHECKOUT}\n")
    for name, target in project["scripts"].items():
        module, function = target.split(":")
        python = shlex.quote(sys.executable)
        file = Path(sysconfig.get_path("scripts"), name)
        file.write_text(COMMAND.format(python=python, name=name, module=module, function=function))
        file.chmod(0o755)


if __name__ == "__main__":
    link()
