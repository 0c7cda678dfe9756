"""The Model Context Protocol: spans of clients and servers, such as the official Python SDK's.

A tool call that also says `execute_tool` is a tool, read as the GenAI conventions; here are all other methods.
Source: OpenTelemetry GenAI conventions, MCP (2026-10).
"""

from typing import Final

from vestigo.normalize import genai
from vestigo.normalize.tables import read_table
from vestigo.record import Messages, NormalForm, Span

SCOPES: Final = ()
HEADS: Final = frozenset({"mcp"})

TABLE: Final = genai.TABLE.extended("mcp", {})


def recognises(span: Span) -> bool:
    """True for a span that says the method of a message."""
    return "mcp.method.name" in span.attributes


def read(span: Span) -> NormalForm:
    """By table; every method is of kind `mcp`."""
    form = read_table(span, TABLE)
    form.kind = "mcp"
    return form


def messages(span: Span) -> Messages:
    """Arguments and result of a call, where they were recorded."""
    return genai.messages(span)
