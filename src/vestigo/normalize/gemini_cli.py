"""Gemini CLI: its own spans, and those that `events.py` makes of its log events.

Messages have Gemini's form and are cut at a length. Log events count thoughts beside the output and the prompt of tools
beside the input, as Gemini's API does. Source: google-gemini/gemini-cli packages/core/src/telemetry (2026-11).
"""

import re
from typing import Final

from vestigo import semconv
from vestigo.normalize.genai import TABLE as GENAI
from vestigo.normalize.parts import conversation, message, parts_of, text_part, tool_call, tool_response
from vestigo.normalize.reading import count, first, parsed
from vestigo.normalize.tables import read_table
from vestigo.record import Kind, Messages, NormalForm, Span, Value

SCOPES: Final = ("gemini-cli",)
HEADS: Final = frozenset({"gen_ai", "event"})

_EVENTS: Final[dict[str, Kind]] = {
    "gemini_cli.user_prompt": "agent", "gemini_cli.api_response": "llm", "gemini_cli.api_error": "llm",
    "gemini_cli.tool_call": "tool",
}  # fmt: skip
_CUT: Final = re.compile(r"\.\.\.\[TRUNCATED: original length \d+\]$")

TABLE: Final = GENAI.extended(
    "gemini_cli",
    {
        "request_model": ("model",),
        "input": ("input_token_count",),
        "cache_read": ("cached_content_token_count",),
        "output": ("output_token_count",),
        "reasoning": ("thoughts_token_count",),
        "finish_reasons": ("finish_reasons",),
        "tool_name": ("function_name",),
        "tool_call_id": ("tool.call_id",),
    },
    {
        "llm_call": "llm", "tool_call": "tool", "agent_call": "agent", "user_prompt": "agent", "system_prompt": "span",
        "schedule_tool_calls": "chain",
    },
)  # fmt: skip


def recognises(span: Span) -> bool:
    """True under its scope, for the agent of its name, and for a span made of its events."""
    return (
        span.scope.name == "gemini-cli"
        or span.attributes.get(semconv.AGENT_NAME) == "gemini-cli"
        or span.name.startswith("gemini_cli.")
    )


def read(span: Span) -> NormalForm:
    """The normal form by table; counts of events are made inclusive."""
    form = read_table(span, TABLE)
    event = _EVENTS.get(span.name)
    if event is not None:
        form.kind = event
        form.usage_role = "rollup" if event == "agent" else "leaf"
    usage = form.usage
    if usage is not None and "output_token_count" in span.attributes:
        usage.output = (usage.output or 0) + (usage.reasoning or 0)
        usage.input = (usage.input or 0) + (count(span.attributes, "tool_token_count") or 0)
    if form.kind == "llm":
        form.provider = form.provider or "gcp.gemini"
    return form


def messages(span: Span) -> Messages:
    """Messages of Gemini's form as parts; cut text as far as it goes."""
    told = span.attributes
    found = Messages(
        input=conversation(_whole(first(told, semconv.INPUT_MESSAGES, "prompt"))),
        output=conversation(_whole(first(told, semconv.OUTPUT_MESSAGES, "response_text")), "assistant"),
        system=_system(_whole(told.get(semconv.SYSTEM_INSTRUCTIONS))),
    )
    arguments = first(told, semconv.TOOL_ARGUMENTS, "function_args")
    result = first(told, semconv.TOOL_RESULT)
    call_id = first(told, semconv.TOOL_CALL_ID, "tool.call_id")
    if not found.input and arguments is not None:
        name = first(told, semconv.TOOL_NAME, "function_name")
        found.input = [message("assistant", [tool_call(name, arguments, call_id)])]
    if not found.output and result is not None:
        found.output = [message("tool", [tool_response(result, call_id)])]
    return found


def _system(value: Value) -> list[Value]:
    told = parsed(value)
    if isinstance(told, dict) and "parts" in told:
        told = told["parts"]
    if isinstance(told, str):
        return [text_part(told)] if told else []
    return [*parts_of(told)]


def _whole(value: Value) -> Value:
    """The value with a short mark in the place of a long one, so that what is left of its JSON can be read."""
    return _CUT.sub("…", value) if isinstance(value, str) else value
