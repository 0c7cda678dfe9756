"""Attribute names of the OpenTelemetry conventions that we read and write, and the few of our own.

Source: open-telemetry/semantic-conventions-genai (main, 2026-10) and semantic-conventions v1.44.0. Emitters lag, so
readers accept the older spellings too (`normalize/`).
"""

from typing import Final

SERVICE_NAME: Final = "service.name"
SERVICE_VERSION: Final = "service.version"
ENVIRONMENT: Final = "deployment.environment.name"

SESSION_ID: Final = "session.id"
USER_ID: Final = "user.id"
CONVERSATION_ID: Final = "gen_ai.conversation.id"

OPERATION: Final = "gen_ai.operation.name"
PROVIDER: Final = "gen_ai.provider.name"
REQUEST_MODEL: Final = "gen_ai.request.model"
RESPONSE_MODEL: Final = "gen_ai.response.model"
RESPONSE_ID: Final = "gen_ai.response.id"
FINISH_REASONS: Final = "gen_ai.response.finish_reasons"
TTFT_S: Final = "gen_ai.response.time_to_first_chunk"

INPUT_MESSAGES: Final = "gen_ai.input.messages"
OUTPUT_MESSAGES: Final = "gen_ai.output.messages"
SYSTEM_INSTRUCTIONS: Final = "gen_ai.system_instructions"
TOOL_DEFINITIONS: Final = "gen_ai.tool.definitions"

INPUT_TOKENS: Final = "gen_ai.usage.input_tokens"
OUTPUT_TOKENS: Final = "gen_ai.usage.output_tokens"
CACHE_READ_TOKENS: Final = "gen_ai.usage.cache_read.input_tokens"
CACHE_WRITE_TOKENS: Final = "gen_ai.usage.cache_write.input_tokens"
REASONING_TOKENS: Final = "gen_ai.usage.reasoning.output_tokens"
AUDIO_INPUT_TOKENS: Final = "gen_ai.usage.audio.input_tokens"
AUDIO_OUTPUT_TOKENS: Final = "gen_ai.usage.audio.output_tokens"
IMAGE_INPUT_TOKENS: Final = "gen_ai.usage.image.input_tokens"
IMAGE_OUTPUT_TOKENS: Final = "gen_ai.usage.image.output_tokens"

AGENT_NAME: Final = "gen_ai.agent.name"
TOOL_NAME: Final = "gen_ai.tool.name"
TOOL_CALL_ID: Final = "gen_ai.tool.call.id"
TOOL_ARGUMENTS: Final = "gen_ai.tool.call.arguments"
TOOL_RESULT: Final = "gen_ai.tool.call.result"
RETRIEVAL_QUERY: Final = "gen_ai.retrieval.query.text"
RETRIEVAL_DOCUMENTS: Final = "gen_ai.retrieval.documents"
PROMPT_NAME: Final = "gen_ai.prompt.name"
PROMPT_VERSION: Final = "gen_ai.prompt.version"

ERROR_TYPE: Final = "error.type"
EXCEPTION_TYPE: Final = "exception.type"
EXCEPTION_MESSAGE: Final = "exception.message"
EXCEPTION_STACK: Final = "exception.stacktrace"

EVALUATION_EVENT: Final = "gen_ai.evaluation.result"
EVALUATION_NAME: Final = "gen_ai.evaluation.name"
EVALUATION_SCORE: Final = "gen_ai.evaluation.score.value"
EVALUATION_LABEL: Final = "gen_ai.evaluation.score.label"
EVALUATION_EXPLANATION: Final = "gen_ai.evaluation.explanation"

CORRELATION_ID: Final = "correlation.id"
"""The caller's own id where it was no trace id (`X-Trace-ID: order-4711`)."""

SPAN_TYPE: Final = "vestigo.kind"
"""Our word for the kind of a span (`tool`, `chain`, ...) where OpenTelemetry's operation name has none."""

ABANDONED: Final = "vestigo.abandoned"
"""True where a generator was closed before it was exhausted."""

CONTENT: Final = "vestigo.content"
"""Says why message bodies are missing: `not sampled`, `off`."""

AUTHOR: Final = "vestigo.author"
"""Who gave a score, as the server knows it: `user:ann@example.org`, `key:7f3a`; `sent:...` where a program said so."""

COST_USD: Final = "gen_ai.usage.cost"
"""A cost reported by the program or a gateway, USD; not in the conventions but common in the wild."""

CONTENT_ATTRIBUTES: Final = frozenset({
    INPUT_MESSAGES, OUTPUT_MESSAGES, SYSTEM_INSTRUCTIONS, TOOL_DEFINITIONS, TOOL_ARGUMENTS, TOOL_RESULT,
    RETRIEVAL_QUERY, RETRIEVAL_DOCUMENTS, "gen_ai.prompt", "gen_ai.completion", "input.value", "output.value",
})  # fmt: skip
"""Attributes that hold what people and models said; everything else is numbers, names and ids."""
