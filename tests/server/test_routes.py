"""The route table and principals."""

from vestigo.server import ROUTES
from vestigo.server.routes import Principal


def test_each_route_stands_once():
    """No method and path twice, each with a summary; what acts is not public."""
    named = [(route.method, route.path) for route in ROUTES]
    assert len(set(named)) == len(named)
    assert all(route.summary for route in ROUTES)


def test_scopes_hold_in_their_project_or_in_all():
    """`*` is every project; a scope of one project says nothing of another."""
    principal = Principal("x", {"shop": frozenset({"read"}), "*": frozenset({"ingest"})})
    assert principal.may("read", "shop")
    assert not principal.may("read", "bot")
    assert principal.may("ingest", "bot")
    assert principal.may("public", "anywhere")
    assert not Principal("y").may("read", "shop")
    assert principal.projects == ("shop",)
