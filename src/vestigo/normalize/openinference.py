"""OpenInference: the instrumentors of Phoenix and others. Messages, tools, documents and embeddings are flat keys.

Usage is inclusive, since its instrumentors add cached tokens up. Source: openinference-semantic-conventions 0.1.42;
openinference-instrumentation-openai 0.1.66 (2026-11).
"""

from typing import Any, Final

import msgspec

from vestigo import semconv
from vestigo.normalize import genai
from vestigo.normalize.langchain import read_answer
from vestigo.normalize.parts import (
    exchange,
    located,
    message,
    parts_of,
    reasoning,
    text_part,
    tool_call,
    tool_definition,
    tool_response,
)
from vestigo.normalize.reading import as_dict, as_text, first, indexed
from vestigo.normalize.tables import read_table
from vestigo.record import Attributes, Kind, Messages, NormalForm, Span, Value

SCOPES: Final = ("openinference.",)
HEADS: Final = frozenset({"openinference", "llm"})

KIND: Final = "openinference.span.kind"
_KINDS: Final[dict[str, Kind]] = {
    "LLM": "llm", "EMBEDDING": "embedding", "CHAIN": "chain", "RETRIEVER": "retrieval", "RERANKER": "rerank",
    "TOOL": "tool", "AGENT": "agent", "GUARDRAIL": "guardrail", "EVALUATOR": "evaluator", "PROMPT": "prompt",
    "DECISION": "chain", "UNKNOWN": "span",
}  # fmt: skip

TABLE: Final = genai.TABLE.extended(
    "openinference",
    {
        "kind": (KIND,),
        "provider": ("llm.provider", "llm.system"),
        "request_model": (
            "llm.request.model_name",
            "llm.model_name",
            "embedding.model_name",
            "reranker.model_name",
            "decision.model_name",
        ),
        "response_model": ("llm.response.model_name",),
        "finish_reasons": ("llm.finish_reason",),
        "input": ("llm.token_count.prompt", "decision.token_count.input"),
        "cache_read": ("llm.token_count.prompt_details.cache_read", "llm.token_count.prompt_details.cache_input"),
        "cache_write": ("llm.token_count.prompt_details.cache_write",),
        "audio_input": ("llm.token_count.prompt_details.audio",),
        "output": ("llm.token_count.completion", "decision.token_count.output"),
        "reasoning": ("llm.token_count.completion_details.reasoning",),
        "audio_output": ("llm.token_count.completion_details.audio",),
        "total_usd": ("llm.cost.total",),
        "input_usd": ("llm.cost.prompt",),
        "output_usd": ("llm.cost.completion",),
        "agent_name": ("agent.name",),
        "tool_name": ("tool.name",),
        "tool_call_id": ("tool.id",),
        "prompt_name": ("prompt.id",),
        "prompt_version": ("llm.prompt_template.version",),
    },
    _KINDS,
)
_FIRST_CHUNK: Final = "First Token Stream Event"


class _Answer(msgspec.Struct):
    """What an answer's JSON says of itself; decoding this skips the rest without making it."""

    id: Any = None
    model: Any = None


_decode_answer = msgspec.json.Decoder(_Answer).decode


def recognises(span: Span) -> bool:
    """True for a span with OpenInference's kind or scope, or a model or messages by its names."""
    attributes = span.attributes
    return (
        KIND in attributes
        or "llm.model_name" in attributes
        or "llm.input_messages.0.message.role" in attributes
        or span.scope.name.startswith(SCOPES)
    )


def read(span: Span) -> NormalForm:
    """By table; the asked model, the response id and the first token's time stand where no name tells them."""
    attributes = span.attributes
    form = read_table(span, TABLE)
    if form.kind == "span" and KIND not in attributes and form.request_model:
        form.kind = "llm"
    if form.kind in {"llm", "embedding"}:
        _read_call(form, attributes)
        form.ttft_s = form.ttft_s or _first_token_s(span)
    return form


def _read_call(form: NormalForm, attributes: Attributes) -> None:
    """`llm.model_name` is what was asked until there is an answer, then what answered."""
    told = first(attributes, "llm.invocation_parameters", "embedding.invocation_parameters")
    asked = as_text(as_dict(told).get("model")) if "llm.request.model_name" not in attributes else None
    said = attributes.get("output.value")
    if isinstance(said, str) and '"generations"' in said[:200]:
        read_answer(form, said)
    answer = _answer(said)
    form.response_id = form.response_id or as_text(answer.id)
    if asked is not None:
        form.response_model = form.response_model or as_text(answer.model) or form.request_model
        form.request_model = asked


def _answer(said: Value) -> _Answer:
    if isinstance(said, str) and said.startswith("{"):
        try:
            return _decode_answer(said)
        except (ValueError, RecursionError):
            pass
    return _Answer()


def _first_token_s(span: Span) -> float | None:
    for event in span.events:
        if event.name == _FIRST_CHUNK and event.time_ns >= span.start_ns:
            return (event.time_ns - span.start_ns) / 1e9
    return None


def messages(span: Span) -> Messages:
    """Messages by their flat keys, else what stands in `input.value` and `output.value`."""
    attributes = span.attributes
    found = Messages(
        input=[_message(item) for item in indexed(attributes, "llm.input_messages")],
        output=[_message(item) for item in indexed(attributes, "llm.output_messages")],
        tools=[tool_definition(as_dict(as_dict(item).get("tool")).get("json_schema", item))
               for item in indexed(attributes, "llm.tools")],
    )  # fmt: skip
    if not found.input:
        found.input = _prompts(attributes)
    if found.input and found.output:
        return found
    form = read_table(span, TABLE)
    asked = first(attributes, "input.value", "tool.parameters" if form.kind == "tool" else "reranker.query")
    answered = first(attributes, "output.value", "llm.choices")
    told = exchange(form.kind, asked, answered, form.tool_name, form.tool_call_id)
    if any(name in attributes for name in (semconv.INPUT_MESSAGES, semconv.OUTPUT_MESSAGES)):
        told = genai.messages(span)
    return Messages(
        input=found.input or told.input,
        output=found.output or told.output,
        system=told.system,
        tools=found.tools or told.tools,
    )


def _prompts(attributes: Attributes) -> list[Value]:
    """What completions and embeddings were given."""
    texts = [_nested(item, "prompt", "text") for item in indexed(attributes, "llm.prompts")]
    texts += [_nested(item, "embedding", "text") for item in indexed(attributes, "embedding.embeddings")]
    return [message("user", [text_part(text)]) for text in texts if text is not None]


def _nested(item: Any, *path: str) -> Any:
    """The value at a path, whose inner keys may be flat."""
    for at, name in enumerate(path):
        if not isinstance(item, dict):
            return None
        flat = ".".join(path[at:])
        if flat in item:
            return item[flat]
        item = item.get(name)
    return item


def _message(item: Any) -> Value:
    told = as_dict(as_dict(item).get("message"))
    role = as_text(told.get("role")) or "user"
    contents = told.get("contents")
    call_id = told.get("tool_call_id")
    content = told.get("content")
    if role == "tool" or call_id is not None:
        return message("tool", [tool_response(content if content is not None else contents, call_id)])
    parts = [_part(part) for part in contents] if isinstance(contents, list) else []
    parts += parts_of(content)
    calls = told.get("tool_calls")
    parts += [_call(call) for call in calls] if isinstance(calls, list) else []
    if told.get("function_call_name") is not None:
        parts.append(tool_call(told["function_call_name"], told.get("function_call_arguments_json")))
    made = message(role, parts)
    if isinstance(told.get("name"), str):
        made["name"] = told["name"]
    return made


def _call(item: Any) -> dict[str, Value]:
    call = as_dict(as_dict(item).get("tool_call"))
    function = as_dict(call.get("function"))
    return tool_call(function.get("name"), function.get("arguments"), call.get("id"))


def _part(item: Any) -> dict[str, Value]:
    told = as_dict(as_dict(item).get("message_content"))
    kind = told.get("type")
    if kind == "reasoning":
        return reasoning(first(told, "text", "data"))
    for modality in ("image", "audio", "video", "document"):
        if modality in told:
            url = _nested(told, modality, modality, "url") or _nested(told, modality, "url")
            return located(url, modality, _nested(told, modality, modality, "mime_type"))
    return text_part(told["text"]) if "text" in told else text_part(told)
