"""Accounts: what a key, a session or a link may do, until it is revoked, expired, used or its user removed."""

import subprocess
import sys

import apsw
import pytest

from vestigo.errors import SchemaError, SettingsError
from vestigo.server.accounts import Accounts
from vestigo.server.grants import LOCAL, SCOPES
from vestigo.server.routes import Principal

GOOD = "seven grey herons"


class Clock:
    now = 1_700_000_000.0

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def accounts(tmp_path, clock):
    accounts = Accounts(tmp_path / "vestigo" / "accounts.db", clock)
    yield accounts
    accounts.close()


def id_of(token):
    return token.split("_")[1]


# --- keys


def test_a_key_may_what_it_was_given(accounts):
    """Scopes by project, and nothing in other projects."""
    token = accounts.create_key("ci", {"shop": ["ingest", "read"]}, "test")
    principal = accounts.principal_of_key(token)
    assert principal == Principal(f"key:{id_of(token)}", {"shop": frozenset({"ingest", "read"})})
    assert principal.may("read", "shop")
    assert not principal.may("write", "shop")
    assert not principal.may("read", "other")
    assert not principal.may("read", "*")


def test_a_key_of_every_project_may_there(accounts):
    """`*` stands for every project."""
    principal = accounts.principal_of_key(accounts.create_key("ci", {"*": ["read"]}, "test"))
    assert principal.may("read", "anything")
    assert not principal.may("admin", "anything")


def test_what_is_no_key_is_nobody(accounts):
    """Unknown ids, wrong secrets, other forms, other cases, spaces around."""
    token = accounts.create_key("ci", {"*": ["read"]}, "test")
    *_, secret = token.split("_")
    other = accounts.create_key("ci", {"*": ["read"]}, "test")
    wrong = [
        "",
        "vst_", token[:-1], token + "0", token.upper(), f" {token}", f"{token}\n", secret, f"vst_{'0' * 12}_{secret}",
        f"vst_{id_of(other)}_{secret}", f"{token[:-1]}{'0' if token[-1] != '0' else '1'}", "vst_é_é", "\ud800",
    ]  # fmt: skip
    assert [one for one in wrong if accounts.principal_of_key(one) is not None] == []


def test_secrets_are_not_in_the_file(accounts, tmp_path):
    """Keys, sessions, links and passwords stand in no file of the directory."""
    token = accounts.create_key("ci", {"*": ["read"]}, "test")
    accounts.add_user("ann", GOOD, {"shop": "viewer"})
    secrets = [token.split("_")[2], accounts.open_session("ann", 1), accounts.one_time_link(), GOOD]
    everything = b"".join(path.read_bytes() for path in (tmp_path / "vestigo").iterdir())
    assert b"ann" in everything
    assert [secret for secret in secrets if secret.encode() in everything] == []


def test_files_are_their_owners_alone(accounts, tmp_path):
    """The directory is 0700, each file 0600, also one that was wider."""
    folder = tmp_path / "vestigo"
    assert folder.stat().st_mode & 0o777 == 0o700
    assert {path.stat().st_mode & 0o777 for path in folder.iterdir()} == {0o600}
    (folder / "accounts.db").chmod(0o644)
    Accounts(folder / "accounts.db").close()
    assert (folder / "accounts.db").stat().st_mode & 0o777 == 0o600


def test_a_revoked_key_ends_at_once_in_every_process(accounts, tmp_path):
    """Also where it was just used, and when another process revokes it."""
    mine = accounts.create_key("mine", {"*": ["read"]}, "test")
    theirs = accounts.create_key("theirs", {"*": ["read"]}, "test")
    assert accounts.principal_of_key(mine)
    assert accounts.principal_of_key(theirs)
    assert accounts.revoke_key(id_of(mine))
    assert accounts.principal_of_key(mine) is None
    assert not accounts.revoke_key(id_of(mine))
    assert not accounts.revoke_key("0" * 12)
    program = (
        "import sys; from pathlib import Path; from vestigo.server.accounts import Accounts;"
        "Accounts(Path(sys.argv[1])).revoke_key(sys.argv[2])"
    )
    subprocess.run([sys.executable, "-c", program, accounts.path, id_of(theirs)], check=True)
    assert accounts.principal_of_key(theirs) is None
    assert all(key.revoked_s is not None for key in accounts.all_keys())


def test_a_key_expires(accounts, clock):
    """From its time on it is nobody's; one that would be expired from the start is not made."""
    token = accounts.create_key("ci", {"*": ["read"]}, "test", expires_s=clock.now + 60)
    assert accounts.principal_of_key(token)
    clock.now += 60
    assert accounts.principal_of_key(token) is None
    with pytest.raises(SettingsError, match="expired"):
        accounts.create_key("ci", {"*": ["read"]}, "test", expires_s=clock.now)


def test_a_rotated_key_overlaps(accounts, clock):
    """The old one ends within the given time, and never later than it would have."""
    old = accounts.create_key("ci", {"*": ["read"]}, "test")
    assert accounts.expire_key(id_of(old), 3_600)
    assert accounts.expire_key(id_of(old), 7_200)
    clock.now += 3_599
    assert accounts.principal_of_key(old)
    clock.now += 1
    assert accounts.principal_of_key(old) is None
    assert not accounts.expire_key("0" * 12, 60)


def test_use_is_told_coarsely(accounts, clock):
    """The first use is noted, then one each ten minutes."""
    token = accounts.create_key("ci", {"*": ["read"]}, "test")
    (key,) = accounts.all_keys()
    assert (key.name, key.created_by, key.used_s, key.grants) == ("ci", "test", None, {"*": ("read",)})
    accounts.principal_of_key(token)
    first = accounts.key(key.id).used_s
    assert first == clock.now
    clock.now += 599
    accounts.principal_of_key(token)
    assert accounts.key(key.id).used_s == first
    clock.now += 2
    accounts.principal_of_key(token)
    assert accounts.key(key.id).used_s == clock.now


def test_a_busy_file_does_not_hold_up_a_request(accounts):
    """While another process writes, a key is found without its use being noted."""
    token = accounts.create_key("ci", {"*": ["read"]}, "test")
    other = apsw.Connection(accounts.path)
    other.execute("BEGIN IMMEDIATE")
    assert accounts.principal_of_key(token)
    other.execute("ROLLBACK")
    other.close()
    assert accounts.all_keys()[0].used_s is None
    accounts.principal_of_key(token)
    assert accounts.all_keys()[0].used_s is not None
    assert accounts.revoke_key(id_of(token))  # and the settings of the connection are as before


@pytest.mark.parametrize("name", ["", " ", "x" * 201, "a\x1b[31m"])
def test_a_key_needs_a_name_to_show(accounts, name):
    """Short and printable."""
    with pytest.raises(SettingsError, match="name"):
        accounts.create_key(name, {"*": ["read"]}, "test")


# --- users and sessions


def test_a_session_may_what_its_users_roles_say_now(accounts):
    """Roles are looked up at each request; a project has one role."""
    accounts.add_user("Ann@example.org", None, {"shop": "viewer"})
    cookie = accounts.open_session("ann@example.org", 1)
    principal = accounts.principal_of_session(cookie)
    assert principal == Principal("user:ann@example.org", {"shop": frozenset({"read"})})
    assert accounts.set_role("ann@example.org", "shop", "member")
    assert accounts.set_role("ann@example.org", "*", "viewer")
    assert accounts.principal_of_session(cookie).grants == {
        "shop": frozenset({"ingest", "read", "write"}),
        "*": frozenset({"read"}),
    }
    assert accounts.set_role("ann@example.org", "*", "")
    assert not accounts.principal_of_session(cookie).may("read", "other")
    assert not accounts.set_role("nobody", "shop", "viewer")
    with pytest.raises(SettingsError, match="unknown role"):
        accounts.set_role("ann@example.org", "shop", "root")


def test_a_removed_user_is_out_at_once(accounts):
    """Sessions end, roles go, and one added again under that name has neither."""
    accounts.add_user("ann", None, {"*": "admin"})
    cookie = accounts.open_session("ann", 1)
    assert accounts.principal_of_session(cookie)
    assert accounts.remove_user("ann")
    assert accounts.principal_of_session(cookie) is None
    accounts.add_user("ann", None, {})
    assert accounts.principal_of_session(cookie) is None
    assert accounts.users()[0].roles == {}
    assert not accounts.remove_user("nobody")


def test_a_session_opened_for_one_removed_meanwhile_is_nobodys(accounts):
    """A login that was under way while the user was removed ends in nothing."""
    cookie = accounts.open_session("gone", 1)
    assert accounts.principal_of_session(cookie) is None


def test_a_session_ends(accounts, clock):
    """By its time and by logging out; each cookie is its own."""
    accounts.add_user("ann", None, {"shop": "viewer"})
    first, second, third = (accounts.open_session("ann", hours) for hours in (1, 2, 2))
    assert accounts.end_session(third)
    assert accounts.principal_of_session(third) is None
    clock.now += 3_600
    assert accounts.principal_of_session(first) is None
    assert accounts.principal_of_session(second)
    for wrong in ("", second[:-1], second + "x", "\ud800"):
        assert accounts.principal_of_session(wrong) is None


def test_passwords_are_checked_and_changing_one_ends_the_sessions(accounts):
    """The name in any case; nobody, and those without a password, have none."""
    accounts.add_user("ann", GOOD, {"shop": "viewer"})
    accounts.add_user("bob", None, {"shop": "viewer"})
    cookie = accounts.open_session("ann", 1)
    assert accounts.right_password("Ann", GOOD)
    assert not accounts.right_password("ann", "wrong")
    assert not accounts.right_password("bob", "")
    assert not accounts.right_password("nobody", GOOD)
    assert accounts.set_password("ann", "nine green herons")
    assert accounts.principal_of_session(cookie) is None
    assert not accounts.right_password("ann", GOOD)
    assert not accounts.set_password("nobody", GOOD)


def test_a_user_is_added_once(accounts):
    """A second one of that name, and a bad password or role, add nothing."""
    accounts.add_user("ann", None, {"shop": "viewer"})
    for name, password, roles in (("ANN", None, {}), ("bob", "short", {}), ("cid", None, {"shop": "root"})):
        with pytest.raises(SettingsError):
            accounts.add_user(name, password, roles)
    (user,) = accounts.users()
    assert (user.name, user.roles, user.password, user.linked) == ("ann", {"shop": "viewer"}, False, False)


# --- the one-time link


def test_a_link_opens_one_session_that_may_everything(accounts):
    """Single use, for the principal `local`."""
    token = accounts.one_time_link()
    cookie = accounts.redeem(token, 12)
    assert accounts.principal_of_session(cookie) == Principal(LOCAL, {"*": frozenset(SCOPES)})
    assert accounts.redeem(token, 12) is None
    assert accounts.redeem("", 12) is None
    assert accounts.end_sessions(LOCAL)
    assert accounts.principal_of_session(cookie) is None


def test_a_link_is_good_for_ten_minutes(accounts, clock):
    """And others do not end with it."""
    token = accounts.one_time_link()
    clock.now += 599
    other = accounts.one_time_link()
    clock.now += 1
    assert accounts.redeem(token, 12) is None
    assert accounts.redeem(other, 12)


def test_two_processes_cannot_both_redeem_a_link(accounts, tmp_path):
    """Of four at once, one gets in."""
    program = (
        "import sys; from pathlib import Path; from vestigo.server.accounts import Accounts;"
        "accounts = Accounts(Path(sys.argv[1])); sys.stdin.read(1); print(bool(accounts.redeem(sys.argv[2], 1)))"
    )
    clock_free = Accounts(tmp_path / "vestigo" / "accounts.db")
    token = clock_free.one_time_link()
    clock_free.close()
    children = [
        subprocess.Popen(
            [sys.executable, "-c", program, accounts.path, token],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for _ in range(4)
    ]
    for child in children:
        child.stdin.write("x")
        child.stdin.flush()
    assert sorted(child.communicate()[0].strip() for child in children) == ["False", "False", "False", "True"]


# --- identities of an issuer


def test_an_identity_is_linked_by_verified_email_once(accounts):
    """The first subject with that verified email gets the account; another subject with it does not."""
    accounts.add_user("ann@example.org", None, {"shop": "viewer"})
    assert accounts.user_of_identity("https://id", "1", "Ann@Example.org", create=False) == "ann@example.org"
    assert accounts.user_of_identity("https://id", "1", "", create=False) == "ann@example.org"
    assert accounts.user_of_identity("https://id", "2", "ann@example.org", create=True) is None
    assert accounts.users()[0].linked


def test_an_unverified_email_links_nothing(accounts):
    """Without a verified email the identity gets a user of its own, or none."""
    accounts.add_user("ann@example.org", None, {"shop": "admin"})
    assert accounts.user_of_identity("https://id", "1", "", create=False) is None
    name = accounts.user_of_identity("https://id", "1", "", create=True)
    assert name.startswith("oidc-")
    assert accounts.user_of_identity("https://id", "1", "", create=False) == name
    assert accounts.user_of_identity("https://other", "1", "", create=False) is None
    assert not accounts.users()[0].linked


def test_no_email_is_a_reserved_name(accounts):
    """An issuer that verifies the email `local` makes nobody mighty."""
    assert accounts.user_of_identity("https://id", "1", "local", create=True).startswith("oidc-")


def test_a_removed_identity_does_not_come_back_by_itself(accounts):
    """It is barred, whatever the issuer says, until the user is added again."""
    assert accounts.user_of_identity("https://id", "1", "ann@example.org", create=True) == "ann@example.org"
    accounts.remove_user("ann@example.org")
    assert accounts.user_of_identity("https://id", "1", "ann@example.org", create=True) is None
    assert accounts.user_of_identity("https://id", "1", "", create=True) is None
    accounts.add_user("ann@example.org", None, {"shop": "viewer"})
    assert accounts.user_of_identity("https://id", "1", "ann@example.org", create=False) == "ann@example.org"


# --- the file


def test_a_newer_file_is_refused(tmp_path):
    """Accounts that a newer version wrote are not guessed at."""
    path = tmp_path / "accounts.db"
    Accounts(path).close()
    db = apsw.Connection(str(path))
    db.execute("PRAGMA user_version = 99")
    db.close()
    with pytest.raises(SchemaError, match="newer"):
        Accounts(path)


def test_the_anchor_only_moves_forward(accounts):
    """A head that is older than the one kept does not take its place."""
    assert accounts.anchor() is None
    accounts.set_anchor(5, "aa")
    accounts.set_anchor(4, "bb")
    assert accounts.anchor() == (5, "aa")
    accounts.set_anchor(6, "cc")
    assert accounts.anchor() == (6, "cc")
