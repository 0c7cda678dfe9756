"""Names, scopes and roles: what is no such thing is refused with what there is."""

import pytest

from vestigo.errors import SettingsError
from vestigo.server.grants import ROLES, SCOPES, check_grants, check_user, parse_roles


def test_grants_are_put_in_order():
    """Scopes of a project come in one order, without doubles."""
    assert check_grants({"shop": ["write", "read", "read"], "*": {"ingest"}}) == {
        "shop": ("read", "write"),
        "*": ("ingest",),
    }


@pytest.mark.parametrize("wrong", [{}, {"shop": []}, {"shop": ["root"]}, {"": ["read"]}, {"a\nb": ["read"]}])
def test_wrong_grants_are_refused(wrong):
    """No project, no scope, an unknown scope, a project without a name."""
    with pytest.raises(SettingsError):
        check_grants(wrong)


def test_roles_grow():
    """Each role may what the one before it may; an admin may everything."""
    viewer, member, admin = ROLES["viewer"], ROLES["member"], ROLES["admin"]
    assert viewer < member < admin == set(SCOPES)


def test_roles_are_read_from_text():
    """`project:role` by comma; a project may have a colon."""
    assert parse_roles("shop:viewer, *:member,a:b:admin") == {"shop": "viewer", "*": "member", "a:b": "admin"}
    assert parse_roles("") == {}
    with pytest.raises(SettingsError, match="viewer, member, admin"):
        parse_roles("shop:owner")


@pytest.mark.parametrize("name", ["local", "anonymous", "", "a b", "key:7", "ann@exämple.org", "x" * 201, "\u0430nn"])
def test_some_names_no_user_can_have(name):
    """Reserved ones, other letters that look alike, spaces, and what the audit log uses."""
    with pytest.raises(SettingsError):
        check_user(name)


def test_a_users_name_is_lower_case():
    """Ann@Example.org and ann@example.org are one person."""
    assert check_user("Ann@Example.org") == "ann@example.org"
