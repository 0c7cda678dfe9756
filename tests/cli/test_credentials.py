"""Keys, users and links from the command line, and the audit log that tells of each change and is verified."""

import io
import json
import sys

import apsw
import pytest

from vestigo.cli import main
from vestigo.server.accounts import Accounts
from vestigo.server.audit import Audit, AuditQuery

GOOD = "seven grey herons"


@pytest.fixture
def place(tmp_path):
    return tmp_path / "data"


@pytest.fixture
def vestigo(capsys, monkeypatch):
    """Runs a command, with what is piped into it; (exit code, standard output, standard error)."""

    def vestigo(*arguments, piped=""):
        capsys.readouterr()
        monkeypatch.setattr(sys, "stdin", io.StringIO(piped))
        try:
            code = main([str(argument) for argument in arguments])
        except SystemExit as stop:
            code = stop.code
        told = capsys.readouterr()
        return code, told.out, told.err

    return vestigo


def principal(place, token):
    accounts = Accounts(place / "accounts.db")
    try:
        return accounts.principal_of_key(token)
    finally:
        accounts.close()


def told(place):
    """(action, object, detail) of the audit log, the oldest first."""
    audit = Audit(place / "audit.db")
    try:
        return [(one.action, one.object, one.detail) for one in reversed(audit.entries(AuditQuery(limit=1_000)))]
    finally:
        audit.close()


# --- keys


def test_a_key_is_printed_once_and_works(vestigo, place):
    """Only the token is on standard output; the list and the log do not have it."""
    code, out, err = vestigo("key", "create", "ci", "--scopes", "ingest,read", "--projects", "shop,lab")
    assert code == 0
    token = out.strip()
    assert out == f"{token}\n"
    assert "shown once" in err
    assert principal(place, token).grants == {
        "shop": frozenset({"ingest", "read"}),
        "lab": frozenset({"ingest", "read"}),
    }
    key_id, secret = token.split("_")[1:]
    _, listed, _ = vestigo("key", "list")
    assert key_id in listed
    assert "shop:ingest,read lab:ingest,read" in listed
    assert secret not in listed
    ((action, what, detail),) = told(place)
    assert (action, what, detail["name"]) == ("key.create", key_id, "ci")
    assert secret not in str(told(place))


def test_a_key_is_for_sending_to_the_default_project(vestigo, place):
    """Unless told otherwise."""
    token = vestigo("key", "create", "app")[1].strip()
    assert principal(place, token).grants == {"default": frozenset({"ingest"})}
    token = vestigo("key", "create", "app", "--scopes", "read", "--projects", "*")[1].strip()
    assert principal(place, token).grants == {"*": frozenset({"read"})}


def test_a_revoked_key_is_nobodys(vestigo, place):
    """And is listed as such; a second time there is nothing to revoke."""
    token = vestigo("key", "create", "ci")[1].strip()
    key_id = token.split("_")[1]
    assert vestigo("key", "revoke", key_id) == (0, "", "")
    assert principal(place, token) is None
    assert "revoked" in vestigo("key", "list")[1]
    code, out, err = vestigo("key", "revoke", key_id)
    assert (code, out) == (1, "")
    assert "vestigo key list" in err


def test_a_key_is_replaced(vestigo, place):
    """With what the old one may do; the old one ends after the overlap."""
    old = vestigo("key", "create", "ci", "--scopes", "read", "--projects", "shop")[1].strip()
    new = vestigo("key", "create", "ci", "--replaces", old.split("_")[1], "--overlap", "2h")[1].strip()
    assert principal(place, new).grants == {"shop": frozenset({"read"})}
    assert principal(place, old)
    listed = [json.loads(line) for line in vestigo("key", "list", "--json")[1].splitlines()]
    (ends,) = [key["expires_s"] - key["created_s"] for key in listed if key["id"] == old.split("_")[1]]
    assert ends == pytest.approx(7_200, abs=60)
    vestigo("key", "create", "ci", "--replaces", new.split("_")[1], "--overlap", "0m")
    assert principal(place, new) is None
    assert "expired" in vestigo("key", "list")[1]


@pytest.mark.parametrize(
    ("arguments", "remedy"),
    [
        (["key", "create", "ci", "--scopes", "root"], "ingest, read, write, admin"),
        (["key", "create", "ci", "--expires", "soon"], "90d"),
        (["key", "create", "ci", "--replaces", "0"], "vestigo key list"),
        (["key", "create", " "], "name"),
        (["user", "add", "local"], "ann@example.org"),
        (["user", "add", "ann", "--roles", "shop:root", "--no-password"], "viewer, member, admin"),
        (["user", "role", "ann", "viewer"], "project:role"),
        (["verify", "--audit-head", "7"], "number:hash"),
    ],
)
def test_mistakes_are_one_line_with_the_remedy(vestigo, arguments, remedy):
    """Exit code 2, and nothing on standard output."""
    vestigo("key", "create", "another")
    code, out, err = vestigo(*arguments)
    assert (code, out) == (2, "")
    assert remedy in err
    assert "Traceback" not in err


# --- users


def test_a_user_is_added_with_a_piped_password(vestigo, place):
    """Listed with roles; the log does not have the password."""
    assert vestigo("user", "add", "Ann@example.org", "--roles", "shop:viewer", piped=f"{GOOD}\n") == (0, "", "")
    accounts = Accounts(place / "accounts.db")
    assert accounts.right_password("ann@example.org", GOOD)
    accounts.close()
    listed = vestigo("user", "list")[1]
    assert "ann@example.org" in listed
    assert "password" in listed
    assert "shop:viewer" in listed
    assert GOOD not in str(told(place))
    code, _, err = vestigo("user", "add", "bob", piped="short\n")
    assert code == 2
    assert "at least 12" in err


def test_a_user_is_changed_and_removed(vestigo, place):
    """Roles, password, removal; for one that there is not, the exit code is 1."""
    vestigo("user", "add", "ann", "--no-password")
    assert vestigo("user", "role", "ann", "shop:admin")[0] == 0
    assert vestigo("user", "role", "ann", "*:viewer")[0] == 0
    assert vestigo("user", "role", "ann", "shop:")[0] == 0
    assert vestigo("user", "password", "ann", piped=f"{GOOD}\n")[0] == 0
    (user,) = [json.loads(line) for line in vestigo("user", "list", "--json")[1].splitlines()]
    assert (user["roles"], user["password"]) == ({"*": "viewer"}, True)
    assert vestigo("user", "remove", "ann")[0] == 0
    assert "no users" in vestigo("user", "list")[2]
    for arguments in (["remove", "ann"], ["password", "ann"], ["role", "ann", "shop:viewer"]):
        assert vestigo("user", *arguments, piped=f"{GOOD}\n")[0] == 1
    assert [action for action, *_ in told(place)] == [
        "user.add", "user.role", "user.role", "user.role", "user.password", "user.remove",
    ]  # fmt: skip


# --- the link


def test_a_link_logs_in_once(vestigo, place, monkeypatch):
    """The address of the server by options or variables; the token is in no log."""
    out = vestigo("link")[1]
    address, _, token = out.strip().partition("/login?token=")
    assert address == "http://127.0.0.1:4318"
    accounts = Accounts(place / "accounts.db")
    assert accounts.redeem(token, 1)
    assert accounts.redeem(token, 1) is None
    accounts.close()
    assert told(place) == [("link.create", "", {})]
    monkeypatch.setenv("VESTIGO_PORT", "9")
    assert vestigo("link", "--host", "::1")[1].startswith("http://[::1]:9/login?token=")


# --- verify


def test_verify_checks_the_audit_log_too(vestigo, place, url):
    """Its head is printed; a change in the file is found, and so is a head that does not fit."""
    assert "audit log" not in vestigo("verify", "--storage", url)[1]
    vestigo("key", "create", "ci")
    code, out, _ = vestigo("verify", "--storage", url)
    assert code == 0
    assert "audit log: 1 entries, head 1:" in out
    head = out.partition("head ")[2].split()[0]
    assert vestigo("verify", "--storage", url, "--audit-head", head)[0] == 0
    code, out, _ = vestigo("verify", "--storage", url, "--audit-head", f"1:{'0' * 64}")
    assert code == 1
    assert "kept elsewhere has another hash for entry 1" in out
    db = apsw.Connection(str(place / "audit.db"))
    db.execute("UPDATE entry SET principal = 'key:other'")
    db.close()
    code, out, _ = vestigo("verify", "--storage", url, "--data-dir", place)
    assert code == 1
    assert "audit log: entry 1 was changed" in out
    assert "1 troubles found" in out


def test_verify_finds_a_log_that_was_taken_away(vestigo, place, url):
    """The head beside it still tells, though the log itself is gone."""
    vestigo("key", "create", "ci")
    for path in place.glob("audit.db*"):
        path.unlink()
    code, out, _ = vestigo("verify", "--storage", url)
    assert code == 1
    assert "it was cut" in out


# --- the terminal


class Terminal(io.StringIO):
    def isatty(self):
        return True


def test_a_password_is_asked_for_twice_and_unseen(vestigo, place, monkeypatch):
    """Two that differ are refused, and no user is added."""
    answers = [GOOD, "another one of these"]
    asked = []

    def getpass(prompt):
        asked.append(prompt)
        return answers[len(asked) - 1]

    monkeypatch.setattr("getpass.getpass", getpass)
    monkeypatch.setattr(io, "StringIO", Terminal)
    code, _, err = vestigo("user", "add", "ann")
    assert code == 2
    assert "not the same" in err
    assert asked == ["password of ann: ", "again: "]
    answers[:] = [GOOD] * 2
    asked.clear()
    assert vestigo("user", "add", "ann")[0] == 0
    accounts = Accounts(place / "accounts.db")
    assert accounts.right_password("ann", GOOD)
    accounts.close()


def test_what_is_not_installed_is_told(vestigo, monkeypatch):
    """With the remedy, and no traceback."""
    monkeypatch.setitem(sys.modules, "vestigo.server.accounts", None)
    code, _, err = vestigo("key", "list")
    assert code == 2
    assert "pip install 'vestigo[server]'" in err
