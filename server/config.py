"""Every setting of the hub: unit, default and meaning. An unknown `SEERE_*` refuses to start."""

import re
from collections.abc import Mapping
from dataclasses import Field, dataclass, field, fields
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

PREFIX: Final = "SEERE_"
# Switches of the tests: known, so that they don't refuse to start, and read by nobody here.
_TEST_SWITCHES: Final = ("SEERE_TEST_", "SEERE_FAULTS")


class SettingInvalid(Exception):
    """The environment names a setting that does not exist, or gives one a value that it can't have."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.name = name


# Names and IPv4 addresses are what a web server can be told to trust; [::1] is none.
LOOPBACK_HOSTS: Final = ("localhost", "127.0.0.1")
_POSITIVE: Final = "[1-9][0-9]{0,11}"


def _setting(default: Any, meaning: str, pattern: str = "") -> Any:
    """A setting; `pattern` is what its text must match as a whole, where not every text will do."""
    return field(default=default, metadata={"meaning": meaning, "pattern": pattern})


@dataclass(frozen=True)
class Settings:
    """Settings by the name of their variable without prefix, in lower case."""

    data: Path = _setting(Path("var/hub"), "folder of the database, the credential and the backups")
    database: str = _setting("", "address of a PostgreSQL database; empty: an encrypted SQLite file in the data folder")
    credential_file: Path | None = _setting(
        None, "file with the hub's secrets, closed by the passphrase; empty: hub.credential in the data folder"
    )
    passphrase_file: Path | None = _setting(
        None, "file of a credential service with the passphrase; empty: a person types it"
    )
    host: str = _setting("127.0.0.1", "address to listen on")
    port: int = _setting(8000, "port to listen on")
    address: str = _setting(
        "", "address that devices use, written into enrolment codes; empty: http:// with host and port", "|https?://.+"
    )
    other_hosts: str = _setting(
        "",
        "other names by which browsers and devices may reach the hub, with commas between",
        "|[A-Za-z0-9.-]+(,[A-Za-z0-9.-]+)*",
    )
    proxies: int = _setting(
        0, "proxies before the hub that each add the caller's address to X-Forwarded-For; 0: no header counts", "[0-3]"
    )
    threads: int = _setting(8, "threads that answer requests", "[1-9][0-9]?")
    language: str = _setting("fr", "language of pages and commands: fr, en, bm", "fr|en|bm")
    coalition: str = _setting("", "name of the coalition, shown on pages and sent at enrolment")
    registry_prefix: str = _setting("SRE", "letters before registry numbers, at most 12", "[A-Z][A-Z0-9]{0,11}")
    seal_statement: str = _setting(
        "",
        "which statements devices seal: strict, or all; empty: strict on SQLite, all on PostgreSQL",
        "|strict|all",
    )
    strict_offline: str = _setting(
        "no", "whether what is strictly confidential is sealed to offline keys alone: no, or yes", "no|yes"
    )
    received_days: int = _setting(
        30,
        "days without contact after which replies and statuses leave a device; at most 366",
        "[1-9][0-9]?|[12][0-9]{2}|3[0-5][0-9]|36[0-6]",
    )
    status: str = _setting("plain", "what the page / shows: plain, or full with counts", "plain|full")
    matcher: str = _setting(
        "yes", "whether this process looks for duplicates: yes, or no where another on the same database does", "yes|no"
    )
    reviews_per_day: int = _setting(30, "possible duplicates that one person is shown a day", _POSITIVE)
    device_burst_records: int = _setting(5_000, "records that a device may send at once", _POSITIVE)
    device_burst_bytes: int = _setting(200_000_000, "bytes, inflated, that a device may send at once", _POSITIVE)
    device_records_per_minute: int = _setting(600, "records that a device gains a minute", _POSITIVE)
    device_bytes_per_minute: int = _setting(2_000_000, "bytes, inflated, that a device gains a minute", _POSITIVE)
    blobs: str = _setting(
        "",
        "bucket of the files that came, s3://bucket/prefix?endpoint=…&region=…; empty: blobs in the data folder",
        r"|s3://[^\s]+",
    )
    file_mb: int = _setting(25, "size of one file, MiB, that devices may send", _POSITIVE)
    complaint_files_mb: int = _setting(100, "size of all files of a complaint, MiB, that devices may send", _POSITIVE)
    device_parts_mb: int = _setting(500, "size of what one device may have begun to send, MiB", _POSITIVE)
    parts_mb: int = _setting(5_000, "size of what all devices may have begun to send, MiB", _POSITIVE)
    spared_mb: int = _setting(200, "room on the disk of the data, MiB, that files leave to everything else", _POSITIVE)
    enrolment_hours: int = _setting(72, "hours that an enrolment code stays valid", _POSITIVE)
    frame_report_days: int = _setting(
        60, "days that the report of a frame is kept for devices that ask again", _POSITIVE
    )
    backup_recipient: str = _setting("", "age recipient (age1…) of backups; its identity stays off this machine")
    backup_folder: Path | None = _setting(None, "folder of backups; empty: backups in the data folder")
    backup_identity_file: Path | None = _setting(
        None, "age identity that verifies each backup by opening it; for a rehearsal, not for daily use"
    )
    backup_hour: int = _setting(2, "hour of the day, UTC, of the daily backup", "1?[0-9]|2[0-3]")
    backup_keep_days: int = _setting(35, "days after which a backup is deleted, once there is a newer one", _POSITIVE)
    silent_device_days: int = _setting(
        14, "days without contact after which people hear that a device is silent", _POSITIVE
    )
    notice_url: str = _setting(
        "",
        "address that is told who has something to read, https:// or on this machine; empty: nobody",
        r"|https://.+|http://(localhost|127\.0\.0\.1)(:[0-9]+)?(/.*)?",
    )
    withdrawn_keep_days: int = _setting(
        30, "days after which a complaint that was withdrawn altogether is erased", _POSITIVE
    )
    complaint_keep_days: int = _setting(
        0, "days after the last thing that came about a complaint until it is erased; 0: never by itself", "[0-9]{1,5}"
    )

    @property
    def database_url(self) -> str:
        """Where the data are."""
        return self.database or f"sqlite:///{self.hub_file}"

    @property
    def hub_file(self) -> Path:
        """The SQLite file, where the data are in one."""
        return self.data / "hub.db"

    @property
    def public_address(self) -> str:
        """Where devices reach the hub."""
        return self.address or f"http://{self.host}:{self.port}"

    @property
    def host_names(self) -> frozenset[str]:
        """The names by which the hub may be asked for; on this machine it always has those of loopback."""
        named = urlsplit(self.public_address).hostname
        return frozenset(filter(None, (*LOOPBACK_HOSTS, named, *self.other_hosts.lower().split(","))))

    @property
    def is_local(self) -> bool:
        """Whether the hub is for this machine alone: it listens nowhere else, and nobody was told another address."""
        return self.host in LOOPBACK_HOSTS and not self.address

    def is_private(self, host: str) -> bool:
        """Whether what is typed into a page of `host` comes here unseen: through TLS, or on this machine."""
        return self.public_address.startswith("https://") or host in LOOPBACK_HOSTS

    @property
    def credential(self) -> Path:
        """Where the hub's secrets are, closed."""
        return self.credential_file or self.data / "hub.credential"

    @property
    def backups(self) -> Path:
        """Where backups go."""
        return self.backup_folder or self.data / "backups"


def from_environ(environ: Mapping[str, str]) -> Settings:
    """The settings in the environment; raises SettingInvalid for a name or value that can't be."""
    values: dict[str, Any] = {}
    known = {f"{PREFIX}{each.name.upper()}": each for each in fields(Settings)}
    for name, text in environ.items():
        if not name.startswith(PREFIX) or name.startswith(_TEST_SWITCHES):
            continue
        if name not in known:
            raise SettingInvalid(name)
        values[known[name].name] = _value(name, known[name], text)
    return Settings(**values)


def _value(name: str, setting: Field[Any], text: str) -> Any:
    pattern = setting.metadata["pattern"]
    if pattern and re.fullmatch(pattern, text) is None:
        raise SettingInvalid(name)
    if isinstance(setting.default, int):
        if not re.fullmatch("[0-9]{1,12}", text):
            raise SettingInvalid(name)
        return int(text)
    if isinstance(setting.default, str):
        return text
    return Path(text) if text else setting.default
