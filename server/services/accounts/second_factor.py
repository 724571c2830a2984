"""The second factor: six digits from an application on the person's telephone (RFC 6238)."""

import secrets
from datetime import datetime
from typing import Final

import pyotp
from nacl.secret import SecretBox

STEP_S: Final = 30
# A telephone's clock may be off by one step, either way.
_STEPS_AROUND: Final = (-1, 0, 1)


def new_secret() -> str:
    """A secret drawn at random, in the base32 that applications read."""
    return pyotp.random_base32()


def closed(secret: str, key: bytes) -> bytes:
    """The secret as it is kept, under the hub's key for second factors (32 bytes)."""
    return SecretBox(key).encrypt(secret.encode("ascii"))


def address(secret: str, name: str, hub: str) -> str:
    """What a QR code carries to the application: the secret, with the names that it shows beside the digits."""
    return pyotp.TOTP(secret).provisioning_uri(name=name, issuer_name=hub)


def code_at(kept: bytes, key: bytes, now: datetime) -> str:
    """The code of a second factor at that moment, as its application shows it."""
    return pyotp.TOTP(SecretBox(key).decrypt(kept).decode("ascii")).generate_otp(int(now.timestamp()) // STEP_S)


def step_of(kept: bytes, key: bytes, code: str, now: datetime) -> int | None:
    """The step of time for which this is the code, one before or after now at most; None when it is of none."""
    totp = pyotp.TOTP(SecretBox(key).decrypt(kept).decode("ascii"))
    digits = "".join(code.split()).encode("utf-8", "replace")
    here = int(now.timestamp()) // STEP_S
    steps = [here + around for around in _STEPS_AROUND]
    # Each is compared, so that the time taken says nothing.
    found = [step for step in steps if secrets.compare_digest(totp.generate_otp(step).encode(), digits)]
    return found[-1] if found else None
