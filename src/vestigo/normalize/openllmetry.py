"""OpenLLMetry (Traceloop): workflows and tasks as `traceloop.*`, calls as `gen_ai.*` with older spellings.

Instrumentations from 0.6x on write the GenAI conventions' messages; before, each message was flat keys
(`gen_ai.prompt.0.content`). Source: opentelemetry-semantic-conventions-ai 0.5.1 and
opentelemetry-instrumentation-openai 0.62.4 (2026-11).
"""

from typing import Any, Final

from vestigo import semconv
from vestigo.normalize import genai
from vestigo.normalize.parts import exchange, from_message, tool_definition
from vestigo.normalize.reading import as_dict, as_texts, first, indexed
from vestigo.normalize.tables import read_table
from vestigo.record import Kind, Messages, NormalForm, Span, Value

SCOPES: Final = ()
HEADS: Final = frozenset({"traceloop", "llm", "gen_ai"})

_KIND: Final = "traceloop.span.kind"
_PROPERTIES: Final = "traceloop.association.properties."
_KINDS: Final[dict[str, Kind]] = {"workflow": "workflow", "task": "chain", "agent": "agent", "tool": "tool",
                                  "completion": "llm", "embedding": "embedding", "unknown": "span"}  # fmt: skip
_SIGNS: Final = frozenset({
    _KIND, "traceloop.entity.name", "traceloop.workflow.name", "gen_ai.is_streaming", "llm.request.type",
    "llm.is_streaming", "gen_ai.prompt.0.role", "gen_ai.prompt.0.content", "gen_ai.completion.0.content",
    "gen_ai.completion.0.role",
})  # fmt: skip
"""Names that only OpenLLMetry writes."""

TABLE: Final = genai.TABLE.extended(
    "openllmetry",
    {
        "kind": (_KIND, "llm.request.type"),
        "reasoning": ("llm.usage.reasoning_tokens",),
        "finish_reasons": ("llm.response.finish_reason", "llm.response.stop_reason", "gen_ai.response.stop_reason"),
        "session_id": (_PROPERTIES + "session_id",),
        "user_id": (_PROPERTIES + "user_id", "llm.user"),
        "prompt_name": ("traceloop.prompt.key",),
        "prompt_version": ("traceloop.prompt.version",),
    },
    _KINDS,
)


def recognises(span: Span) -> bool:
    """True for a workflow's spans, and for calls by the names that only OpenLLMetry writes."""
    return not _SIGNS.isdisjoint(span.attributes)


def read(span: Span) -> NormalForm:
    """By table; the entity's name is that of the tool or agent, and old finish reasons stand with their answers."""
    attributes = span.attributes
    form = read_table(span, TABLE)
    name = first(attributes, "traceloop.entity.name")
    if form.kind == "span" and form.request_model and semconv.OPERATION not in attributes:
        form.kind = "llm"
    if form.kind == "tool" and form.tool_name is None and isinstance(name, str):
        form.tool_name = name
    if form.kind == "agent" and form.agent_name is None and isinstance(name, str):
        form.agent_name = name
    if not form.finish_reasons and "gen_ai.completion.0.finish_reason" in attributes:
        answers = indexed(attributes, "gen_ai.completion")
        form.finish_reasons = as_texts([as_dict(answer).get("finish_reason") for answer in answers]) or []
    return form


def messages(span: Span) -> Messages:
    """The conventions' messages, else flat keys, else what the workflow's entity was given and gave."""
    attributes = span.attributes
    found = genai.messages(span)
    found.input = found.input or [_message(item, "user") for item in indexed(attributes, "gen_ai.prompt")]
    found.output = found.output or [_message(item, "assistant") for item in indexed(attributes, "gen_ai.completion")]
    found.tools = found.tools or [tool_definition(item) for item in indexed(attributes, "llm.request.functions")]
    asked, answered = attributes.get("traceloop.entity.input"), attributes.get("traceloop.entity.output")
    if not found.input and not found.output and not (asked is None and answered is None):
        form = read(span)
        return exchange(form.kind, asked, answered, form.tool_name, form.tool_call_id)
    return found


def _message(item: Any, role: str) -> Value:
    """One message of flat keys; its calls have name and arguments side by side with their id."""
    if not isinstance(item, dict):
        return from_message(item, role)
    told: dict[str, Any] = {"role": role, **item}
    if isinstance(told.get("tool_calls"), list):
        told.setdefault("content", None)
    return from_message(told, role)
