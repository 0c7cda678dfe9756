"""`vestigo key`, `user` and `link`: who may ask the server of a data directory; and the check of its audit log.

They work on the files, beside a running server or without one, and need no key: whoever may write the data directory
may do everything. Each change stands in the audit log first.
"""

import argparse
import getpass
import re
import sys
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import msgspec

from vestigo.cli.render import plain
from vestigo.errors import SettingsError
from vestigo.settings import ServerSettings, load_server_settings

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

    from vestigo.server.accounts import Accounts
    from vestigo.server.audit import Audit

_UNITS: Final = {"m": 60, "h": 3_600, "d": 86_400, "w": 604_800}


def add_options(commands: Any) -> None:
    """The parsers of the three commands."""
    place = argparse.ArgumentParser(add_help=False)
    place.add_argument("--data-dir", metavar="DIR", help="the server's (default: VESTIGO_DATA_DIR, or ~/.vestigo)")
    keys = commands.add_parser("key", help="make, list and revoke API keys").add_subparsers(
        dest="what", required=True, metavar="WHAT"
    )
    create = keys.add_parser("create", parents=[place], help="make a key, and print it this one time")
    create.add_argument("name", help="what it is for, such as 'ci'")
    create.add_argument("--scopes", help="of ingest, read, write, admin, by comma (default: ingest)")
    create.add_argument("--projects", help="by comma, or '*' for every one (default: 'default')")
    create.add_argument("--expires", metavar="TIME", help="how long it is good for, such as 90d (default: for ever)")
    create.add_argument("--replaces", metavar="ID", help="a key that ends; its scopes and projects are taken over")
    create.add_argument("--overlap", metavar="TIME", default="24h", help="how long that one goes on (default: 24h)")
    shown = keys.add_parser("list", parents=[place], help="all keys, without their secrets")
    shown.add_argument("--json", action="store_true", help="one JSON object a line")
    revoke = keys.add_parser("revoke", parents=[place], help="end a key at once")
    revoke.add_argument("id", help="as `vestigo key list` shows it")

    users = commands.add_parser("user", help="add, list and remove users").add_subparsers(
        dest="what", required=True, metavar="WHAT"
    )
    add = users.add_parser("add", parents=[place], help="add a user; asks for the password")
    add.add_argument("name", help="an email address, or another name")
    add.add_argument("--roles", default="", help="project:role by comma; roles are viewer, member, admin")
    add.add_argument("--no-password", action="store_true", help="only the OpenID Connect issuer lets the user in")
    shown = users.add_parser("list", parents=[place], help="all users with their roles")
    shown.add_argument("--json", action="store_true", help="one JSON object a line")
    for name, told in (
        ("remove", "remove a user and end the sessions"),
        ("password", "set a password and end the sessions"),
    ):
        users.add_parser(name, parents=[place], help=told).add_argument("name", help="the user")
    role = users.add_parser("role", parents=[place], help="give a user a role in a project, or take it away")
    role.add_argument("name", help="the user")
    role.add_argument("role", help="project:role, such as shop:viewer; 'shop:' takes it away")

    link = commands.add_parser("link", parents=[place], help="print a link to the page that logs in once")
    link.add_argument("--host", help="where the server listens (default: VESTIGO_HOST, or 127.0.0.1)")
    link.add_argument("--port", type=int, help="its port (default: VESTIGO_PORT, or 4318)")


def key(given: argparse.Namespace) -> int | None:
    return {"create": _create_key, "list": _list_keys, "revoke": _revoke_key}[given.what](given)


def user(given: argparse.Namespace) -> int | None:
    return {
        "add": _add_user, "list": _list_users, "remove": _remove_user, "password": _set_password, "role": _set_role,
    }[given.what](given)  # fmt: skip


def link(given: argparse.Namespace) -> None:
    settings = _settings(given)
    with _opened(settings) as (accounts, audit):
        audit.append(_entry("link.create"))
        token = accounts.one_time_link()
    scheme = "https" if settings.tls_certificate or settings.behind_proxy else "http"
    host = f"[{settings.host}]" if ":" in settings.host else settings.host
    print(f"{scheme}://{host}:{settings.port}{settings.root_path}/login?token={token}")
    print("good for ten minutes, once", file=sys.stderr)


def audit_troubles(given: argparse.Namespace) -> list[str]:
    """What is wrong with the audit log of the data directory; prints its head. Nothing if no server ran there."""
    data_dir = Path(_settings(given).data_dir).expanduser()
    if not (data_dir / "audit.db").exists() and not (data_dir / "audit.head").exists():
        return []
    kept = [_head(text) for text in given.audit_head]
    with _opened(_settings(given)) as (_, audit):
        troubles = [f"audit log: {trouble}" for trouble in audit.verify(kept)]
        sequence, digest = audit.head()
    print(f"audit log: {sequence} entries, head {sequence}:{digest}")
    return troubles


def _create_key(given: argparse.Namespace) -> None:
    with _opened(_settings(given)) as (accounts, audit):
        from vestigo.server.accounts import new_key_id

        old = accounts.key(given.replaces) if given.replaces else None
        if given.replaces and old is None:
            raise SettingsError(f"there is no key {given.replaces!r}; `vestigo key list` shows them")
        projects = _split(given.projects) or [_settings(given).project]
        grants: dict[str, Any] = {project: _split(given.scopes) or ["ingest"] for project in projects}
        if old is not None and not given.scopes and not given.projects:
            grants = dict(old.grants)
        expires_s = time.time() + _seconds(given.expires) if given.expires else None
        overlap_s = _seconds(given.overlap)
        key_id = new_key_id()
        audit.append(_entry("key.create", key_id, name=given.name, grants=grants, replaces=given.replaces or ""))
        token = accounts.create_key(given.name, grants, _who(), expires_s=expires_s, key_id=key_id)
        if old is not None:
            accounts.expire_key(old.id, overlap_s)
    print(token)
    print("this is shown once; revoke it with: vestigo key revoke " + key_id, file=sys.stderr)


def _list_keys(given: argparse.Namespace) -> None:
    with _opened(_settings(given)) as (accounts, _):
        found = accounts.all_keys()
    for one in found:
        if given.json:
            print(msgspec.json.encode(one).decode())
            continue
        ended = one.revoked_s is not None or (one.expires_s is not None and one.expires_s <= time.time())
        state = "revoked" if one.revoked_s is not None else "expired" if ended else "in use" if one.used_s else "unused"
        grants = " ".join(f"{project}:{','.join(scopes)}" for project, scopes in one.grants.items())
        until = f" until {_date(one.expires_s)}" if one.expires_s is not None and not ended else ""
        print(f"{one.id}  {state:<8} {_date(one.created_s)}  {plain(one.name, 30):<30} {plain(grants, 60)}{until}")
    if not found:
        print("no keys; make one with: vestigo key create NAME", file=sys.stderr)


def _revoke_key(given: argparse.Namespace) -> int | None:
    with _opened(_settings(given)) as (accounts, audit):
        found = accounts.key(given.id)
        if found is None or found.revoked_s is not None:
            return _missing(f"there is no key {given.id!r} that could be revoked; `vestigo key list` shows them")
        audit.append(_entry("key.revoke", found.id, name=found.name))
        accounts.revoke_key(found.id)
    return None


def _add_user(given: argparse.Namespace) -> None:
    with _opened(_settings(given)) as (accounts, audit):
        from vestigo.server.grants import check_user, parse_roles

        name, roles = check_user(given.name), parse_roles(given.roles)
        password = None if given.no_password else _ask_password(name)
        audit.append(_entry("user.add", name, roles=roles, password=password is not None))
        accounts.add_user(name, password, roles)


def _list_users(given: argparse.Namespace) -> None:
    with _opened(_settings(given)) as (accounts, _):
        found = accounts.users()
    for one in found:
        if given.json:
            print(msgspec.json.encode(one).decode())
            continue
        ways = " and ".join(way for way, has in (("password", one.password), ("issuer", one.linked)) if has) or "-"
        roles = " ".join(f"{project}:{role}" for project, role in one.roles.items()) or "no roles"
        print(f"{one.name:<40} {ways:<20} {plain(roles, 80)}")
    if not found:
        print("no users; add one with: vestigo user add NAME", file=sys.stderr)


def _remove_user(given: argparse.Namespace) -> int | None:
    return _change_user(given, "user.remove", lambda accounts, name: accounts.remove_user(name))


def _set_password(given: argparse.Namespace) -> int | None:
    return _change_user(given, "user.password", lambda accounts, name: accounts.set_password(name, _ask_password(name)))


def _set_role(given: argparse.Namespace) -> int | None:
    project, colon, role = given.role.rpartition(":")
    if not colon:
        raise SettingsError(f"{given.role!r} has no ':'; give project:role, such as shop:viewer")
    detail = {"project": project, "role": role}
    return _change_user(given, "user.role", lambda accounts, name: accounts.set_role(name, project, role), **detail)


def _change_user(
    given: argparse.Namespace, action: str, change: "Callable[[Accounts, str], object]", **detail: str
) -> int | None:
    name = given.name.lower()
    with _opened(_settings(given)) as (accounts, audit):
        if not accounts.has_user(name):
            return _missing(f"there is no user {name!r}; `vestigo user list` shows them")
        audit.append(_entry(action, name, **detail))
        change(accounts, name)
    return None


def _missing(message: str) -> int:
    print(f"vestigo: {plain(message)}", file=sys.stderr)
    return 1


@contextmanager
def _opened(settings: ServerSettings) -> "Generator[tuple[Accounts, Audit]]":
    try:
        from vestigo.server.accounts import Accounts
        from vestigo.server.audit import Audit
    except ImportError as error:
        raise SettingsError(f"this needs {error.name}; install it with: pip install 'vestigo[server]'") from None
    folder = Path(settings.data_dir).expanduser()
    accounts = Accounts(folder / "accounts.db")
    audit = Audit(folder / "audit.db", accounts)
    try:
        yield accounts, audit
    finally:
        audit.close()
        accounts.close()


def _settings(given: argparse.Namespace) -> ServerSettings:
    names = ("data_dir", "host", "port")
    return load_server_settings({name: getattr(given, name, None) for name in names})


def _entry(action: str, what: str = "", **detail: object) -> Any:
    from vestigo.server.audit import Entry

    return Entry(principal=_who(), action=action, object=what, detail=detail)


def _who() -> str:
    try:
        return f"shell:{getpass.getuser()}"
    except (OSError, KeyError):
        return "shell:unknown"


def _ask_password(name: str) -> str:
    """From the terminal, twice and unseen; or the first line of what is piped in. Never from an argument."""
    if not sys.stdin.isatty():
        return sys.stdin.readline().rstrip("\r\n")
    first = getpass.getpass(f"password of {name}: ")
    if getpass.getpass("again: ") != first:
        raise SettingsError("the two are not the same; try again")
    return first


def _split(text: str | None) -> list[str]:
    return [part.strip() for part in (text or "").split(",") if part.strip()]


def _seconds(text: str) -> float:
    match = re.fullmatch(r"(\d{1,6})([mhdw])", text)
    if match is None:
        raise SettingsError(f"{text!r} is no time; give one such as 90d, 24h or 30m")
    return float(match[1]) * _UNITS[match[2]]


def _date(seconds: float) -> str:
    return time.strftime("%Y-%m-%d", time.gmtime(seconds))


def _head(text: str) -> tuple[int, str]:
    sequence, _, digest = text.partition(":")
    if not sequence.isdecimal() or not re.fullmatch(r"[0-9a-f]{64}", digest):
        raise SettingsError(f"{text!r} is no head of an audit log; give number:hash, as `vestigo verify` prints it")
    return int(sequence), digest


__all__ = ["add_options", "audit_troubles", "key", "link", "user"]
