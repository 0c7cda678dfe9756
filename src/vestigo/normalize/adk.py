"""Google's Agent Development Kit: gen_ai's names in its second schema, Gemini's JSON in the one before.

Older versions write the total into the output tokens, so that the usage inside an answer is better than the attributes.
Source: google-adk 2.13.0, google/adk/telemetry; the older schema is supported until 2027-03-31.
"""

import re
from typing import Any, Final

from vestigo import semconv
from vestigo.normalize.genai import TABLE as GENAI
from vestigo.normalize.genai import messages as genai_messages
from vestigo.normalize.parts import conversation, message, parts_of, tool_call, tool_response
from vestigo.normalize.reading import as_count, as_dict, as_list, parsed
from vestigo.normalize.tables import read_table
from vestigo.record import Attributes, Kind, Messages, NormalForm, Span, Usage, Value

SCOPES: Final = ("gcp.vertex.agent",)
HEADS: Final = frozenset({"gcp"})

_OWN: Final = "gcp.vertex.agent."
_AGENT: Final = re.compile(r"agent_run \[(.+)\]")
_NAMES: Final[dict[str, Kind]] = {
    "invocation": "workflow", "agent_run": "agent", "call_llm": "llm", "execute_tool": "tool",
}  # fmt: skip

TABLE: Final = GENAI.extended(
    "adk",
    {
        "reasoning": ("gen_ai.usage.experimental.reasoning_tokens",),
        "session_id": (_OWN + "session_id",),
    },
)


def recognises(span: Span) -> bool:
    """True under its scope and for attributes `gcp.vertex.agent.*`."""
    return span.scope.name.startswith(SCOPES) or any(name.startswith(_OWN) for name in span.attributes)


def read(span: Span) -> NormalForm:
    """The normal form by table; older spans tell their kind by name, their usage inside the answer."""
    form = read_table(span, TABLE)
    kind = _NAMES.get(span.name.partition(" ")[0])
    if kind is not None and semconv.OPERATION not in span.attributes:
        form.kind = kind
        form.usage_role = "rollup" if kind in {"workflow", "agent"} else "leaf"
    answer = as_dict(span.attributes.get(_OWN + "llm_response"))
    usage = as_dict(answer.get("usage_metadata"))
    if usage:
        form.usage = _usage(usage)
    if form.provider == "gcp.vertex.agent":  # its own name, not that of a provider
        form.provider = "gcp.gemini" if (form.request_model or "").startswith("gemini") else None
    named = _AGENT.fullmatch(span.name)
    if named and form.agent_name is None:
        form.agent_name = named[1]
    return form


def _usage(told: dict[str, Value]) -> Usage:
    """Gemini's counts, which have thoughts beside the output and the prompts of tools beside the input."""
    prompt, answer = as_count(told.get("prompt_token_count")), as_count(told.get("candidates_token_count"))
    tools, thoughts = as_count(told.get("tool_use_prompt_token_count")), as_count(told.get("thoughts_token_count"))
    return Usage(
        input=None if prompt is None else prompt + (tools or 0),
        cache_read=as_count(told.get("cached_content_token_count")),
        output=None if answer is None and thoughts is None else (answer or 0) + (thoughts or 0),
        reasoning=thoughts,
    )


def messages(span: Span) -> Messages:
    """gen_ai's messages, or Gemini's request and answer; `{}` stands for content that is kept back."""
    told = span.attributes
    found = genai_messages(span)
    request, answer = as_dict(told.get(_OWN + "llm_request")), as_dict(told.get(_OWN + "llm_response"))
    if not found.input and request:
        config = as_dict(request.get("config"))
        found.input = conversation(request.get("contents"))
        found.system = found.system or _system(config.get("system_instruction"))
        found.tools = found.tools or as_list(config.get("tools"))
    if not found.output and answer:
        found.output = conversation(answer.get("content"), "assistant")
    _of_tool(told, found)
    return found


def _system(value: Value) -> list[Value]:
    told: Any = value.get("parts") if isinstance(value, dict) else value
    return [*parts_of(told)]


def _of_tool(told: Attributes, found: Messages) -> None:
    arguments, result = parsed(told.get(_OWN + "tool_call_args")), parsed(told.get(_OWN + "tool_response"))
    call_id = told.get(semconv.TOOL_CALL_ID)
    if not found.input and arguments not in (None, {}, "N/A"):
        found.input = [message("assistant", [tool_call(told.get(semconv.TOOL_NAME), arguments, call_id)])]
    if not found.output and result not in (None, {}, "N/A"):
        found.output = [message("tool", [tool_response(result, call_id)])]
