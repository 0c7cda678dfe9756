"""OpenAI's messages as OpenTelemetry's message parts, and back. Pure functions; nothing here knows of spans.

What goes in is JSON from a request body, or the client's own objects from an answer: both are read by `get`. Tool
arguments stay the text that the provider sent, since parsing and writing JSON again would not give the same text.
`to_chat` rebuilds Chat Completions messages from what `from_chat` made. It gives the short form where OpenAI has two:
text content for a list with one text part, a missing key for null.
Source: OpenTelemetry GenAI conventions, input and output message schemas; OpenAI API reference, 2026-11.
"""

from collections.abc import Iterable
from typing import Any, Final

_CHAT_KEYS: Final = frozenset({
    "role", "content", "refusal", "tool_calls", "function_call", "tool_call_id", "reasoning_content", "reasoning",
})  # fmt: skip
_SERVER_TOOLS: Final = "_call"
_NOTHING: Final[dict[str, Any]] = {}


def get(value: Any, name: str) -> Any:
    """A field of decoded JSON or of a client's object; None where there is none."""
    if type(value) is dict:
        return value.get(name)
    if value is None:
        return None
    fields = getattr(value, "__dict__", None)
    if fields is not None and name in fields:
        return fields[name]
    if hasattr(value, "__pydantic_extra__"):  # asking pydantic for what it has not is twenty times as slow
        return (value.__pydantic_extra__ or _NOTHING).get(name)
    return getattr(value, name, None)


# --- Chat Completions


def from_chat(messages: Iterable[Any]) -> list[Any]:
    """`messages` of a request, as `[{"role": ..., "parts": [...]}]` in the same order."""
    return [_from_message(message) for message in messages]


def from_chat_answer(message: Any) -> dict[str, Any]:
    """The message of one choice."""
    parts: list[Any] = []
    _add_reasoning(parts, message)
    _add_content(parts, get(message, "content"))
    _add_assistant(parts, message)
    answer: dict[str, Any] = {"role": get(message, "role") or "assistant", "parts": parts}
    audio, annotations = get(message, "audio"), get(message, "annotations")
    if audio:
        parts.append(_audio(audio))
    if annotations:
        answer["annotations"] = annotations
    return answer


def to_chat(messages: Iterable[Any]) -> list[dict[str, Any]]:
    """Chat Completions messages from what `from_chat` or `from_chat_answer` made."""
    return [_to_message(message) for message in messages]


def from_tools(tools: Any) -> list[Any]:
    """Tool definitions of either API in one flat form: `{"type": "function", "name": ..., "parameters": ...}`."""
    flat: list[Any] = []
    for tool in tools:
        kind = get(tool, "type")
        inner = get(tool, kind) if type(kind) is str else None
        if type(inner) is dict:
            flat.append({"type": kind, **inner})
        else:
            flat.append(tool if kind else {"type": "function", **tool})
    return flat


def _from_message(message: Any) -> dict[str, Any]:
    if type(message) is not dict:
        return from_chat_answer(message)
    role, content = message.get("role"), message.get("content")
    if len(message) == 2 and type(content) is str and role != "tool":
        return {"role": role, "parts": [{"type": "text", "content": content}]}
    if role in {"tool", "function"}:
        parts: list[Any] = [{"type": "tool_call_response", "id": message.get("tool_call_id"), "response": content}]
    else:
        parts = []
        _add_reasoning(parts, message)
        _add_content(parts, content)
        _add_assistant(parts, message)
    # the rest: `name`, and what providers add
    rest = {key: value for key, value in message.items() if key not in _CHAT_KEYS and value is not None}
    return {"role": role, "parts": parts, **rest}


def _add_reasoning(parts: list[Any], message: Any) -> None:
    """What servers that speak the protocol add; OpenAI itself does not give reasoning in chat answers."""
    reasoning = get(message, "reasoning_content")
    if reasoning is None:
        reasoning = get(message, "reasoning")
    if type(reasoning) is str:
        parts.append({"type": "reasoning", "content": reasoning})


def _add_content(parts: list[Any], content: Any) -> None:
    if type(content) is str:
        parts.append({"type": "text", "content": content})
    elif content is not None:
        parts.extend(_from_part(part) for part in content)


def _add_assistant(parts: list[Any], message: Any) -> None:
    """What only an assistant's message has: a refusal and tool calls."""
    refusal, calls, function = get(message, "refusal"), get(message, "tool_calls"), get(message, "function_call")
    if refusal is not None:
        parts.append({"type": "refusal", "content": refusal})
    if calls:
        parts.extend(_from_call(call) for call in calls)
    if function is not None:  # the form before tool calls, which has no id
        parts.append({"type": "tool_call", "name": get(function, "name"), "arguments": get(function, "arguments")})


def _from_call(call: Any) -> dict[str, Any]:
    function = get(call, "function")
    if function is not None:
        name, arguments = get(function, "name"), get(function, "arguments")
        return {"type": "tool_call", "id": get(call, "id"), "name": name, "arguments": arguments}
    custom = get(call, "custom")
    name, text = get(custom, "name"), get(custom, "input")
    return {"type": "tool_call", "id": get(call, "id"), "name": name, "arguments": text, "tool_type": "custom"}


def _from_part(part: Any) -> dict[str, Any]:
    """One part of a message's content, of either API. Unknown kinds stay as they are: OpenTelemetry's generic part."""
    if type(part) is str:
        return {"type": "text", "content": part}
    match get(part, "type"):
        case "output_text":
            kept = {"type": "text", "content": get(part, "text")}
            annotations = get(part, "annotations")
            return {**kept, "annotations": annotations} if annotations else kept
        case "text" | "input_text":
            return _with_rest({"type": "text", "content": get(part, "text")}, part, {"text"})
        case "refusal":
            return {"type": "refusal", "content": get(part, "refusal")}
        case "image_url":
            image = get(part, "image_url")
            return _with_rest(_located("image", get(image, "url")), image, {"url"})
        case "input_image" | "input_file" as kind:
            return _from_input_file("image" if kind == "input_image" else "document", part)
        case "input_audio":
            audio = get(part, "input_audio")
            mime = f"audio/{get(audio, 'format')}"
            return {"type": "blob", "modality": "audio", "mime_type": mime, "content": get(audio, "data")}
        case "file":
            return _from_input_file("document", get(part, "file"))
        case _:
            return part


def _from_input_file(modality: str, file: Any) -> dict[str, Any]:
    url = get(file, "image_url") or get(file, "file_url") or get(file, "file_data")
    if url is None:
        kept: dict[str, Any] = {"type": "file", "modality": modality, "file_id": get(file, "file_id")}
    elif get(file, "file_data") is None or url.startswith("data:"):
        kept = _located(modality, url)
    else:
        kept = {"type": "blob", "modality": modality, "content": url}
    return _with_rest(kept, file, {"image_url", "file_url", "file_data", "file_id", "type"})


def _located(modality: str, url: Any) -> dict[str, Any]:
    """A URL, or the bytes that a `data:` URL holds."""
    if type(url) is str and url.startswith("data:"):
        head, mark, content = url.partition(";base64,")
        if mark:
            return {"type": "blob", "modality": modality, "mime_type": head[5:], "content": content}
    return {"type": "uri", "modality": modality, "uri": url}


def _with_rest(kept: dict[str, Any], source: Any, used: set[str]) -> dict[str, Any]:
    if type(source) is dict and len(source) > 1:
        for key, value in source.items():
            if key not in used and key not in kept and value is not None:
                kept[key] = value
    return kept


def _audio(audio: Any) -> dict[str, Any]:
    kept = {"type": "blob", "modality": "audio", "content": get(audio, "data")}
    for key in ("id", "transcript"):
        if get(audio, key) is not None:
            kept[key] = get(audio, key)
    return kept


# --- and back


def _to_message(message: Any) -> dict[str, Any]:
    role, parts = message["role"], message["parts"]
    rebuilt: dict[str, Any] = {"role": role}
    if role in {"tool", "function"}:
        first = parts[0]
        rebuilt["content"] = first.get("response")
        if first.get("id") is not None:
            rebuilt["tool_call_id"] = first["id"]
    else:
        _to_content(rebuilt, parts)
    rest = {key: value for key, value in message.items() if key not in {"role", "parts"}}
    return {**rebuilt, **rest}


def _to_content(rebuilt: dict[str, Any], parts: list[Any]) -> None:
    content: list[Any] = []
    calls: list[Any] = []
    for part in parts:
        match part["type"]:
            case "reasoning":
                rebuilt["reasoning_content"] = part["content"]
            case "refusal":
                rebuilt["refusal"] = part["content"]
            case "tool_call" if "id" in part:
                calls.append(_to_call(part))
            case "tool_call":
                rebuilt["function_call"] = {"name": part["name"], "arguments": part["arguments"]}
            case _:
                content.append(_to_part(part))
    if calls:
        rebuilt["tool_calls"] = calls
    if len(content) == 1 and content[0].keys() == {"type", "text"}:
        rebuilt["content"] = content[0]["text"]
    else:
        rebuilt["content"] = content or None


def _to_call(part: dict[str, Any]) -> dict[str, Any]:
    kind = part.get("tool_type", "function")
    text = "arguments" if kind == "function" else "input"
    return {"id": part["id"], "type": kind, kind: {"name": part["name"], text: part["arguments"]}}


def _to_part(part: dict[str, Any]) -> dict[str, Any]:
    rest = {key: value for key, value in part.items() if key not in _MEDIA_KEYS}
    modality = part.get("modality")
    match part["type"], modality:
        case "text", _:
            return {"type": "text", "text": part["content"], **rest}
        case "uri", "image":
            return {"type": "image_url", "image_url": {"url": part["uri"], **rest}}
        case "blob", "image":
            url = f"data:{part['mime_type']};base64,{part['content']}"
            return {"type": "image_url", "image_url": {"url": url, **rest}}
        case "blob", "audio":
            inner = {"data": part["content"], "format": part["mime_type"].removeprefix("audio/")}
            return {"type": "input_audio", "input_audio": inner}
        case "blob", "document":
            mime = part.get("mime_type")
            text = part["content"] if mime is None else f"data:{mime};base64,{part['content']}"
            return {"type": "file", "file": {"file_data": text, **rest}}
        case "file", _:
            return {"type": "file", "file": {"file_id": part["file_id"], **rest}}
        case _:
            return part


_MEDIA_KEYS: Final = frozenset({"type", "content", "modality", "mime_type", "uri", "file_id"})


# --- Responses


def from_responses(items: Any) -> list[Any]:
    """`input` of a request to the Responses API: text, or items; one message per item."""
    if type(items) is str:
        return [{"role": "user", "parts": [{"type": "text", "content": items}]}]
    return [{"role": _item_role(item), "parts": from_item(item)} for item in items]


def from_responses_answer(items: Iterable[Any]) -> list[Any]:
    """`output` of an answer: one message by the assistant with the parts of all items in order."""
    parts = [part for item in items for part in from_item(item)]
    return [{"role": "assistant", "parts": parts}] if parts else []


def from_item(item: Any) -> list[Any]:
    """The parts of one item."""
    kind = get(item, "type")
    if kind is None or kind == "message":
        parts: list[Any] = []
        _add_content(parts, get(item, "content"))
        return parts
    match kind:
        case "function_call":
            name, text = get(item, "name"), get(item, "arguments")
            return [{"type": "tool_call", "id": get(item, "call_id"), "name": name, "arguments": text}]
        case "custom_tool_call":
            name, text = get(item, "name"), get(item, "input")
            call = {"type": "tool_call", "id": get(item, "call_id"), "name": name, "arguments": text}
            return [{**call, "tool_type": "custom"}]
        case "function_call_output" | "custom_tool_call_output":
            return [{"type": "tool_call_response", "id": get(item, "call_id"), "response": get(item, "output")}]
        case "reasoning":
            texts = [get(text, "text") for text in (get(item, "content") or get(item, "summary") or ())]
            return [{"type": "reasoning", "content": "\n\n".join(text for text in texts if text)}]
        case _ if kind.endswith(_SERVER_TOOLS):
            name = kind.removesuffix(_SERVER_TOOLS)
            return [{"type": "server_tool_call", "id": get(item, "id"), "name": name, "server_tool_call": item}]
        case _:
            return [item]


def _item_role(item: Any) -> str:
    role, kind = get(item, "role"), get(item, "type")
    if role is not None:
        return role
    return "tool" if type(kind) is str and kind.endswith("_output") else "assistant"
