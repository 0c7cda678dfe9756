"""What calls of the `openai` client mean: Chat Completions, Responses and Embeddings as GenAI spans.

All of a client's calls pass through its `request(cast_to, options, ...)`, whatever their form: `create`, `parse`,
`stream`, raw and streaming responses, plain and async. So that one method is recorded, with the body as it is sent.
Retries happen inside it and are one span. The client is never imported here before it is asked for.
Source: OpenTelemetry GenAI conventions (main, 2026-10); openai 3.54.0 and 2.x.
"""

from collections.abc import Callable, Mapping
from typing import Any, Final

import msgspec
from msgspec import Struct

from vestigo import semconv
from vestigo.instrument.bodies import Assembler, decode_json
from vestigo.instrument.openai_answers import (
    DIMENSIONS,
    ChatAssembler,
    EmbeddingsBody,
    ResponsesAssembler,
    chat_answered,
    embedded_answered,
    responses_answered,
)
from vestigo.instrument.openai_messages import from_chat, from_responses, from_tools, get
from vestigo.instrument.wrap import Asked, Call, Library, Note, Recorder

_RESENT: Final = "http.request.resend_count"
_ERROR: Final = (
    ("status_code", "http.response.status_code"),
    ("code", "openai.error.code"),
    ("request_id", "openai.request_id"),
)
_OUTPUT_TYPE: Final = "gen_ai.output.type"
_OPENAI: Final = "openai.request."

_PARAMETERS: Final[dict[str, str]] = {
    "model": semconv.REQUEST_MODEL,
    "temperature": "gen_ai.request.temperature",
    "top_p": "gen_ai.request.top_p",
    "top_k": "gen_ai.request.top_k",
    "max_tokens": "gen_ai.request.max_tokens",
    "max_completion_tokens": "gen_ai.request.max_tokens",
    "max_output_tokens": "gen_ai.request.max_tokens",
    "frequency_penalty": "gen_ai.request.frequency_penalty",
    "presence_penalty": "gen_ai.request.presence_penalty",
    "seed": "gen_ai.request.seed",
    "reasoning_effort": "gen_ai.request.reasoning.level",
    "previous_response_id": "gen_ai.request.previous_response.id",
    "service_tier": _OPENAI + "service_tier",
    "user": semconv.USER_ID,
    "dimensions": DIMENSIONS,
} | {
    name: _OPENAI + name
    for name in (
        "response_format", "tool_choice", "parallel_tool_calls", "logprobs", "top_logprobs", "logit_bias", "verbosity",
        "store", "metadata", "modalities", "max_tool_calls", "truncation", "background", "prompt_cache_key",
        "safety_identifier",
    )
}  # fmt: skip
"""Body fields that become attributes as they are. Others are content, or are read below."""

_PROVIDERS: Final[tuple[tuple[str, str], ...]] = (
    ("openai.azure.com", "azure.ai.openai"), ("services.ai.azure.com", "azure.ai.inference"),
    ("cognitiveservices.azure.com", "azure.ai.openai"), ("openai.com", "openai"), ("deepseek.com", "deepseek"),
    ("groq.com", "groq"), ("x.ai", "x_ai"), ("mistral.ai", "mistral_ai"), ("perplexity.ai", "perplexity"),
    ("moonshot.ai", "moonshot_ai"), ("moonshot.cn", "moonshot_ai"), ("anthropic.com", "anthropic"),
    ("generativelanguage.googleapis.com", "gcp.gemini"), ("aiplatform.googleapis.com", "gcp.vertex_ai"),
    ("amazonaws.com", "aws.bedrock"), ("openrouter.ai", "openrouter"), ("together.xyz", "together"),
    ("fireworks.ai", "fireworks"), ("cohere.com", "cohere"), ("cohere.ai", "cohere"),
)  # fmt: skip
"""Who answers at a host. Unknown hosts speak OpenAI's protocol, which is all that we know of them."""


class _Endpoint(Struct, frozen=True):
    """One path of the API."""

    operation: str
    api: str | None
    content: Callable[[dict[str, Any]], dict[str, Any]]
    answered: Callable[[Any], dict[str, Any]]
    assembler: Callable[[], Assembler] | None
    decode: Callable[[bytes], Any] = decode_json


# --- the request


def _ask(client: Any, args: tuple[Any, ...], kwargs: dict[str, Any], recorder: Recorder) -> Asked | None:
    options = kwargs["options"] if "options" in kwargs else args[1]
    endpoint = _ENDPOINTS.get(options.url)
    body = options.json_data
    if endpoint is None or options.method.lower() != "post" or not isinstance(body, Mapping):
        return None
    streamed = bool(kwargs.get("stream"))
    if streamed and recorder.stream_usage and endpoint.api == "chat_completions":
        args, kwargs = _with_usage(args, kwargs, options)
    if options.extra_json:
        body = {**body, **options.extra_json}
    elif type(body) is not dict:
        body = dict(body)
    attributes: dict[str, Any] = {semconv.OPERATION: endpoint.operation}
    _add_server(attributes, client)
    if endpoint.api is not None:
        attributes["openai.api.type"] = endpoint.api
    _add_parameters(attributes, body, streamed=streamed)
    model = attributes.get(semconv.REQUEST_MODEL)
    return Asked(
        name=f"{endpoint.operation} {model}" if model else endpoint.operation,
        attributes=attributes,
        content=lambda: endpoint.content(body),
        answered=endpoint.answered,
        assembler=endpoint.assembler if streamed else None,
        args=args,
        kwargs=kwargs,
        decode=endpoint.decode,
    )


def _with_usage(args: tuple[Any, ...], kwargs: dict[str, Any], options: Any) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """The same call, asking for tokens at the end of the stream unless the program decided that itself."""
    asked = get(options.json_data, "stream_options") or {}
    if "include_usage" in asked:
        return args, kwargs
    changed = options.model_copy(
        update={"json_data": {**options.json_data, "stream_options": {**asked, "include_usage": True}}}
    )
    if "options" in kwargs:
        return args, {**kwargs, "options": changed}
    return (args[0], changed, *args[2:]), kwargs


def _add_server(attributes: dict[str, Any], client: Any) -> None:
    url = client.base_url
    host = url.host
    provider = next((name for end, name in _PROVIDERS if host == end or host.endswith("." + end)), None)
    if provider is None:
        provider = "azure.ai.openai" if "Azure" in type(client).__name__ else "openai"
    attributes[semconv.PROVIDER] = provider
    attributes["server.address"] = host
    attributes["server.port"] = url.port or (80 if url.scheme == "http" else 443)


def _add_parameters(attributes: dict[str, Any], body: dict[str, Any], *, streamed: bool) -> None:
    for key, value in body.items():
        name = _PARAMETERS.get(key)
        if name is not None and value is not None:
            attributes[name] = value
    if streamed:
        attributes["gen_ai.request.stream"] = True
    choices, stop, encoding = body.get("n"), body.get("stop"), body.get("encoding_format")
    if choices is not None and choices != 1:
        attributes["gen_ai.request.choice.count"] = choices
    if stop is not None:
        attributes["gen_ai.request.stop_sequences"] = [stop] if type(stop) is str else stop
    if encoding is not None:
        attributes["gen_ai.request.encoding_formats"] = [encoding]
    _add_format(attributes, body)
    reasoning, conversation, prompt = body.get("reasoning"), body.get("conversation"), body.get("prompt")
    if reasoning and get(reasoning, "effort"):
        attributes["gen_ai.request.reasoning.level"] = get(reasoning, "effort")
    if conversation:
        attributes[semconv.CONVERSATION_ID] = conversation if type(conversation) is str else get(conversation, "id")
    if type(prompt) is dict:
        attributes[semconv.PROMPT_NAME] = prompt.get("id")
        if prompt.get("version") is not None:
            attributes[semconv.PROMPT_VERSION] = prompt["version"]


def _add_format(attributes: dict[str, Any], body: dict[str, Any]) -> None:
    wanted, text = body.get("response_format"), body.get("text")
    if type(text) is dict:  # the Responses API keeps both in one place
        wanted = text.get("format")
        if wanted is not None:
            attributes[_OPENAI + "response_format"] = wanted
        if text.get("verbosity") is not None:
            attributes[_OPENAI + "verbosity"] = text["verbosity"]
    kind = get(wanted, "type") if wanted is not None else None
    if type(kind) is str:
        attributes[_OUTPUT_TYPE] = "json" if kind.startswith("json") else kind


def _chat_content(body: dict[str, Any]) -> dict[str, Any]:
    content: dict[str, Any] = {}
    if body.get("messages"):
        content[semconv.INPUT_MESSAGES] = from_chat(body["messages"])
    tools = body.get("tools") or body.get("functions")
    if tools:
        content[semconv.TOOL_DEFINITIONS] = from_tools(tools)
    return content


def _responses_content(body: dict[str, Any]) -> dict[str, Any]:
    content: dict[str, Any] = {}
    if body.get("instructions"):
        content[semconv.SYSTEM_INSTRUCTIONS] = [{"type": "text", "content": body["instructions"]}]
    if body.get("input"):
        content[semconv.INPUT_MESSAGES] = from_responses(body["input"])
    if body.get("tools"):
        content[semconv.TOOL_DEFINITIONS] = from_tools(body["tools"])
    return content


def _embedded_content(body: dict[str, Any]) -> dict[str, Any]:
    """The texts as one user message; token arrays say nothing to a reader and stay out."""
    given = body.get("input")
    texts = [given] if type(given) is str else [text for text in given or () if type(text) is str]
    if not texts:
        return {}
    return {semconv.INPUT_MESSAGES: [{"role": "user", "parts": [{"type": "text", "content": t} for t in texts]}]}


# --- beside the answer


def _body(result: Any) -> Any:
    """The HTTP response inside a raw response or a stream; None for a parsed answer."""
    if hasattr(type(result), "model_dump"):
        return None
    response = getattr(result, "http_response", None)
    if response is None:
        response = getattr(result, "response", None)
    return response if hasattr(response, "iter_bytes") else None


def _failed(error: BaseException) -> dict[str, Any]:
    said = {key: getattr(error, name, None) for name, key in _ERROR}
    attributes: dict[str, Any] = {key: value for key, value in said.items() if value is not None}
    response = getattr(error, "response", None)
    request = getattr(response, "request", None) or getattr(error, "request", None)
    resent = request.headers.get("x-stainless-retry-count") if request is not None else None
    if resent and resent != "0":
        attributes[_RESENT] = int(resent)
    completion = getattr(error, "completion", None)  # what `parse` would not take: too long, or filtered
    if completion is not None:
        attributes.update(chat_answered(completion))
    return attributes


def _retries(kwargs: dict[str, Any]) -> dict[str, Any] | None:
    """How often a call that succeeded was sent again. Read where the client has it, since answers do not tell."""
    taken = kwargs.get("retries_taken")
    if not taken or kwargs["options"].url not in _ENDPOINTS:
        return None
    return {_RESENT: taken}


_ENDPOINTS: Final[dict[str, _Endpoint]] = {
    "/chat/completions": _Endpoint("chat", "chat_completions", _chat_content, chat_answered, ChatAssembler),
    "/responses": _Endpoint("chat", "responses", _responses_content, responses_answered, ResponsesAssembler),
    "/embeddings": _Endpoint(
        "embeddings", None, _embedded_content, embedded_answered, None, msgspec.json.Decoder(EmbeddingsBody).decode
    ),
}

LIBRARY: Final = Library(
    name="openai",
    module="openai",
    calls=tuple(Call(owner, "request", _ask, _body, _failed) for owner in ("openai:OpenAI", "openai:AsyncOpenAI")),
    notes=tuple(Note(owner, "_process_response", _retries) for owner in ("openai:OpenAI", "openai:AsyncOpenAI")),
    copies=("copy", "with_options"),
)
"""What `instrument("openai")` and `wrap_openai_client` record."""
