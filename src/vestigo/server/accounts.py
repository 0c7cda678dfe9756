"""Who may do what: API keys, users with roles, sessions and one-time links, in `accounts.db`.

Every question reads the file, so that what is revoked or removed ends at once in each server process. Secrets are
stored as SHA-256, which is right for 256 random bits; passwords as argon2id. Knows nothing of HTTP.
"""

import hmac
import re
import secrets
import time
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path
from typing import Any, Final

import apsw
import msgspec
from msgspec import Struct

from vestigo.errors import SchemaError, SettingsError
from vestigo.server.grants import LOCAL, ROLES, SCOPES, Grants, check_grants, check_role, check_user, names_user
from vestigo.server.passwords import Attempts, check_password, hash_password
from vestigo.server.routes import EVERY_PROJECT, Principal
from vestigo.storage.sqlite.connection import Connections, prepare_directory, storage_errors

LINK_S: Final = 600.0

_VERSION: Final = 1
_SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS key(
  id TEXT PRIMARY KEY, hash BLOB NOT NULL, name TEXT NOT NULL, grants TEXT NOT NULL, created_s REAL NOT NULL,
  created_by TEXT NOT NULL, expires_s REAL, revoked_s REAL, used_s REAL) STRICT;
CREATE TABLE IF NOT EXISTS user(
  name TEXT PRIMARY KEY, password TEXT NOT NULL, issuer TEXT, subject TEXT, created_s REAL NOT NULL,
  UNIQUE(issuer, subject)) STRICT;
CREATE TABLE IF NOT EXISTS role(
  user TEXT NOT NULL, project TEXT NOT NULL, role TEXT NOT NULL,
  PRIMARY KEY(user, project)) STRICT;
CREATE TABLE IF NOT EXISTS barred(
  issuer TEXT NOT NULL, subject TEXT NOT NULL, name TEXT NOT NULL, PRIMARY KEY(issuer, subject)) STRICT;
CREATE TABLE IF NOT EXISTS session(
  hash BLOB PRIMARY KEY, user TEXT NOT NULL, grants TEXT NOT NULL, expires_s REAL NOT NULL) STRICT;
CREATE INDEX IF NOT EXISTS session_user ON session(user);
CREATE TABLE IF NOT EXISTS link(hash BLOB PRIMARY KEY, expires_s REAL NOT NULL) STRICT;
CREATE TABLE IF NOT EXISTS anchor(id INTEGER PRIMARY KEY CHECK(id = 1), sequence INTEGER, hash TEXT) STRICT;
"""
_TOKEN: Final = re.compile(r"vst_([0-9a-f]{12})_([0-9a-f]{64})")
_USE_S: Final = 600.0  # "last used" is this coarse, so that a request is no write
_NOTHING: Final = bytes(32)


class Key(Struct, frozen=True):
    """What may be known of an API key: everything but its secret."""

    id: str
    name: str
    grants: dict[str, tuple[str, ...]]
    """Project, or `*` for every one -> scopes."""
    created_s: float
    created_by: str
    expires_s: float | None
    revoked_s: float | None
    used_s: float | None
    """Within ten minutes."""


class User(Struct, frozen=True):
    """A person who may log in."""

    name: str
    roles: dict[str, str]
    """Project, or `*` for every one -> viewer, member or admin."""
    password: bool
    """Whether the user has one; users of an OpenID Connect issuer need none."""
    linked: bool
    """Whether the user has come by the OpenID Connect issuer."""
    created_s: float


class Accounts:
    """The accounts of one data directory; safe from any thread, and beside other processes."""

    def __init__(self, path: Path, clock: Callable[[], float] = time.time) -> None:
        self.path = prepare_directory(str(path))
        Path(self.path).chmod(0o600)
        self._clock = clock
        self._connections = Connections(self.path)
        self.user_failures = Attempts(10, 60.0)
        self.address_failures = Attempts(30, 20.0)
        with self._writing() as db:
            if db.pragma("user_version") > _VERSION:
                raise SchemaError(f"{self.path} was written by a newer version; update this program")
            db.execute(_SCHEMA)
            db.pragma("user_version", _VERSION)

    def close(self) -> None:
        self._connections.close()

    def now(self) -> float:
        """Seconds since 1970, by the clock that keys and sessions end by."""
        return self._clock()

    # --- who calls

    def principal_of_key(self, token: str) -> Principal | None:
        """Who has this key; None if it is unknown, revoked or expired."""
        match = _TOKEN.fullmatch(token)
        if match is None:
            return None
        now = self._clock()
        row = self._row("SELECT hash, grants, expires_s, revoked_s, used_s FROM key WHERE id = ?", match[1])
        stored, grants, expires_s, revoked_s, used_s = row or (_NOTHING, "{}", None, None, now)
        if not hmac.compare_digest(stored, _hash(match[2])) or row is None:
            return None
        if revoked_s is not None or (expires_s is not None and expires_s <= now):
            return None
        if used_s is None or not now - _USE_S < used_s <= now:
            self._note_use(match[1], now)
        return Principal(f"key:{match[1]}", _sets(grants))

    def principal_of_session(self, cookie: str) -> Principal | None:
        """Who has this session; None if it is unknown or over, or its user was removed."""
        digest = _hash(cookie)
        row = self._row(
            "SELECT hash, user, grants FROM session WHERE hash = ? AND expires_s > ?", digest, self._clock()
        )
        if row is None or not hmac.compare_digest(row[0], digest):
            return None
        user, grants = row[1], _sets(row[2])
        if user == LOCAL:
            return Principal(LOCAL, grants)
        if self._row("SELECT 1 FROM user WHERE name = ?", user) is None:
            return None
        for project, role in self._rows("SELECT project, role FROM role WHERE user = ?", user):
            grants[project] = grants.get(project, frozenset()) | ROLES[role]
        return Principal(f"user:{user}", grants)

    # --- keys

    def create_key(
        self, name: str, grants: Grants, by: str, *, expires_s: float | None = None, key_id: str | None = None
    ) -> str:
        """Make a key for projects -> scopes, until a time in seconds since 1970. The token is told this one time."""
        checked = check_grants(grants)
        if not name.strip() or len(name) > 200 or not name.isprintable():
            raise SettingsError(
                f"key name {name[:200]!r} is empty, long or not printable; give a short one such as 'ci'"
            )
        if expires_s is not None and not self._clock() < expires_s < 1e11:
            raise SettingsError("the key would be expired from the start; give a later time")
        key_id, secret = key_id or new_key_id(), secrets.token_hex(32)
        with self._writing() as db:
            db.execute(
                "INSERT INTO key(id, hash, name, grants, created_s, created_by, expires_s) VALUES(?, ?, ?, ?, ?, ?, ?)",
                (key_id, _hash(secret), name, _text(checked), self._clock(), by, expires_s),
            )
        return f"vst_{key_id}_{secret}"

    def all_keys(self) -> list[Key]:
        """All keys, the newest first, also those that are revoked or expired."""
        return [_key(row) for row in self._rows(f"{_SELECT_KEY} ORDER BY created_s DESC, id")]

    def key(self, key_id: str) -> Key | None:
        row = self._row(f"{_SELECT_KEY} WHERE id = ?", key_id)
        return None if row is None else _key(row)

    def revoke_key(self, key_id: str) -> bool:
        """End a key at once; False if there is none that could be ended."""
        return self._change("UPDATE key SET revoked_s = ? WHERE id = ? AND revoked_s IS NULL", self._clock(), key_id)

    def expire_key(self, key_id: str, within_s: float) -> bool:
        """Let a key end in so many seconds, if it does not end before; for the overlap of a rotation."""
        end_s = self._clock() + within_s
        return self._change(
            "UPDATE key SET expires_s = min(ifnull(expires_s, ?), ?) WHERE id = ? AND revoked_s IS NULL",
            end_s, end_s, key_id,
        )  # fmt: skip

    # --- users

    def add_user(self, name: str, password: str | None, roles: Mapping[str, str]) -> None:
        """Add a user with roles by project. Without a password the user comes by the OpenID Connect issuer only."""
        name = check_user(name)
        for project, role in roles.items():
            check_role(project, role)
        stored = "" if password is None else hash_password(password, name)
        with self._writing() as db:
            if db.execute("SELECT 1 FROM user WHERE name = ?", (name,)).get is not None:
                raise SettingsError(f"there is a user {name!r} already; remove it first, or give another name")
            db.execute("DELETE FROM barred WHERE name = ?", (name,))
            _insert_user(db, name, stored, self._clock())
            db.executemany("INSERT INTO role VALUES(?, ?, ?)", [(name, *item) for item in roles.items()])

    def remove_user(self, name: str) -> bool:
        """Remove a user with roles and sessions; the issuer's identity behind it is barred until it is added again."""
        with self._writing() as db:
            db.execute(
                "INSERT OR REPLACE INTO barred SELECT issuer, subject, name FROM user"
                " WHERE name = ? AND issuer IS NOT NULL",
                (name,),
            )
            db.execute("DELETE FROM session WHERE user = ?", (name,))
            db.execute("DELETE FROM role WHERE user = ?", (name,))
            db.execute("DELETE FROM user WHERE name = ?", (name,))
            return db.changes() > 0

    def users(self) -> list[User]:
        """All users by name."""
        roles: dict[str, dict[str, str]] = {}
        for user, project, role in self._rows("SELECT user, project, role FROM role ORDER BY project"):
            roles.setdefault(user, {})[project] = role
        rows = self._rows("SELECT name, password != '', issuer IS NOT NULL, created_s FROM user ORDER BY name")
        return [User(name, roles.get(name, {}), bool(own), bool(linked), at) for name, own, linked, at in rows]

    def has_user(self, name: str) -> bool:
        return self._row("SELECT 1 FROM user WHERE name = ?", name) is not None

    def set_password(self, name: str, password: str) -> bool:
        """Set a password and end the user's sessions; False if there is no such user."""
        stored = hash_password(password, name)
        with self._writing() as db:
            db.execute("DELETE FROM session WHERE user = ?", (name,))
            db.execute("UPDATE user SET password = ? WHERE name = ?", (stored, name))
            return db.changes() > 0

    def set_role(self, name: str, project: str, role: str) -> bool:
        """Give a user one role in a project, or none for ''; False if there is no such user."""
        if role:
            check_role(project, role)
        with self._writing() as db:
            if db.execute("SELECT 1 FROM user WHERE name = ?", (name,)).get is None:
                return False
            db.execute("DELETE FROM role WHERE user = ? AND project = ?", (name, project))
            if role:
                db.execute("INSERT INTO role VALUES(?, ?, ?)", (name, project, role))
            return True

    def right_password(self, name: str, password: str) -> bool:
        """Whether the user has this password; takes as long for users that there are not."""
        row = self._row("SELECT password FROM user WHERE name = ?", name.lower())
        return check_password(row[0] if row else "", password)

    def user_of_identity(self, issuer: str, subject: str, email: str, *, create: bool) -> str | None:
        """The user behind (issuer, subject); `email` is one that the issuer has verified, or ''.

        A user of that name who is linked to nobody yet is linked now. Else, with `create`, one is added.
        None for one who is barred or has no account.
        """
        with self._writing() as db:
            found = db.execute("SELECT name FROM user WHERE issuer = ? AND subject = ?", (issuer, subject)).get
            barred = db.execute("SELECT 1 FROM barred WHERE issuer = ? AND subject = ?", (issuer, subject)).get
            if found is not None or barred is not None:
                return None if barred is not None else str(found)
            name = email.lower()
            if names_user(name):
                db.execute(
                    "UPDATE user SET issuer = ?, subject = ? WHERE name = ? AND issuer IS NULL", (issuer, subject, name)
                )
                if db.changes():
                    return name
                if db.execute("SELECT 1 FROM user WHERE name = ?", (name,)).get is not None:
                    return None  # linked to somebody else
            else:
                name = f"oidc-{sha256(f'{issuer} {subject}'.encode()).hexdigest()[:16]}"
            if create:
                _insert_user(db, name, "", self._clock(), issuer, subject)
            return name if create else None

    # --- sessions and links

    def open_session(self, user: str, hours: float, grants: Grants | None = None) -> str:
        """A new session, with grants besides the user's roles; the value of its cookie."""
        cookie, now = secrets.token_urlsafe(32), self._clock()
        checked = _text(check_grants(grants) if grants else {})
        with self._writing() as db:
            db.execute("DELETE FROM session WHERE expires_s <= ?", (now,))
            row = (_hash(cookie), user, checked, now + hours * 3_600)
            db.execute("INSERT INTO session VALUES(?, ?, ?, ?)", row)
        return cookie

    def end_session(self, cookie: str) -> bool:
        return self._change("DELETE FROM session WHERE hash = ?", _hash(cookie))

    def end_sessions(self, user: str) -> bool:
        """End every session of a user, or of `local`."""
        return self._change("DELETE FROM session WHERE user = ?", user)

    def one_time_link(self) -> str:
        """A token that opens one session of `local`, within ten minutes."""
        token, now = secrets.token_urlsafe(32), self._clock()
        with self._writing() as db:
            db.execute("DELETE FROM link WHERE expires_s <= ?", (now,))
            db.execute("INSERT INTO link VALUES(?, ?)", (_hash(token), now + LINK_S))
        return token

    def redeem(self, token: str, hours: float) -> str | None:
        """Open the session of a one-time link; None if it was used, is too old or never was."""
        if not self._change("DELETE FROM link WHERE hash = ? AND expires_s > ?", _hash(token), self._clock()):
            return None
        return self.open_session(LOCAL, hours, {EVERY_PROJECT: SCOPES})

    # --- the second place of the audit log's head (audit.py)

    def anchor(self) -> tuple[int, str] | None:
        """Sequence and hash of the newest audit entry that was told of here."""
        return self._row("SELECT sequence, hash FROM anchor")

    def set_anchor(self, sequence: int, digest: str) -> None:
        """Keep the head, without waiting for the disk: an older one is right too. One that is newer stays."""
        statement = (
            "INSERT INTO anchor VALUES(1, ?, ?) ON CONFLICT(id) DO UPDATE SET sequence = excluded.sequence,"
            " hash = excluded.hash WHERE excluded.sequence > sequence"
        )
        self._note(statement, sequence, digest)

    # --- the file

    @contextmanager
    def _writing(self) -> Generator[apsw.Connection]:
        connections = self._connections
        with storage_errors(self.path), connections.lock:
            db = connections.writer()
            db.execute("BEGIN IMMEDIATE")
            try:
                yield db
                db.execute("COMMIT")
            except BaseException:
                if db.in_transaction:
                    db.execute("ROLLBACK")
                raise

    def _change(self, statement: str, *values: Any) -> bool:
        """Run one statement; whether it changed a row."""
        with self._writing() as db:
            db.execute(statement, values)
            return db.changes() > 0

    def _note(self, statement: str, *values: Any) -> None:
        """Write what may be lost: without a wait for the disk, and not at all while somebody else writes."""
        connections = self._connections
        if not connections.lock.acquire(blocking=False):
            return
        try:
            with storage_errors(self.path):
                db = connections.writer()
                db.set_busy_timeout(0)
                db.pragma("synchronous", "normal")
                try:
                    db.execute(statement, values)
                except apsw.BusyError:
                    pass  # the next one will do
                finally:
                    db.pragma("synchronous", "full")
                    db.set_busy_timeout(60_000)
        finally:
            connections.lock.release()

    def _note_use(self, key_id: str, now: float) -> None:
        self._note("UPDATE key SET used_s = ? WHERE id = ?", now, key_id)

    def _row(self, statement: str, *values: Any) -> Any:
        rows = self._rows(statement, *values)
        return rows[0] if rows else None

    def _rows(self, statement: str, *values: Any) -> list[Any]:
        with storage_errors(self.path):
            return self._connections.reader().execute(statement, values).fetchall()


def new_key_id() -> str:
    """The public part of a key, for who wants to tell of it before it is made."""
    return secrets.token_hex(6)


_SELECT_KEY: Final = "SELECT id, name, grants, created_s, created_by, expires_s, revoked_s, used_s FROM key"


def _key(row: Any) -> Key:
    key_id, name, grants, *rest = row
    return Key(key_id, name, msgspec.json.decode(grants, type=dict[str, tuple[str, ...]]), *rest)


def _insert_user(
    db: apsw.Connection, name: str, password: str, now: float, issuer: str | None = None, subject: str | None = None
) -> None:
    db.execute("INSERT INTO user VALUES(?, ?, ?, ?, ?)", (name, password, issuer, subject, now))


def _hash(secret: str) -> bytes:
    return sha256(secret.encode("utf-8", "surrogatepass")).digest()


def _text(grants: Mapping[str, tuple[str, ...]]) -> str:
    return msgspec.json.encode(grants).decode()


def _sets(grants: str) -> dict[str, frozenset[str]]:
    return msgspec.json.decode(grants, type=dict[str, frozenset[str]])


__all__ = ["Accounts", "Key", "User", "new_key_id"]
