"""What may be given to whom: scopes, the roles that stand for them, and the forms of the names in them."""

import re
from collections.abc import Iterable, Mapping
from typing import Final

from vestigo.errors import SettingsError

SCOPES: Final = ("ingest", "read", "write", "admin")
ROLES: Final[Mapping[str, frozenset[str]]] = {
    "viewer": frozenset({"read"}),
    "member": frozenset({"ingest", "read", "write"}),
    "admin": frozenset(SCOPES),
}
LOCAL: Final = "local"
"""Who came by the one-time link: may do everything."""

_USER: Final = re.compile(r"[a-z0-9][a-z0-9._@+-]{0,199}")
_RESERVED: Final = {LOCAL, "anonymous"}

Grants = Mapping[str, Iterable[str]]
"""Project, or `*` for every one -> scopes."""


def check_grants(grants: Grants) -> dict[str, tuple[str, ...]]:
    """Projects -> scopes, in order. Raises SettingsError."""
    found: dict[str, tuple[str, ...]] = {}
    for project, scopes in grants.items():
        check_project(project)
        wanted = set(scopes)
        unknown = wanted - set(SCOPES)
        if unknown or not wanted:
            raise SettingsError(f"unknown scope {min(unknown, default='')!r}; there are: {', '.join(SCOPES)}")
        found[project] = tuple(scope for scope in SCOPES if scope in wanted)
    if not found:
        raise SettingsError("the grants are empty; name a project, or '*' for every one")
    return found


def check_project(project: str) -> None:
    """Raises SettingsError for what is no name of a project."""
    if not project.strip() or len(project) > 200 or not project.isprintable():
        raise SettingsError(f"project {project[:200]!r} is empty, long or not printable; give its name, or '*'")


def check_role(project: str, role: str) -> None:
    """Raises SettingsError for a role that there is not."""
    check_project(project)
    if role not in ROLES:
        raise SettingsError(f"unknown role {role!r}; there are: {', '.join(ROLES)}")


def check_user(name: str) -> str:
    """The name in lower case. Raises SettingsError."""
    name = name.lower()
    if not names_user(name):
        raise SettingsError(
            f"{name[:200]!r} cannot name a user; give letters, digits and ._@+-, such as ann@example.org"
        )
    return name


def names_user(name: str) -> bool:
    """Whether this may be the name of a user: lower case, ASCII, so that no two look alike."""
    return _USER.fullmatch(name) is not None and name not in _RESERVED


def parse_roles(text: str) -> dict[str, str]:
    """`shop:viewer,*:member` as project -> role. Raises SettingsError."""
    found: dict[str, str] = {}
    for part in filter(None, (part.strip() for part in text.split(","))):
        project, _, role = part.rpartition(":")
        check_role(project, role)
        found[project] = role
    return found


__all__ = [
    "LOCAL", "ROLES", "SCOPES", "Grants", "check_grants", "check_project", "check_role", "check_user",
    "names_user", "parse_roles",
]  # fmt: skip
