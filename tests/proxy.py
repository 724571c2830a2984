"""nginx before a hub, by the recipe of the operations page."""

import re
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from tests.serving import ROOT

CERTIFICATE: Final = ROOT / "tests" / "client_sync" / "loopback.pem"
_WAIT_S: Final = 60


@contextmanager
def proxying(nginx: str, folder: Path, hub: str, listens: str, settings: str = "") -> Iterator[None]:
    """Hands on to the hub at a URL what comes to `listens`, an address and port. `settings` go beside the recipe."""
    recipe = re.findall(r"```nginx\n(.*?)```", (ROOT / "server/docs/operations.md").read_text("utf-8"), re.S)[0]
    for stated, ours in (
        ("listen 443 ssl", f"listen {listens} ssl"),
        ("/etc/ssl/centre.crt", str(CERTIFICATE)),
        ("/etc/ssl/centre.key", str(CERTIFICATE)),
        ("http://127.0.0.1:8000", hub),
    ):
        assert recipe.count(stated) == 1
        recipe = recipe.replace(stated, ours)
    kinds = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    temporary = "".join(f"{kind}_temp_path {folder}/{kind}; " for kind in kinds)
    written = folder / "nginx.conf"
    written.write_text(
        f"daemon off; pid {folder}/nginx.pid; error_log stderr; events {{}}\n"
        f"http {{ {settings} {temporary}\n{recipe} }}\n"
    )
    command = [nginx, "-p", str(folder), "-c", str(written)]
    checked = subprocess.run([*command, "-t"], capture_output=True, text=True, check=False)
    assert checked.returncode == 0, checked.stderr
    with subprocess.Popen(command, stderr=subprocess.DEVNULL) as process:
        try:
            yield
        finally:
            process.terminate()
            process.wait(_WAIT_S)
