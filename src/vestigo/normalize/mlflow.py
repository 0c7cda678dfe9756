"""MLflow: every attribute is JSON, texts in quotes too. Source: mlflow 3.17.2, mlflow/tracing/constant.py."""

from typing import Any, Final

from vestigo import semconv
from vestigo.normalize.parts import conversation, message, tool_call, tool_response
from vestigo.normalize.reading import as_count, as_dict, as_list, as_usd, parsed
from vestigo.normalize.tables import inclusive, read_table, table
from vestigo.record import Cost, Kind, Messages, NormalForm, Span, Usage

SCOPES: Final[tuple[str, ...]] = ()
HEADS: Final = frozenset({"mlflow"})

_TYPE: Final = "mlflow.spanType"
_KINDS: Final[dict[str, Kind]] = {
    "LLM": "llm", "CHAT_MODEL": "llm", "CHAIN": "chain", "AGENT": "agent", "TOOL": "tool", "RETRIEVER": "retrieval",
    "PARSER": "chain", "EMBEDDING": "embedding", "RERANKER": "rerank", "MEMORY": "memory", "WORKFLOW": "workflow",
    "TASK": "chain", "GUARDRAIL": "guardrail", "EVALUATOR": "evaluator",
}  # fmt: skip
_USAGE: Final = {
    "input_tokens": "input", "output_tokens": "output", "cache_read_input_tokens": "cache_read",
    "cache_creation_input_tokens": "cache_write", "cache_creation_input_tokens_above_1hr": "cache_write_1h",
}  # fmt: skip

TABLE: Final = table(
    "mlflow",
    {
        "kind": (_TYPE,),
        "request_model": ("mlflow.llm.model",),
        "provider": ("mlflow.llm.provider",),
        "response_id": (semconv.RESPONSE_ID,),
        "session_id": ("mlflow.trace.session",),
        "user_id": ("mlflow.trace.user",),
    },
    _KINDS,
)


def recognises(span: Span) -> bool:
    """True for a span with MLflow's type."""
    return _TYPE in span.attributes


def read(span: Span) -> NormalForm:
    """The normal form by table; usage and cost are objects. A tool's name is its span's."""
    form = read_table(span, TABLE)
    told = as_dict(span.attributes.get("mlflow.chat.tokenUsage"))
    counts = {field: as_count(told.get(name)) for name, field in _USAGE.items()}
    if any(value is not None for value in counts.values()):
        form.usage = inclusive(Usage(**counts), exclusive=_is_exclusive(counts, as_count(told.get("total_tokens"))))
    cost = as_dict(span.attributes.get("mlflow.llm.cost"))
    total = as_usd(cost.get("total_cost"))
    if total is not None:
        form.cost = Cost(total, as_usd(cost.get("input_cost")), as_usd(cost.get("output_cost")), source="reported")
    if form.kind == "tool":
        form.tool_name = form.tool_name or span.name
    return form


def _is_exclusive(counts: dict[str, int | None], total: int | None) -> bool:
    """Whether the total says that cached tokens stand beside the input, as in Anthropic's usage."""
    cached = (counts["cache_read"] or 0) + (counts["cache_write"] or 0)
    return bool(cached) and total == (counts["input"] or 0) + (counts["output"] or 0) + cached


def messages(span: Span) -> Messages:
    """Inputs and outputs: whole requests and answers of the provider, or arguments and results."""
    told = span.attributes
    inputs, outputs = parsed(told.get("mlflow.spanInputs")), parsed(told.get("mlflow.spanOutputs"))
    if _KINDS.get(str(parsed(told.get(_TYPE)))) == "tool":
        return Messages(
            input=[] if inputs is None else [message("assistant", [tool_call(span.name, inputs)])],
            output=[] if outputs is None else [message("tool", [tool_response(outputs)])],
        )
    tools: Any = told.get("mlflow.chat.tools")
    if tools is None and isinstance(inputs, dict):
        tools = inputs.get("tools")
    return Messages(input=conversation(inputs), output=conversation(outputs, "assistant"), tools=as_list(tools))
