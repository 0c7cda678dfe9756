"""Passwords as argon2id hashes, and how often one may guess. Knows neither users nor HTTP; `accounts.py` asks it."""

import ipaddress
import secrets
import threading
import time
from base64 import b64encode
from collections import OrderedDict
from collections.abc import Callable
from typing import Final

from argon2 import PasswordHasher, profiles
from argon2.exceptions import InvalidHashError, VerificationError

from vestigo.errors import SettingsError

SHORTEST: Final = 12
LONGEST: Final = 1_024
_GUESSED_FIRST: Final = ("password", "passw0rd", "changeme", "vestigo", "qwerty", "letmein", "1234567890", "abcdefgh")

_parameters: Final = profiles.RFC_9106_LOW_MEMORY  # 64 MiB and some 0.1 s for each guess
_hasher: Final = PasswordHasher.from_parameters(_parameters)
_one_at_a_time: Final = threading.Lock()  # so that many logins at once take the memory of one


def hash_password(password: str, user: str) -> str:
    """The text to store. Raises SettingsError for a password that is short, long or among the first guesses."""
    if len(password) < SHORTEST:
        raise SettingsError(f"the password is too short; give at least {SHORTEST} characters")
    if len(password.encode()) > LONGEST:
        raise SettingsError(f"the password is too long; give at most {LONGEST} bytes")
    rest = password.lower()
    for word in (user.lower(), user.lower().partition("@")[0], *_GUESSED_FIRST):
        rest = rest.replace(word, "") if word else rest
    if len(set(rest)) < 4:
        raise SettingsError("the password is easy to guess; give one with more than known words and repetition")
    with _one_at_a_time:
        return _hasher.hash(password)


def check_password(stored: str, password: str) -> bool:
    """Whether it is the password; takes as long when nothing is stored, so that time tells nothing of users."""
    with _one_at_a_time:
        try:
            right = _hasher.verify(stored or _nobody(), password[:LONGEST])
        except (VerificationError, InvalidHashError):
            return False
    return right and bool(stored)


def _nobody() -> str:
    """A hash that no password has, with our parameters."""
    salt, digest = (b64encode(secrets.token_bytes(size)).decode().rstrip("=") for size in (16, 32))
    p = _parameters
    return f"$argon2id$v={p.version}$m={p.memory_cost},t={p.time_cost},p={p.parallelism}${salt}${digest}"


class Attempts:
    """Failures by name: a bucket of so many, one of which comes back each so many seconds.

    Holds the newest `names` only, so that an attacker fills no memory; each server process counts for itself.
    """

    def __init__(
        self, many: int, back_s: float, names: int = 10_000, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._many = many
        self._back_s = back_s
        self._names = names
        self._clock = clock
        self._free_s: OrderedDict[str, float] = OrderedDict()
        """Name -> when its bucket is full again."""
        self._lock = threading.Lock()

    def wait_s(self, name: str) -> float:
        """Seconds until this name may try again; 0 is now."""
        with self._lock:
            debt_s = self._free_s.get(name, 0.0) - self._clock()
        return max(0.0, debt_s - (self._many - 1) * self._back_s)

    def fail(self, name: str) -> None:
        """Count one failure."""
        with self._lock:
            self._free_s[name] = max(self._free_s.pop(name, 0.0), self._clock()) + self._back_s
            while len(self._free_s) > self._names:
                self._free_s.popitem(last=False)

    def forgive(self, name: str) -> None:
        """Take one failure back: it was counted before it was known to be none."""
        with self._lock:
            if name in self._free_s:
                self._free_s[name] -= self._back_s


def network_of(address: str) -> str:
    """What failures of an address are counted under: itself, and for IPv6 the /64, which one person has whole."""
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        return address
    if isinstance(found, ipaddress.IPv6Address):
        return str(found.ipv4_mapped or ipaddress.ip_network((found, 64), strict=False))
    return str(found)


__all__ = ["Attempts", "check_password", "hash_password", "network_of"]
