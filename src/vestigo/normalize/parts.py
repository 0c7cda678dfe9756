"""Messages of any provider or framework as OpenTelemetry's message parts: `[{"role": ..., "parts": [...]}]`.

Reads what foreign spans carry, by its shape: OpenAI's Chat Completions and Responses, Anthropic's content blocks,
Gemini's contents, LangChain's messages, the Vercel AI SDK's parts, and OpenTelemetry's own parts. Tolerant: what has no
known shape is kept as text or as a generic part, and nothing raises. Longer than most modules, since it is the one
place that knows all those shapes. (What our instrumentation writes is made by
`instrument/openai_messages.py`, which knows that it gets OpenAI's objects and can be turned back exactly.)
Source: OpenTelemetry GenAI conventions, message schemas; the providers' API references, 2026-11.
"""

from collections.abc import Callable
from typing import Any, Final

import msgspec

from vestigo.normalize.reading import parsed
from vestigo.record import Kind, Messages, Value

Part = dict[str, Value]

_ROLES: Final = {
    "human": "user", "ai": "assistant", "model": "assistant", "function": "tool", "developer": "system",
    "system": "system", "tool": "tool",
    "humanmessage": "user", "aimessage": "assistant", "aimessagechunk": "assistant", "systemmessage": "system",
    "toolmessage": "tool", "functionmessage": "tool",
}  # fmt: skip
_OWN_PARTS: Final = frozenset({
    "tool_call_response", "server_tool_call", "server_tool_call_response", "blob", "uri", "compaction", "generic",
})  # fmt: skip
_MEDIA: Final = frozenset({"image", "audio", "video", "document"})


# --- building parts


def text_part(content: Value) -> Part:
    return {"type": "text", "content": content if isinstance(content, str) else as_json(content)}


def reasoning(content: Value) -> Part:
    return {"type": "reasoning", "content": content}


def tool_call(name: Value, arguments: Value, call_id: Value = None) -> Part:
    """A call; `arguments` may be JSON text or structured, as it was told."""
    part: Part = {"type": "tool_call", "arguments": arguments}
    if call_id is not None:
        part["id"] = call_id
    if name is not None:
        part["name"] = name
    return part


def tool_response(response: Value, call_id: Value = None) -> Part:
    part: Part = {"type": "tool_call_response", "response": response}
    if call_id is not None:
        part["id"] = call_id
    return part


def blob(content: Value, mime_type: Value, modality: str | None = None) -> Part:
    """Bytes as base64 text; the modality follows from the MIME type where it is not told."""
    part: Part = {"type": "blob", "modality": modality or _modality(mime_type), "content": content}
    if mime_type is not None:
        part["mime_type"] = mime_type
    return part


def located(url: Value, modality: str | None = None, mime_type: Value = None) -> Part:
    """A URL, or the bytes that a `data:` URL holds."""
    if isinstance(url, str) and url.startswith("data:"):
        head, mark, content = url.partition(";base64,")
        if mark:
            return blob(content, head[5:], modality)
    part: Part = {"type": "uri", "modality": modality or _modality(mime_type), "uri": url}
    if mime_type is not None:
        part["mime_type"] = mime_type
    return part


def file(file_id: Value, modality: str = "document") -> Part:
    return {"type": "file", "modality": modality, "file_id": file_id}


def message(role: str, parts: list[Part]) -> dict[str, Value]:
    return {"role": role, "parts": [*parts]}


def as_json(value: Value) -> str:
    return msgspec.json.encode(value).decode()


def _modality(mime_type: Value) -> str:
    head = mime_type.partition("/")[0] if isinstance(mime_type, str) else ""
    return head if head in _MEDIA else "document"


def exchange(kind: Kind, asked: Value, answered: Value, name: Value = None, call_id: Value = None) -> Messages:
    """Input and output of a span of any kind: a tool's are its call and its result, others' are conversations.

    The vectors of an embedding are nothing that was said.
    """
    if kind == "embedding":
        answered = None
    if kind != "tool":
        return Messages(input=conversation(asked), output=conversation(answered, "assistant"), tools=_tools(asked))
    found = Messages()
    if asked is not None and asked != "":
        found.input = [message("assistant", [tool_call(name, asked, call_id)])]
    if answered is not None and answered != "":
        found.output = [message("tool", [tool_response(answered, call_id)])]
    return found


def tool_definition(told: Value) -> Value:
    """A tool in one flat form, `{"type": "function", "name": ..., "parameters": ...}`, of OpenAI or Anthropic."""
    tool = parsed(told)
    if not isinstance(tool, dict):
        return tool
    inner = tool.get("function")
    flat: dict[str, Value] = {**tool, **inner} if isinstance(inner, dict) else {**tool}
    flat.pop("function", None)
    for schema in ("input_schema", "inputSchema"):
        if schema in flat and "parameters" not in flat:
            flat["parameters"] = flat.pop(schema)
    flat.setdefault("type", "function")
    if "parameters" in flat:
        flat["parameters"] = parsed(flat["parameters"])
    return flat


def _tools(asked: Value) -> list[Value]:
    body = parsed(asked)
    tools = body.get("tools") if isinstance(body, dict) else None
    return [tool_definition(tool) for tool in tools] if isinstance(tools, list) else []


# --- reading messages


def conversation(value: Value, role: str = "user") -> list[Value]:
    """Messages from whatever stands for a request or an answer: text, a message, a list of them, a whole body.

    `role` is given to what says none. JSON text is read. None and empty values give no messages.
    """
    said = parsed(value)
    if said is None or said in ("", [], {}):
        return []
    if isinstance(said, list):
        return _from_list(said, role)
    if isinstance(said, dict):
        for key, read in _BODIES.items():
            if said.get(key) and (key != "message" or _is_message(said[key])):
                return [*_system_of(said), *read(said[key], role)]
        if _is_message(said):
            return [from_message(said, role)]
    # the text as it was told, where it was text: writing JSON again would not give the same
    return [message(role, [text_part(value if isinstance(value, str) and not isinstance(said, str) else said)])]


def _from_list(items: list[Any], role: str) -> list[Value]:
    if len(items) == 1 and isinstance(items[0], list):  # LangChain's batches of one
        return _from_list(items[0], role)
    if any(_is_message(item) or _is_item(item) for item in items):
        found = [from_message(item, role) for item in items]
        return [*found]
    if all(isinstance(item, dict) for item in items):
        told = all("text" in item or _is_part(item) for item in items)
        return [message(role, parts_of(items) if told else [text_part(item) for item in items])]
    return [made for item in items for made in conversation(item, role)]


def _is_part(item: dict[str, Any]) -> bool:
    kind = item.get("type")
    return isinstance(kind, str) and kind in _PARTS  # LangChain's `Document` is no Anthropic `document`


def _is_message(item: Any) -> bool:
    if not isinstance(item, dict):
        return False
    if "role" in item:
        return not item.keys().isdisjoint({"content", "parts", "tool_calls", "function_call", "text"})
    return ("parts" in item) or ("kwargs" in item and "id" in item) or ("content" in item and _kind(item) in _ROLES)


def _kind(item: dict[str, Any]) -> str:
    kind = item.get("type")
    return kind.lower() if isinstance(kind, str) else ""


def _is_item(item: Any) -> bool:
    """An item of the Responses API that is no message."""
    return isinstance(item, dict) and _kind(item) in {"function_call", "function_call_output"}


def from_message(item: Value, role: str = "user") -> dict[str, Value]:
    """One message of any of the shapes."""
    if not isinstance(item, dict):
        return message(role, [text_part(item)])
    inner: Any = item.get("kwargs")
    if isinstance(inner, dict) and "content" in inner:  # LangChain's serialised form
        named: Any = item.get("id")
        kind = named[-1] if isinstance(named, list) and named else ""
        return from_message({"role": _ROLES.get(str(kind).lower(), role), **inner}, role)
    said: Any = item.get("role") or _ROLES.get(_kind(item)) or _item_role(item) or role
    said = _ROLES.get(str(said).lower(), str(said))
    content = parsed(item.get("content")) if _looks_structured(item.get("content")) else item.get("content")
    if _is_item(item):
        parts = [_from_part(item)]
    elif isinstance(item.get("parts"), list):
        parts = _from_parts(item, said)
    elif said == "tool" and not _has_responses(content):
        parts = [tool_response(content, item.get("tool_call_id"))]
    else:
        parts = [*_thoughts(item), *parts_of(content), *_calls(item)]
    made = message(said, parts)
    for kept in () if _is_item(item) else ("name", "finish_reason"):
        if isinstance(item.get(kept), str):
            made[kept] = item[kept]
    return made


def _from_parts(item: dict[str, Any], role: str) -> list[Part]:
    """OpenTelemetry's parts; LiteLLM leaves calls and the id of a result beside them."""
    parts = parts_of(item["parts"])
    call_id = item.get("tool_call_id")
    if role == "tool" and call_id is not None and not any(part["type"] == "tool_call_response" for part in parts):
        return [tool_response(part.get("content", part), call_id) for part in parts]
    return [*parts, *_calls(item)]


def _looks_structured(content: Any) -> bool:
    return isinstance(content, str) and content[:2] in {"[{", '["'}


def _has_responses(content: Any) -> bool:
    return isinstance(content, list) and any(
        isinstance(part, dict) and (_kind(part) in _RESPONSES or not _RESPONSES.isdisjoint(part)) for part in content
    )


_RESPONSES: Final = frozenset({
    "tool_result", "tool-result", "tool_call_response", "functionResponse", "function_response", "toolResponse",
    "toolResult",
})  # fmt: skip
"""Types of parts, and keys of parts without a type, that are results of tools."""


def _item_role(item: dict[str, Any]) -> str | None:
    return {"function_call": "assistant", "function_call_output": "tool"}.get(_kind(item))


def _thoughts(item: dict[str, Any]) -> list[Part]:
    told = item.get("reasoning_content") or item.get("reasoning")
    return [reasoning(told)] if isinstance(told, str) else []


def _calls(item: dict[str, Any]) -> list[Part]:
    told = parsed(item.get("tool_calls")) or []
    calls = [_from_call(call) for call in told] if isinstance(told, list) else []
    function = item.get("function_call")
    if isinstance(function, dict):  # the form before tool calls, which has no id
        calls.append(tool_call(function.get("name"), function.get("arguments")))
    if isinstance(item.get("refusal"), str):
        calls.insert(0, {"type": "refusal", "content": item["refusal"]})
    return calls


def _from_call(call: Any) -> Part:
    """A tool call of OpenAI, LangChain, the AI SDK, or flat."""
    if not isinstance(call, dict):
        return text_part(call)
    inner: Any = call.get("function") or call.get("custom")
    if not isinstance(inner, dict):
        inner = call
    arguments = _any(inner, "arguments", "args", "input")
    return tool_call(_any(inner, "name", "toolName"), arguments, _any(call, "call_id", "toolCallId", "id"))


# --- reading parts


def parts_of(content: Value) -> list[Part]:
    """Parts of a message's content: text, one part, or a list of them; none for null and empty text."""
    if content is None or content == "":
        return []
    if isinstance(content, list):
        return [_from_part(part) for part in content if part is not None]
    return [_from_part(content)]


def _from_part(part: Any) -> Part:
    if not isinstance(part, dict):
        return text_part(part)
    kind = part.get("type")
    if kind is None:
        return _from_gemini(part)
    read = _PARTS.get(kind) if isinstance(kind, str) else None
    return part if read is None else read(part)  # unknown kinds are OpenTelemetry's generic parts


def _from_gemini(part: dict[str, Any]) -> Part:
    call, answer = _any(part, "functionCall", "function_call"), _any(part, "functionResponse", "function_response")
    inline, stored = _any(part, "inlineData", "inline_data"), _any(part, "fileData", "file_data")
    used, result = part.get("toolUse"), part.get("toolResult")
    if isinstance(used, dict):  # Bedrock's
        return tool_call(used.get("name"), used.get("input"), used.get("toolUseId"))
    if isinstance(result, dict):
        return tool_response(result.get("content"), result.get("toolUseId"))
    if isinstance(call, dict):
        return tool_call(call.get("name"), call.get("args"), call.get("id"))
    if isinstance(answer, dict):
        return tool_response(answer.get("response"), answer.get("id"))
    if isinstance(inline, dict):
        return blob(inline.get("data"), _any(inline, "mimeType", "mime_type"))
    if isinstance(stored, dict):
        return located(_any(stored, "fileUri", "file_uri"), None, _any(stored, "mimeType", "mime_type"))
    asked, answered, media = part.get("toolRequest"), part.get("toolResponse"), part.get("media")
    if isinstance(asked, dict):  # Genkit's
        return tool_call(asked.get("name"), asked.get("input"), asked.get("ref"))
    if isinstance(answered, dict):
        return tool_response(answered.get("output"), answered.get("ref"))
    if isinstance(media, dict):
        return located(media.get("url"), None, media.get("contentType"))
    if isinstance(part.get("reasoning"), str):
        return reasoning(part["reasoning"])
    if "text" in part:  # Bedrock, Gemini and Genkit
        return reasoning(part["text"]) if part.get("thought") is True else text_part(part["text"])
    return text_part(part)


def _from_image_url(part: dict[str, Any]) -> Part:
    image = part.get("image_url")
    return located(image.get("url") if isinstance(image, dict) else image, "image")


def _from_source(part: dict[str, Any]) -> Part:
    """Anthropic's image or document, or the AI SDK's image."""
    source, modality = part.get("source"), part["type"]
    if not isinstance(source, dict):
        held = _any(part, "image", "url", "data")
        return part if held is None else located(held, modality, _any(part, "mediaType", "mimeType"))
    match source.get("type"):
        case "base64":
            return blob(source.get("data"), source.get("media_type"), modality)
        case "url":
            return located(source.get("url"), modality)
        case "file":
            return file(source.get("file_id"), modality)
        case _:
            return part


def _from_audio(part: dict[str, Any]) -> Part:
    audio = part.get("input_audio")
    held: dict[str, Any] = audio if isinstance(audio, dict) else {}
    return blob(held.get("data"), f"audio/{held.get('format', 'wav')}", "audio")


def _from_file(part: dict[str, Any]) -> Part:
    """OpenAI's file, the AI SDK's file, or OpenTelemetry's own."""
    if part.get("modality") is not None:
        return part
    inner: Any = part.get("file") if isinstance(part.get("file"), dict) else part
    mime_type = _any(inner, "mediaType", "mimeType", "mime_type", "media_type")
    held = _any(inner, "file_data", "file_url", "url", "data")
    if held is None:
        return file(inner.get("file_id"))
    return located(held, None, mime_type) if ":" in str(held)[:12] else blob(held, mime_type)


def _from_tool_result(part: dict[str, Any]) -> Part:
    held = _any(part, "response", "result", "output", "content")
    if isinstance(held, dict) and held.keys() == {"type", "value"}:  # the AI SDK's
        held = held["value"]
    return tool_response(held, _any(part, "tool_use_id", "toolCallId", "call_id", "id"))


def _own(part: dict[str, Any]) -> Part:
    """OpenTelemetry's own part, in the spelling of today: `response` for `result`, `mime_type` for `media_type`."""
    for old, new in (("result", "response"), ("media_type", "mime_type")):
        if old in part and new not in part:
            part = {new if key == old else key: value for key, value in part.items()}
    return part


def _any(part: dict[str, Any], *names: str) -> Any:
    return next((part[name] for name in names if part.get(name) is not None), None)


_PARTS: Final[dict[str, Callable[[dict[str, Any]], Part]]] = {
    **dict.fromkeys(_OWN_PARTS, _own),
    **dict.fromkeys(
        ("text", "input_text", "output_text"),
        lambda part: part if "content" in part else text_part(part.get("text")),
    ),
    **dict.fromkeys(
        ("thinking", "reasoning"),
        lambda part: part if "content" in part else reasoning(_any(part, "thinking", "text", "summary")),
    ),
    "redacted_thinking": lambda part: reasoning(part.get("data")),
    "refusal": lambda part: {"type": "refusal", "content": _any(part, "refusal", "content")},
    **dict.fromkeys(
        ("tool_use", "tool-call", "tool_call", "function_call"),
        lambda part: part if part["type"] == "tool_call" else _from_call(part),
    ),
    **dict.fromkeys(("tool_result", "tool-result", "function_call_output"), _from_tool_result),
    **dict.fromkeys(("image_url", "input_image"), _from_image_url),
    **dict.fromkeys(("image", "document"), _from_source),
    "input_audio": _from_audio,
    **dict.fromkeys(("file", "input_file"), _from_file),
}  # fmt: skip


def _system_of(body: dict[str, Any]) -> list[Value]:
    told = _any(body, "system", "systemInstruction", "system_instruction", "instructions")
    if isinstance(told, dict) and "parts" in told:
        told = told["parts"]
    return [message("system", parts_of(told))] if told else []


def _from_choices(choices: Any, _: str) -> list[Value]:
    """Answers side by side: OpenAI's choices, Gemini's candidates, LangChain's generations."""
    made: list[Value] = []
    for choice in choices if isinstance(choices, list) else [choices]:
        if isinstance(choice, list):
            made += _from_choices(choice, "assistant")
            continue
        inner = _any(choice, "message", "content", "text") if isinstance(choice, dict) else choice
        found = conversation(inner, "assistant")
        finish = _any(choice, "finish_reason", "finishReason") if isinstance(choice, dict) else None
        for said in found if finish is not None else ():
            if isinstance(said, dict):
                said["finish_reason"] = finish
        made += found
    return made


_BODIES: Final[dict[str, Callable[[Any, str], list[Value]]]] = {
    "messages": conversation,
    "message": conversation,
    "replies": conversation,
    "contents": conversation,
    "choices": _from_choices,
    "candidates": _from_choices,
    "generations": _from_choices,
}
"""Keys of whole request and answer bodies that hold the messages."""
