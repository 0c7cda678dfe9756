"""The page's types are those of the server, as tools/page_types.py writes them."""

import importlib.util
from pathlib import Path

import pytest
from msgspec import Struct

from vestigo.server import ROUTES
from vestigo.server.routes import Route

ROOT = Path(__file__).parent.parent.parent


@pytest.fixture(scope="module")
def tool():
    spec = importlib.util.spec_from_file_location("page_types", ROOT / "tools" / "page_types.py")
    made = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(made)
    return made


def test_the_types_of_the_page_are_up_to_date(tool):
    """ui/src/api/types.ts is what the tool makes of the route table."""
    written = (ROOT / "ui" / "src" / "api" / "types.ts").read_text(encoding="utf-8")
    assert written == tool.source(), "run: python tools/page_types.py > ui/src/api/types.ts"


def test_every_route_with_an_answer_stands_in_it(tool):
    """A route that is asked stands in Gets, one that changes something in Sends."""
    source = tool.source()
    for route in ROUTES:
        if route.path.startswith("/api/") and route.method != "GET":
            assert f'"{route.method} {route.path}": {{' in source
        elif route.path.startswith("/api/") and route.answer is not None:
            assert f'"{route.path}": {{' in source


class Twin(Struct):
    one: int


Other = type("Twin", (Struct,), {"__annotations__": {"two": str}, "__module__": __name__})


def test_two_structs_of_one_name_are_refused(tool, monkeypatch):
    """One would hide the other."""

    def route(path, answer):
        return Route(method="GET", path=path, scope="read", handler=None, summary="", tag="", answer=answer)

    monkeypatch.setattr(tool, "_field_docs", lambda cls: {})
    monkeypatch.setattr(tool, "ROUTES", [route("/api/one", Twin), route("/api/two", Other)])
    with pytest.raises(ValueError, match="two structs are called Twin"):
        tool.source()
