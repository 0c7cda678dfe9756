"""Routes that give and take access: API keys, users, roles; and the audit log, in which each change stands first.

Who may administer a project gives and takes keys and roles of that project and sees no others; users, and what holds
for every project, are for those who may administer every one.
"""

from typing import Any, Final

from msgspec import Struct
from starlette.responses import Response

from vestigo.server.accounts import Key, User, new_key_id
from vestigo.server.audit import AuditQuery, Recorded
from vestigo.server.login import answer, recorded
from vestigo.server.routes import Call, Failure, Route

_DAY_S: Final = 86_400.0


class KeyShown(Struct, frozen=True):
    """A key without its secret. Times are decimal strings."""

    id: str
    name: str
    grants: dict[str, tuple[str, ...]]
    created_ns: str
    created_by: str
    expires_ns: str | None
    revoked_ns: str | None
    used_ns: str | None
    """Within ten minutes."""


class Keys(Struct, frozen=True):
    keys: list[KeyShown]


class NewKey(Struct, frozen=True, forbid_unknown_fields=True):
    """What a key is to be; with `replaces`, name and grants are by default those of the old one."""

    name: str = ""
    scopes: tuple[str, ...] = ()
    projects: tuple[str, ...] = ()
    """By default the one that the request is about; `*` is every one."""
    expires_in_s: float | None = None
    replaces: str = ""
    """Id of a key that ends when the overlap is over."""
    overlap_s: float = _DAY_S


class Made(Struct, frozen=True):
    id: str
    token: str
    """Told this one time."""


class UserShown(Struct, frozen=True):
    name: str
    roles: dict[str, str]
    password: bool
    linked: bool
    """Whether the user has come by the OpenID Connect issuer."""
    created_ns: str


class Users(Struct, frozen=True):
    users: list[UserShown]


class NewUser(Struct, frozen=True, forbid_unknown_fields=True):
    name: str
    password: str | None = None
    """Without one, the user comes by the OpenID Connect issuer only."""
    roles: dict[str, str] = {}
    """Project, or `*` for every one -> viewer, member or admin."""


class Password(Struct, frozen=True, forbid_unknown_fields=True):
    password: str


class Role(Struct, frozen=True, forbid_unknown_fields=True):
    user: str
    role: str
    """viewer, member or admin; '' takes it away."""
    project: str = ""
    """By default the one that the request is about; `*` is every one."""


class Roles(Struct, frozen=True):
    roles: list[Role]


class AuditAsked(Struct, frozen=True, forbid_unknown_fields=True):
    """Which entries, the newest first."""

    principal: str = ""
    action: str = ""
    of_project: str = ""
    object: str = ""
    start_ns: int = 0
    end_ns: int = 0
    before: int = 0
    """`sequence` of the last one of the page before."""
    limit: int = 100


class EntryShown(Struct, frozen=True):
    sequence: int
    time_ns: str
    principal: str
    action: str
    project: str
    object: str | None
    """None when it was erased, and so for the detail."""
    outcome: str
    detail: dict[str, Any] | None
    address: str
    hash: str


class Entries(Struct, frozen=True):
    entries: list[EntryShown]
    head: str
    """`sequence:hash` of the newest entry, to be kept elsewhere."""


# --- keys


async def list_keys(call: Call) -> Response:
    keys = await call.server.ask_accounts(call.server.accounts.all_keys)
    return answer(Keys([_shown(key) for key in keys if _manages(call, key)]))


async def create_key(call: Call) -> Response:
    accounts = call.server.accounts
    body: NewKey = call.body
    old: Key | None = await call.server.ask_accounts(lambda: accounts.key(body.replaces))
    if body.replaces and (old is None or not _manages(call, old)):
        raise Failure(404, "not_found", "there is no key of that id to replace")
    grants: dict[str, tuple[str, ...]] = dict.fromkeys(body.projects or (call.project,), body.scopes)
    if old is not None and not body.scopes:
        grants = old.grants
    for project in grants:
        _check_admin(call, project)
    key_id, name = new_key_id(), body.name or (old.name if old else "")

    def make() -> str:
        expires_s = None if body.expires_in_s is None else accounts.now() + body.expires_in_s
        token = accounts.create_key(name, grants, call.principal.name, expires_s=expires_s, key_id=key_id)
        if old is not None:
            accounts.expire_key(old.id, max(0.0, body.overlap_s))
        return token

    detail: dict[str, object] = {"name": name, "grants": grants, "replaces": body.replaces}
    return answer(Made(key_id, await recorded(call, "key.create", key_id, detail, make)), 201)


async def revoke_key(call: Call) -> Response:
    accounts, key_id = call.server.accounts, call.request.path_params["key_id"]
    key = await call.server.ask_accounts(lambda: accounts.key(key_id))
    if key is None or key.revoked_s is not None or not _manages(call, key):
        raise Failure(404, "not_found", "there is no key of that id that could be revoked")
    await recorded(call, "key.revoke", key.id, {"name": key.name}, lambda: accounts.revoke_key(key.id))
    return Response(status_code=204)


def _check_admin(call: Call, project: str) -> None:
    if not call.principal.may("admin", project):
        raise Failure(403, "forbidden", f"this needs the scope 'admin' in project {project[:200]!r}")


def _manages(call: Call, key: Key) -> bool:
    """Whether the caller may administer everything that the key is for; others do not even see its projects."""
    return all(call.principal.may("admin", project) for project in key.grants)


# --- users


async def list_users(call: Call) -> Response:
    users: list[User] = await call.server.ask_accounts(call.server.accounts.users)
    shown = [UserShown(user.name, user.roles, user.password, user.linked, _ns(user.created_s) or "0") for user in users]
    return answer(Users(shown))


async def add_user(call: Call) -> Response:
    accounts, body = call.server.accounts, call.body
    detail: dict[str, object] = {"roles": body.roles, "password": body.password is not None}
    await recorded(
        call, "user.add", body.name.lower(), detail, lambda: accounts.add_user(body.name, body.password, body.roles)
    )
    return Response(status_code=204)


async def remove_user(call: Call) -> Response:
    accounts, name = call.server.accounts, await _existing_user(call, call.request.path_params["name"])
    await recorded(call, "user.remove", name, {}, lambda: accounts.remove_user(name))
    return Response(status_code=204)


async def set_password(call: Call) -> Response:
    accounts, name = call.server.accounts, await _existing_user(call, call.request.path_params["name"])
    await recorded(call, "user.password", name, {}, lambda: accounts.set_password(name, call.body.password))
    return Response(status_code=204)


async def list_roles(call: Call) -> Response:
    users: list[User] = await call.server.ask_accounts(call.server.accounts.users)
    held = [Role(user.name, user.roles[call.project], call.project) for user in users if call.project in user.roles]
    return answer(Roles(held))


async def set_role(call: Call) -> Response:
    accounts, body = call.server.accounts, call.body
    project = body.project or call.project
    _check_admin(call, project)
    name = await _existing_user(call, body.user)
    detail: dict[str, object] = {"role": body.role, "project": project}
    await recorded(call, "user.role", name, detail, lambda: accounts.set_role(name, project, body.role))
    return Response(status_code=204)


async def _existing_user(call: Call, name: str) -> str:
    name = name.lower()
    if not await call.server.ask_accounts(lambda: call.server.accounts.has_user(name)):
        raise Failure(404, "not_found", "there is no user of that name")
    return name


# --- the audit log


async def list_entries(call: Call) -> Response:
    asked: AuditAsked = call.query
    query = AuditQuery(
        principal=asked.principal, action=asked.action, project=asked.of_project, object=asked.object,
        start_ns=asked.start_ns, end_ns=asked.end_ns, before=asked.before, limit=min(max(asked.limit, 1), 1_000),
    )  # fmt: skip
    entries: list[Recorded] = await call.server.ask_accounts(lambda: call.server.audit.entries(query))
    sequence, digest = await call.server.ask_accounts(call.server.audit.head)
    return answer(Entries([_entry_shown(entry) for entry in entries], f"{sequence}:{digest}"))


def _entry_shown(entry: Recorded) -> EntryShown:
    return EntryShown(
        sequence=entry.sequence, time_ns=str(entry.time_ns), principal=entry.principal, action=entry.action,
        project=entry.project, object=entry.object, outcome=entry.outcome, detail=entry.detail, address=entry.address,
        hash=entry.hash,
    )  # fmt: skip


def _shown(key: Key) -> KeyShown:
    return KeyShown(
        id=key.id, name=key.name, grants=key.grants, created_ns=_ns(key.created_s) or "0", created_by=key.created_by,
        expires_ns=_ns(key.expires_s), revoked_ns=_ns(key.revoked_s), used_ns=_ns(key.used_s),
    )  # fmt: skip


def _ns(seconds: float | None) -> str | None:
    return None if seconds is None else str(int(seconds * 1_000) * 1_000_000)


ROUTES: tuple[Route, ...] = (
    Route(
        method="GET", path="/api/keys", scope="admin", handler=list_keys, summary="API keys, without their secrets",
        tag="keys", answer=Keys, audit="key.list",
    ),
    Route(
        method="POST", path="/api/keys", scope="admin", handler=create_key,
        summary="Make an API key; its token is told this one time", tag="keys", body=NewKey, answer=Made,
    ),
    Route(
        method="DELETE", path="/api/keys/{key_id}", scope="admin", handler=revoke_key, summary="End an API key at once",
        tag="keys",
    ),
    Route(
        method="GET", path="/api/users", scope="admin", handler=list_users, summary="Users with their roles",
        tag="users", project=False, answer=Users, audit="user.list",
    ),
    Route(
        method="POST", path="/api/users", scope="admin", handler=add_user, summary="Add a user", tag="users",
        project=False, body=NewUser,
    ),
    Route(
        method="DELETE", path="/api/users/{name}", scope="admin", handler=remove_user,
        summary="Remove a user and end the sessions", tag="users", project=False,
    ),
    Route(
        method="PUT", path="/api/users/{name}/password", scope="admin", handler=set_password,
        summary="Set a user's password and end the sessions", tag="users", project=False, body=Password,
    ),
    Route(
        method="GET", path="/api/roles", scope="admin", handler=list_roles, summary="Who has which role in the project",
        tag="users", answer=Roles, audit="role.list",
    ),
    Route(
        method="PUT", path="/api/roles", scope="admin", handler=set_role,
        summary="Give a user a role in the project, or take it away", tag="users", body=Role,
    ),
    Route(
        method="GET", path="/api/audit", scope="admin", handler=list_entries, summary="The audit log, the newest first",
        tag="audit", project=False, query=AuditAsked, answer=Entries, audit="audit.read",
    ),
)  # fmt: skip

__all__ = ["ROUTES"]
