"""Codex: its own spans, and those that `events.py` makes of its log events.

The CLI tells the tokens of a turn on `session_task.turn` and, less surely, on `handle_responses` below it; under the
scope of `codex exec` it is the other way round, so the scope says which of the two counts.
Source: openai/codex codex-rs/otel (2026-11).
"""

from typing import Final

from vestigo.normalize.genai import TABLE as GENAI
from vestigo.normalize.genai import messages as genai_messages
from vestigo.normalize.parts import message, text_part, tool_call, tool_response
from vestigo.normalize.reading import first
from vestigo.normalize.tables import read_table
from vestigo.record import Kind, Messages, NormalForm, Span

SCOPES: Final = ("codex_cli_rs", "codex_exec")
HEADS: Final = frozenset({"codex", "event"})

_TURN: Final = "session_task.turn"
_TOTALS_ON_TURN: Final = "codex_cli_rs"
_KINDS: Final[dict[str, Kind]] = {
    _TURN: "agent", "handle_responses": "llm",
    "codex.conversation_starts": "agent", "codex.user_prompt": "chain", "codex.sse_event": "llm",
    "codex.tool_result": "tool",
}  # fmt: skip
_REDACTED: Final = "[REDACTED]"
_USAGE: Final = "codex.turn.token_usage."

TABLE: Final = GENAI.extended(
    "codex",
    {
        "request_model": ("model", "slug"),
        "input": (_USAGE + "input_tokens", "input_token_count"),
        "cache_read": (_USAGE + "cached_input_tokens", "cached_token_count"),
        "cache_write": (_USAGE + "cache_write_input_tokens",),
        "output": (_USAGE + "output_tokens", "output_token_count"),
        "reasoning": (_USAGE + "reasoning_output_tokens", "reasoning_token_count"),
        "session_id": ("conversation.id",),
        "user_id": ("user.email", "user.account_id"),
        "tool_name": ("tool_name",),
        "tool_call_id": ("call_id",),
    },
)


def recognises(span: Span) -> bool:
    """True under one of its scopes, for a span that it names, or with attributes `codex.*`."""
    return (
        span.scope.name.startswith(SCOPES)
        or span.name.startswith("codex.")
        or any(name.startswith("codex.") for name in span.attributes)
    )


def read(span: Span) -> NormalForm:
    """The normal form by table. A turn is a leaf where its scope says that it has the totals."""
    form = read_table(span, TABLE)
    form.kind = _KINDS.get(span.name, form.kind)
    turn_counts = span.scope.name.startswith(_TOTALS_ON_TURN)
    if form.request_model or form.kind == "llm":
        form.provider = form.provider or "openai"
    if form.kind == "llm":
        form.usage_role = "duplicate" if turn_counts and span.name == "handle_responses" else "leaf"
        if form.usage_role == "duplicate":
            form.response_id = None  # else it would count as the only report of its response
    elif form.kind in {"agent", "chain"}:
        form.usage_role = "leaf" if turn_counts and span.name == _TURN and form.usage else "rollup"
    return form


def messages(span: Span) -> Messages:
    """The prompt where the user let it be told, a tool's arguments and output, or gen_ai's messages."""
    told = span.attributes
    if span.name == "codex.user_prompt":
        prompt = told.get("prompt")
        return Messages() if prompt in (None, "", _REDACTED) else Messages(input=[message("user", [text_part(prompt)])])
    if span.name != "codex.tool_result":
        return genai_messages(span)
    found = Messages()
    arguments, output, call_id = first(told, "arguments"), first(told, "output"), told.get("call_id")
    if arguments is not None:
        found.input = [message("assistant", [tool_call(told.get("tool_name"), arguments, call_id)])]
    if output is not None:
        found.output = [message("tool", [tool_response(output, call_id)])]
    return found
