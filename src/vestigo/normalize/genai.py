"""OpenTelemetry's GenAI conventions, current and older names: the dialect that we speak ourselves.

Source: open-telemetry/semantic-conventions-genai (main, 2026-10); older names from semantic-conventions v1.27-v1.36.
"""

from typing import Any, Final, get_args

import msgspec

from vestigo import semconv
from vestigo.record import Attributes, Cost, Kind, Messages, NormalForm, Span, Usage, Value

_KINDS: Final[dict[str, Kind]] = {
    "chat": "llm", "generate_content": "llm", "text_completion": "llm", "completion": "llm", "generate": "llm",
    "response": "llm", "embeddings": "embedding", "retrieval": "retrieval", "fetch_response": "fetch",
    "create_memory_store": "memory", "search_memory": "memory", "create_memory": "memory", "update_memory": "memory",
    "upsert_memory": "memory", "delete_memory": "memory", "delete_memory_store": "memory",
    "create_agent": "agent", "invoke_agent": "agent", "execute_tool": "tool", "invoke_workflow": "workflow",
    "plan": "chain",
}  # fmt: skip
_OWN_KINDS: Final = frozenset(get_args(Kind))
_ROLLUPS: Final = frozenset({"agent", "workflow", "chain"})
_NO_USAGE: Final = frozenset({"fetch"})
"""Fetching a stored response reports no tokens of its own."""

_USAGE: Final[dict[str, tuple[str, ...]]] = {
    "input": (semconv.INPUT_TOKENS, "gen_ai.usage.prompt_tokens"),
    "cache_read": (semconv.CACHE_READ_TOKENS, "gen_ai.usage.cache_read_input_tokens"),
    "cache_write": (
        semconv.CACHE_WRITE_TOKENS,
        "gen_ai.usage.cache_creation.input_tokens",
        "gen_ai.usage.cache_creation_input_tokens",
    ),
    "output": (semconv.OUTPUT_TOKENS, "gen_ai.usage.completion_tokens"),
    "reasoning": (semconv.REASONING_TOKENS, "gen_ai.usage.reasoning_tokens"),
    "audio_input": (semconv.AUDIO_INPUT_TOKENS,),
    "audio_output": (semconv.AUDIO_OUTPUT_TOKENS,),
    "image_input": (semconv.IMAGE_INPUT_TOKENS,),
    "image_output": (semconv.IMAGE_OUTPUT_TOKENS,),
}
_SESSION: Final = (semconv.SESSION_ID, semconv.CONVERSATION_ID)
_USER: Final = (semconv.USER_ID, "enduser.id", "gen_ai.user")
_COST: Final = (semconv.COST_USD, "gen_ai.usage.total_cost")


def recognises(span: Span) -> bool:
    """True for a span that says its operation, provider, model or kind in these conventions."""
    attributes = span.attributes
    return (
        semconv.OPERATION in attributes
        or semconv.SPAN_TYPE in attributes
        or semconv.PROVIDER in attributes
        or "gen_ai.system" in attributes
        or semconv.REQUEST_MODEL in attributes
    )


def read(span: Span) -> NormalForm:
    """The normal form by table."""
    attributes = span.attributes
    kind = _kind(attributes)
    form = NormalForm(
        kind=kind,
        dialect="gen_ai",
        provider=text(attributes, semconv.PROVIDER, "gen_ai.system"),
        request_model=text(attributes, semconv.REQUEST_MODEL),
        response_model=text(attributes, semconv.RESPONSE_MODEL),
        response_id=text(attributes, semconv.RESPONSE_ID),
        usage=None if kind in _NO_USAGE else _usage(attributes),
        usage_role="rollup" if kind in _ROLLUPS else "leaf",
        ttft_s=number(attributes, semconv.TTFT_S),
        finish_reasons=_texts(attributes.get(semconv.FINISH_REASONS)),
    )
    return common(span, form)


def common(span: Span, form: NormalForm) -> NormalForm:
    """Fill in what any span may say: session, user, agent, tool, prompt, a reported cost."""
    attributes = span.attributes
    form.session_id = text(attributes, *_SESSION)
    form.user_id = text(attributes, *_USER)
    form.agent_name = text(attributes, semconv.AGENT_NAME)
    form.tool_name = text(attributes, semconv.TOOL_NAME)
    form.tool_call_id = text(attributes, semconv.TOOL_CALL_ID)
    form.prompt_name = text(attributes, semconv.PROMPT_NAME)
    form.prompt_version = text(attributes, semconv.PROMPT_VERSION)
    cost = number(attributes, *_COST)
    if cost is not None and cost >= 0:
        form.cost = Cost(total_usd=cost, source="reported")
    return form


def messages(span: Span) -> Messages:
    """Messages as they stand in the attributes: structured, or JSON text."""
    attributes = span.attributes
    if not attributes.keys() & semconv.CONTENT_ATTRIBUTES:
        return Messages()
    found = Messages(
        input=_list(attributes.get(semconv.INPUT_MESSAGES)),
        output=_list(attributes.get(semconv.OUTPUT_MESSAGES)),
        system=_list(attributes.get(semconv.SYSTEM_INSTRUCTIONS)),
        tools=_list(attributes.get(semconv.TOOL_DEFINITIONS)),
    )
    tool_input = attributes.get(semconv.TOOL_ARGUMENTS, attributes.get("input.value"))
    tool_output = attributes.get(semconv.TOOL_RESULT, attributes.get("output.value"))
    if not found.input and tool_input is not None:
        found.input = [_tool_message("tool_call", "arguments", tool_input, attributes)]
    if not found.output and tool_output is not None:
        found.output = [_tool_message("tool_call_response", "response", tool_output, attributes)]
    return found


def _tool_message(kind: str, key: str, value: Value, attributes: Attributes) -> Value:
    part: dict[str, Value] = {"type": kind, key: value}
    call_id = attributes.get(semconv.TOOL_CALL_ID)
    if call_id is not None:
        part["id"] = call_id
    name = attributes.get(semconv.TOOL_NAME)
    if kind == "tool_call" and name is not None:
        part["name"] = name
    return {"role": "assistant" if kind == "tool_call" else "tool", "parts": [part]}


def text(attributes: Attributes, *names: str) -> str | None:
    """The first of these attributes that has a text; numbers count as their text."""
    for name in names:
        value = attributes.get(name)
        if isinstance(value, str):
            if value:
                return value
        elif value is not None and not isinstance(value, bool | list | dict):
            return str(value)
    return None


def number(attributes: Attributes, *names: str) -> float | None:
    """The first of these attributes that is a number, or text that says one."""
    for name in names:
        value = attributes.get(name)
        if isinstance(value, str):
            try:
                return float(value)
            except ValueError:
                continue
        if isinstance(value, int | float) and not isinstance(value, bool):
            return float(value)
    return None


def _kind(attributes: Attributes) -> Kind:
    own = attributes.get(semconv.SPAN_TYPE)
    if own in _OWN_KINDS:
        return own  # type: ignore[return-value]
    operation = attributes.get(semconv.OPERATION)
    if isinstance(operation, str):
        return _KINDS.get(operation, "span")
    return "llm" if semconv.REQUEST_MODEL in attributes else "span"


def _usage(attributes: Attributes) -> Usage | None:
    usage = Usage()
    told = False
    for field, names in _USAGE.items():
        value = number(attributes, *names)
        if value is not None and value >= 0:
            setattr(usage, field, int(value))
            told = True
    if not told:
        return None
    cached = (usage.cache_read or 0) + (usage.cache_write or 0)
    if usage.input is not None and cached > usage.input:
        usage.input += cached  # an emitter that counts cached tokens apart; our totals include them
    return usage


def _texts(value: Value) -> list[str]:
    value = _parsed(value)
    if isinstance(value, list):
        return [str(item) for item in value if item is not None]
    return [value] if isinstance(value, str) else []


def _list(value: Value) -> list[Value]:
    value = _parsed(value)
    if isinstance(value, list):
        return value
    return [] if value is None else [value]


def _parsed(value: Any) -> Any:
    """JSON inside text, even twice encoded, as some emitters write it."""
    for _ in range(2):
        if not isinstance(value, str) or value[:1] not in {"[", "{", '"'}:
            break
        try:
            value = msgspec.json.decode(value)
        except msgspec.DecodeError:
            break
    return value
