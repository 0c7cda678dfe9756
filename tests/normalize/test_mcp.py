"""Messages of the Model Context Protocol."""

from vestigo.normalize import normalize
from vestigo.record import Scope, Span


def span(attributes, name="work", scope=""):
    return Span("a" * 32, "b" * 16, name, 1_790_000_000_000_000_000, attributes=attributes, scope=Scope(scope))


def test_a_call_that_says_it_is_a_tools_is_read_as_one():
    """`tools/call` with the conventions' operation is a tool, all other methods are `mcp`."""
    told = {"mcp.method.name": "tools/call", "gen_ai.tool.name": "add"}
    assert (normalize(span(told)).kind, normalize(span(told)).tool_name) == ("mcp", "add")
    assert normalize(span({**told, "gen_ai.operation.name": "execute_tool"})).kind == "tool"
    assert normalize(span({"mcp.method.name": "resources/read"})).kind == "mcp"


def test_a_session_of_the_transport_is_no_session():
    """`mcp.session.id` names a connection, not a conversation."""
    assert normalize(span({"mcp.method.name": "initialize", "mcp.session.id": "x"})).session_id is None
