"""What OpenAI's answers say, whole or streamed, as GenAI attributes. Pure functions and two assemblers of streams.

An answer is the client's own object or decoded JSON: both are read by `get`.
Source: OpenTelemetry GenAI conventions (main, 2026-10); OpenAI API reference, 2026-11.
"""

from typing import Any, Final

from msgspec import Struct

from vestigo import semconv
from vestigo.instrument.openai_messages import from_chat_answer, from_item, from_responses_answer, get

DIMENSIONS: Final = "gen_ai.embeddings.dimension.count"

_USAGE: Final[tuple[tuple[str, str], ...]] = (
    ("prompt_tokens", semconv.INPUT_TOKENS),
    ("input_tokens", semconv.INPUT_TOKENS),
    ("completion_tokens", semconv.OUTPUT_TOKENS),
    ("output_tokens", semconv.OUTPUT_TOKENS),
    ("cost", semconv.COST_USD),  # told by gateways such as OpenRouter
)
_INPUT_DETAILS: Final[tuple[tuple[str, str], ...]] = (
    ("cached_tokens", semconv.CACHE_READ_TOKENS),
    ("cache_write_tokens", semconv.CACHE_WRITE_TOKENS),
    ("audio_tokens", semconv.AUDIO_INPUT_TOKENS),
    ("image_tokens", semconv.IMAGE_INPUT_TOKENS),
)
_OUTPUT_DETAILS: Final[tuple[tuple[str, str], ...]] = (
    ("reasoning_tokens", semconv.REASONING_TOKENS),
    ("audio_tokens", semconv.AUDIO_OUTPUT_TOKENS),
    ("image_tokens", semconv.IMAGE_OUTPUT_TOKENS),
)

# --- whole answers


def chat_answered(answer: Any) -> dict[str, Any]:
    attributes = _answered(answer)
    choices = get(answer, "choices") or ()
    reasons = [get(choice, "finish_reason") for choice in choices]
    if any(reasons):
        attributes[semconv.FINISH_REASONS] = [reason or "" for reason in reasons]
    messages = [from_chat_answer(message) for choice in choices if (message := get(choice, "message")) is not None]
    if messages:
        attributes[semconv.OUTPUT_MESSAGES] = messages
    return attributes


def responses_answered(answer: Any) -> dict[str, Any]:
    attributes = _answered(answer)
    status, output = get(answer, "status"), get(answer, "output") or ()
    if status is not None:
        attributes["gen_ai.response.status"] = status
        reason = _finish_reason(status, get(get(answer, "incomplete_details"), "reason"), output)
        if reason is not None:
            attributes[semconv.FINISH_REASONS] = [reason]
    conversation = get(get(answer, "conversation"), "id")
    if conversation is not None:
        attributes[semconv.CONVERSATION_ID] = conversation
    messages = from_responses_answer(output)
    if messages:
        attributes[semconv.OUTPUT_MESSAGES] = messages
    return attributes


def _finish_reason(status: str, detail: str | None, output: Any) -> str | None:
    """In the words of Chat Completions, so that one filter finds both."""
    match status:
        case "completed":
            calls = any(get(item, "type") in {"function_call", "custom_tool_call"} for item in output)
            return "tool_calls" if calls else "stop"
        case "incomplete":
            return "length" if detail == "max_output_tokens" else detail
        case "failed" | "cancelled":
            return "error"
        case _:
            return None


def embedded_answered(answer: Any) -> dict[str, Any]:
    attributes = _answered(answer)
    first = next(iter(get(answer, "data") or ()), None)
    vector = get(first, "embedding")
    if isinstance(vector, list):
        attributes[DIMENSIONS] = len(vector)
    return attributes


class EmbeddingsBody(Struct):
    """The body of an embeddings answer without the vectors, which nobody wants to read in a trace."""

    model: str | None = None
    usage: dict[str, Any] | None = None


def _answered(answer: Any) -> dict[str, Any]:
    """What every kind of answer says."""
    attributes: dict[str, Any] = {}
    for name, key in _IDENTITY:
        value = get(answer, name)
        if value is not None:
            attributes[key] = value
    _add_usage(attributes, get(answer, "usage"))
    return attributes


_IDENTITY: Final = (
    ("id", semconv.RESPONSE_ID),
    ("model", semconv.RESPONSE_MODEL),
    ("service_tier", "openai.response.service_tier"),
    ("system_fingerprint", "openai.response.system_fingerprint"),
)


def _add_usage(attributes: dict[str, Any], usage: Any) -> None:
    if usage is None:
        return
    _add_counts(attributes, usage, _USAGE)
    _add_counts(attributes, get(usage, "prompt_tokens_details") or get(usage, "input_tokens_details"), _INPUT_DETAILS)
    _add_counts(
        attributes, get(usage, "completion_tokens_details") or get(usage, "output_tokens_details"), _OUTPUT_DETAILS
    )


def _add_counts(attributes: dict[str, Any], counts: Any, table: tuple[tuple[str, str], ...]) -> None:
    if counts is None:
        return
    for name, key in table:
        value = get(counts, name)
        if value is not None:
            attributes[key] = value


# --- streams


class _Choice:
    """One choice of a streamed chat answer so far."""

    def __init__(self) -> None:
        self.texts: dict[str, list[str]] = {}
        self.calls: dict[int, dict[str, Any]] = {}
        self.function: dict[str, Any] | None = None
        self.audio: dict[str, Any] | None = None
        self.finish_reason: str | None = None

    def add(self, delta: dict[str, Any]) -> bool:
        output = False
        for key in ("content", "refusal", "reasoning_content", "reasoning"):
            text = delta.get(key)
            if type(text) is str and text:
                self.texts.setdefault(key, []).append(text)
                output = True
        for call in delta.get("tool_calls") or ():
            kept = self.calls.setdefault(call.get("index", len(self.calls)), {})
            _add_call(kept, call)
            output = True
        if delta.get("function_call"):
            self.function = self.function or {}
            _add_texts(self.function, delta["function_call"])
            output = True
        if delta.get("audio"):
            self.audio = self.audio or {}
            _add_texts(self.audio, delta["audio"])
            output = True
        return output

    def message(self) -> dict[str, Any]:
        message: dict[str, Any] = {key: "".join(texts) for key, texts in self.texts.items()}
        calls = [self.calls[index] for index in sorted(self.calls)]
        return {**message, "tool_calls": calls, "function_call": self.function, "audio": self.audio}


def _add_call(kept: dict[str, Any], call: dict[str, Any]) -> None:
    for key in ("id", "type"):
        if call.get(key):
            kept[key] = call[key]
    for key in ("function", "custom"):
        if call.get(key):
            _add_texts(kept.setdefault(key, {}), call[key])


def _add_texts(kept: dict[str, Any], pieces: dict[str, Any]) -> None:
    """Names come once, the rest piece by piece."""
    for key, piece in pieces.items():
        if type(piece) is str:
            kept[key] = piece if key in {"name", "id"} else kept.get(key, "") + piece


class ChatAssembler:
    """Puts `chat.completion.chunk` events together."""

    def __init__(self) -> None:
        self._answer: dict[str, Any] = {}
        self._choices: dict[int, _Choice] = {}
        self._error: Any = None

    def add(self, event: Any) -> bool:
        if event.get("error"):
            self._error = event["error"]
            return False
        for key in ("id", "model", "service_tier", "system_fingerprint", "usage"):
            if event.get(key):
                self._answer[key] = event[key]
        output = False
        for told in event.get("choices") or ():
            choice = self._choices.setdefault(told.get("index") or 0, _Choice())
            output = choice.add(told.get("delta") or {}) or output
            choice.finish_reason = told.get("finish_reason") or choice.finish_reason
        return output

    def complete(self) -> bool:
        return bool(self._choices) and all(choice.finish_reason for choice in self._choices.values())

    def problem(self) -> tuple[str, str] | None:
        return _problem(self._error)

    def attributes(self) -> dict[str, Any]:
        choices = [
            {"message": choice.message(), "finish_reason": choice.finish_reason}
            for _, choice in sorted(self._choices.items())
        ]
        return chat_answered({**self._answer, "choices": choices})


class ResponsesAssembler:
    """Puts events of the Responses API together: the last one repeats it all, but a cut stream has no last one."""

    def __init__(self) -> None:
        self._answer: dict[str, Any] = {}
        self._items: dict[int, dict[str, Any]] = {}
        self._texts: dict[tuple[int, str], list[str]] = {}
        self._final = False
        self._error: Any = None

    def add(self, event: Any) -> bool:
        kind: str = event.get("type") or ""
        if kind == "error" or event.get("error"):
            self._error = event.get("error") or event
        elif type(event.get("response")) is dict:
            self._answer = event["response"]
            self._final = kind in _FINAL
            self._error = self._answer.get("error")
        elif kind.startswith("response.output_item."):
            self._items[event["output_index"]] = event["item"]
        elif kind in _TEXTS:
            self._texts.setdefault((event["output_index"], _TEXTS[kind]), []).append(event["delta"])
            return True
        return kind.endswith(".delta")

    def complete(self) -> bool:
        return self._final

    def problem(self) -> tuple[str, str] | None:
        return _problem(self._error)

    def attributes(self) -> dict[str, Any]:
        attributes = responses_answered(self._answer)
        if not self._final:
            parts = [part for index, item in sorted(self._items.items()) for part in self._parts(index, item)]
            if parts:
                attributes[semconv.OUTPUT_MESSAGES] = [{"role": "assistant", "parts": parts}]
        return attributes

    def _parts(self, index: int, item: dict[str, Any]) -> list[Any]:
        """The parts of an item, filled with what was streamed where it never came as a whole."""
        if item.get("status") == "completed":
            return from_item(item)
        texts = {key: "".join(pieces) for (place, key), pieces in self._texts.items() if place == index}
        match item.get("type"):
            case "message":
                content = [{"type": key, _TEXT_KEY.get(key, "text"): text} for key, text in texts.items()]
                return from_item({**item, "content": content or item.get("content")})
            case "reasoning":
                return from_item({**item, "content": [{"text": text} for text in texts.values()]})
            case _:
                return from_item({**item, **texts})


_FINAL: Final = frozenset({"response.completed", "response.incomplete", "response.failed", "response.cancelled"})
_TEXTS: Final[dict[str, str]] = {
    "response.output_text.delta": "output_text",
    "response.refusal.delta": "refusal",
    "response.reasoning_text.delta": "reasoning",
    "response.reasoning_summary_text.delta": "summary",
    "response.function_call_arguments.delta": "arguments",
    "response.custom_tool_call_input.delta": "input",
}
_TEXT_KEY: Final = {"refusal": "refusal"}


def _problem(error: Any) -> tuple[str, str] | None:
    if not error:
        return None
    kind = get(error, "code") or get(error, "type") or "error"
    return str(kind), str(get(error, "message") or error)


__all__ = [
    "DIMENSIONS",
    "ChatAssembler",
    "EmbeddingsBody",
    "ResponsesAssembler",
    "chat_answered",
    "embedded_answered",
    "responses_answered",
]
