"""The description of the API is valid, complete and true; its page needs nothing from elsewhere."""

import importlib.util
import re
from html.parser import HTMLParser
from pathlib import Path

import jsonschema_rs
import msgspec
import pytest
from msgspec import Struct
from served import BOT, CALL, SHOP, served

from vestigo.server import ROUTES, openapi
from vestigo.server.openapi import document
from vestigo.server.routes import Route

ROOT = Path(__file__).parent.parent.parent
PAGE = Path(openapi.__file__).parent / "docs"


@pytest.fixture
def client(tmp_path):
    with served("memory", tmp_path) as (_, client):
        yield client


def test_it_is_valid_openapi():
    """By the schema of OpenAPI 3.1, and each schema in it by that of JSON Schema."""
    definitions = pytest.importorskip("schemathesis.specs.openapi.definitions")
    told = msgspec.to_builtins(document(ROUTES))
    jsonschema_rs.validator_for(definitions.OPENAPI_31).validate(told)
    for schema in told["components"]["schemas"].values():
        jsonschema_rs.meta.validate({"$schema": "https://json-schema.org/draft/2020-12/schema", **schema})


def test_every_reference_leads_somewhere():
    """No schema is named that is not there, and none is there that nobody names."""
    told = document(ROUTES)
    text = msgspec.json.encode(told).decode()
    named = set(re.findall(r'"\$ref":"#/components/schemas/([^"]+)"', text))
    assert named == set(told["components"]["schemas"])


def test_every_route_stands_in_it(client):
    """With its scope; also the routes that others added."""
    told = client.get("/openapi.json").json()
    there = {(method.upper(), path) for path, methods in told["paths"].items() for method in methods}
    assert there == {(route.method, re.sub(r":\w+}", "}", route.path)) for route in ROUTES}
    assert told["paths"]["/api/traces"]["delete"]["x-scope"] == "admin"
    assert "security" not in told["paths"]["/openapi.json"]["get"]


def test_every_parameter_of_a_query_stands_in_it():
    """A route takes what is told and nothing else."""
    told = document(ROUTES)
    for route in ROUTES:
        operation = told["paths"][re.sub(r":\w+}", "}", route.path)][route.method.lower()]
        names = {parameter["name"] for parameter in operation["parameters"] if parameter["in"] == "query"}
        fields = set(route.query.__struct_encode_fields__) if route.query else set()
        assert names - {"project"} == fields


def test_two_routes_of_one_path_are_refused():
    """The second would never be reached."""
    route = Route(method="GET", path="/x", scope="read", handler=openapi.page, summary="x", tag="x")
    with pytest.raises(ValueError, match="two routes for GET /x"):
        document([route, route])


class Found(Struct):
    here: int | None = None


def test_a_parameter_is_never_null():
    """A query string cannot say it."""
    route = Route(method="GET", path="/x", scope="read", handler=openapi.page, summary="x", tag="x", query=Found)
    parameters = document([route])["paths"]["/x"]["get"]["parameters"]
    assert parameters[1] == {"name": "here", "in": "query", "required": False, "schema": {"type": "integer"}}


PATHS = {
    "/api/traces": {}, "/api/spans": {}, "/api/logs": {}, "/api/sessions": {}, "/api/endusers": {}, "/api/status": {},
    "/api/projects": {}, "/api/scores": {}, "/api/errors": {}, "/api/facets": {}, "/api/points": {},
    "/api/series": {"step": "10s", "by": "model", "measures": "count,cost,ttft.p95,error_rate"},
    "/api/values": {"field": "kind"}, "/api/complete": {"q": "model:"}, "/api/traces/{trace_id}": {},
    "/api/traces/{trace_id}/skeleton": {}, "/api/traces/{trace_id}/match": {"q": "kind:llm"},
    "/api/spans/{trace_id}/{span_id}": {}, "/api/turns": {"session": "s1"},
    "/api/prices": {}, "/api/logs/histogram": {}, "/api/scores/summary": {"step": "1h"},
}  # fmt: skip


@pytest.mark.parametrize("path", PATHS)
def test_an_answer_is_as_it_is_described(path, client):
    """Each answer keeps to its schema, and has no field beside it."""
    told = document(ROUTES)
    schema = told["paths"][path]["get"]["responses"]["200"]["content"]["application/json"]["schema"]
    answer = client.get(path.format(trace_id=SHOP, span_id=CALL), params=PATHS[path])
    assert answer.status_code == 200, answer.text
    jsonschema_rs.validator_for({**schema, "components": _closed(told["components"])}).validate(answer.json())
    missing = client.get(path.format(trace_id=BOT, span_id="0" * 16), params={**PATHS[path], "nothing": "1"})
    assert missing.status_code == 400
    jsonschema_rs.validator_for({"$ref": "#/components/schemas/Error", "components": told["components"]}).validate(
        missing.json()
    )


def _closed(components):
    schemas = components["schemas"]
    objects = {
        name: {**schema, "additionalProperties": False} for name, schema in schemas.items() if "properties" in schema
    }
    return {"schemas": {**schemas, **objects}}


def test_the_page_of_routes_is_up_to_date():
    """docs/api.md is what tools/route_table.py makes of the table, and names each route."""
    spec = importlib.util.spec_from_file_location("route_table", ROOT / "tools" / "route_table.py")
    made = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(made)
    page = (ROOT / "docs" / "api.md").read_text(encoding="utf-8")
    assert page == made.page(), "run: python tools/route_table.py > docs/api.md"
    assert all(re.sub(r":\w+}", "}", f"`{route.method} {route.path}`") in page for route in ROUTES)


class Resources(HTMLParser):
    def __init__(self):
        super().__init__()
        self.found = []
        self.inline = []

    def handle_starttag(self, tag, attributes):
        told = dict(attributes)
        self.found += [told[name] for name in ("src", "href") if name in told]
        self.inline += [name for name in told if name.startswith("on") or name == "style"]


def test_the_page_needs_nothing_from_elsewhere(client):
    """All that it loads is ours and is there; no script or style stands in it, since the policy would refuse them."""
    page = client.get("/docs")
    assert page.headers["content-type"] == "text/html; charset=utf-8"
    seen = Resources()
    seen.feed(page.text)
    assert seen.inline == []
    assert set(seen.found) == {"docs/page.css", "docs/page.js", "openapi.json"}
    for path in seen.found:
        assert client.get(f"/{path}").status_code == 200
    assert "<script>" not in page.text
    assert "script-src 'self'" in page.headers["content-security-policy"]


def test_the_script_makes_text_and_never_markup():
    """What comes from the server is no HTML, wherever it comes from."""
    script = (PAGE / "page.js").read_text()
    for danger in (
        "innerHTML",
        "outerHTML",
        "insertAdjacentHTML",
        "document.write",
        "eval(",
        "Function(",
        "http://",
        "https://",
    ):
        assert danger not in script
    assert "http" not in (PAGE / "page.css").read_text()
