"""Passwords: argon2id, refused when weak, as slow for nobody; failures counted in bounded memory."""

import time

import pytest

from vestigo.errors import SettingsError
from vestigo.server.passwords import Attempts, check_password, hash_password, network_of

GOOD = "seven grey herons"


class Clock:
    now = 100.0

    def __call__(self):
        return self.now


def test_a_password_is_kept_as_argon2id_and_found_right_or_wrong():
    """The stored text is argon2id with a salt, and only the password fits it."""
    stored = hash_password(GOOD, "ann")
    assert stored.startswith("$argon2id$v=19$m=65536,t=3,")
    assert GOOD not in stored
    assert check_password(stored, GOOD)
    assert not check_password(stored, GOOD + "x")
    assert not check_password("$argon2id$broken", GOOD)


def test_nobody_has_a_password_and_that_takes_as_long():
    """Without a stored hash nothing is right, and as much is computed: CPU time within a factor of two."""
    stored = hash_password(GOOD, "ann")
    spent = []
    for one in (stored, ""):
        start = time.process_time()
        assert not check_password(one, "wrong horse battery")
        spent.append(time.process_time() - start)
    assert 0.5 < spent[1] / spent[0] < 2


@pytest.mark.parametrize(
    "weak", ["short", "x" * 12, "passwordpassword", "ann@example.org1", "changeme1234567890", "annannannann"]
)
def test_weak_passwords_are_refused(weak):
    """Under twelve characters, repetition, the user's own name, first guesses."""
    with pytest.raises(SettingsError, match="password"):
        hash_password(weak, "ann@example.org")


def test_an_endless_password_is_refused():
    """More than 1,024 bytes are not hashed."""
    with pytest.raises(SettingsError, match="too long"):
        hash_password("aé" * 600, "ann")


def test_failures_fill_a_bucket_that_empties_with_time():
    """Three failures are free, the fourth waits, one comes back each ten seconds."""
    clock = Clock()
    attempts = Attempts(3, 10.0, clock=clock)
    for _ in range(3):
        assert attempts.wait_s("ann") == 0
        attempts.fail("ann")
    assert attempts.wait_s("ann") == 10
    assert attempts.wait_s("bob") == 0
    clock.now += 10
    assert attempts.wait_s("ann") == 0
    attempts.fail("ann")
    assert attempts.wait_s("ann") == 10
    attempts.forgive("ann")
    assert attempts.wait_s("ann") == 0
    clock.now += 1_000
    for _ in range(3):
        assert attempts.wait_s("ann") == 0
        attempts.fail("ann")
    assert attempts.wait_s("ann") == 10


def test_failures_of_very_many_names_take_bounded_memory():
    """The newest names stay; the table never has more."""
    attempts = Attempts(1, 10.0, names=100)
    for number in range(1_000):
        attempts.fail(f"user{number}")
    assert len(attempts._free_s) == 100
    assert attempts.wait_s("user999") > 0
    assert attempts.wait_s("user0") == 0


def test_an_ipv6_network_counts_as_one_address():
    """The /64 is what one person has; IPv4 in IPv6 is IPv4; what is no address stays."""
    assert network_of("2001:db8::1") == network_of("2001:db8::ffff:2") == "2001:db8::/64"
    assert network_of("::ffff:192.0.2.7") == network_of("192.0.2.7") == "192.0.2.7"
    assert network_of("testclient") == "testclient"
