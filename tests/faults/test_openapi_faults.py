"""The described API under generated requests: no 5xx, and every answer as it is described (schemathesis)."""

import sys
from pathlib import Path

import pytest
import schemathesis
from hypothesis import HealthCheck, settings
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

sys.path.insert(0, str(Path(__file__).parent.parent / "server"))

from served import CALL, SHOP, records, served

from vestigo.server import ROUTES
from vestigo.server.api import ROUTES as ASKED
from vestigo.server.openapi import document

pytestmark = pytest.mark.faults

CHECKS = [
    not_a_server_error, content_type_conformance, response_headers_conformance, response_schema_conformance,
    status_code_conformance,
]  # fmt: skip
ENDLESS = {"/api/live"}


@pytest.fixture(scope="module")
def client(tmp_path_factory):
    with served("sqlite", tmp_path_factory.mktemp("openapi")) as (_, client):
        yield client


schema = schemathesis.openapi.from_dict(document(route for route in ASKED if route.path not in ENDLESS))


@schema.parametrize()
@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
def test_a_generated_request_gets_a_described_answer(case, client):
    """Parameters that fit the description and such that do not, of traces that are there and that are not."""
    for name, there in (("trace_id", SHOP), ("span_id", CALL)):
        if name in (case.path_parameters or {}) and case.path_parameters[name][:1] in "0123":
            case.path_parameters[name] = there
    told = case.as_transport_kwargs(base_url=str(client.base_url))
    if len(str(told.get("params"))) + len(told["url"]) > 10_000:
        return  # the client refuses such an address
    response = client.request(
        told["method"], told["url"], params=told.get("params"), json=told.get("json"), content=told.get("data"),
        headers={key: value for key, value in told["headers"].items() if key.lower() != "user-agent"},
    )  # fmt: skip
    case.validate_response(response, checks=CHECKS)
    if case.method == "DELETE":
        client.app._server.storage.write(records())


def test_every_route_of_the_server_is_described():
    """What stands in the table stands in the description; only the endless one is not called here."""
    told = document(ROUTES)["paths"]
    assert {route.path for route in ASKED} <= set(told)
    assert set(told) >= ENDLESS
