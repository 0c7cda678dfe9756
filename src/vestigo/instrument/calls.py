"""`LLMCallLogger`: records the calls of one client object, on spans and, where one is given, in a logger."""

from typing import Any, TypeVar

from vestigo import semconv
from vestigo.errors import SettingsError
from vestigo.instrument import openai, tracer_source
from vestigo.instrument.wrap import Outcome, Recorder, patch_client, unpatch_client
from vestigo.sdk.tracer import Tracer

C = TypeVar("C")


class LLMCallLogger:
    """Wraps clients of model providers so that each call becomes a span, and a line of the logger.

    Without a tracer the default one is used. Raises SettingsError for a tracer or logger that is none.
    """

    def __init__(self, tracer: Tracer | None = None, logger: Any = None) -> None:
        if tracer is not None and not callable(getattr(tracer, "span", None)):
            raise SettingsError(f"tracer {type(tracer).__name__} has no span(); give a vestigo.Tracer")
        if logger is not None and not (hasattr(logger, "log_llm_call") and hasattr(logger, "log_error")):
            raise SettingsError(f"logger {type(logger).__name__} has no log_llm_call(); give a vestigo.LLMLogger")
        self.tracer = tracer
        self.logger = logger

    def wrap_openai_client(self, client: C, *, stream_usage: bool = False) -> C:
        """Record the calls of an `openai.OpenAI` or `openai.AsyncOpenAI` client, Azure's too, and of its copies.

        The same object is given back. `stream_usage` asks the provider to tell tokens at the end of streamed chat
        answers, which adds a last chunk without choices to the stream. Wrapping twice records once.
        """
        told = None if self.logger is None else self._tell
        recorder = Recorder(tracer_source(self.tracer), stream_usage=stream_usage, told=told, by=self)
        patch_client(openai.LIBRARY, client, recorder)
        return client

    def unwrap_openai_client(self, client: C) -> C:
        """Undo `wrap_openai_client` of this object, for copies of the client too. The same object is given back."""
        unpatch_client(client, self)
        return client

    def _tell(self, outcome: Outcome) -> None:
        logger: Any = self.logger
        said, span = outcome.attributes, outcome.span
        operation = said[semconv.OPERATION]
        metadata = {key: value for key, value in said.items() if key not in semconv.CONTENT_ATTRIBUTES}
        if getattr(logger, "_content", False):  # at DEBUG level the logger shows what was said
            metadata = {**said, **outcome.content}
        if outcome.error is not None:
            logger.log_error(operation, outcome.error, trace_id=span.trace_id, metadata=metadata)
            return
        logger.log_llm_call(
            operation=operation,
            model=said.get(semconv.RESPONSE_MODEL) or said.get(semconv.REQUEST_MODEL) or "",
            prompt_tokens=said.get(semconv.INPUT_TOKENS),
            completion_tokens=said.get(semconv.OUTPUT_TOKENS),
            latency_ms=outcome.latency_ns / 1e6,
            trace_id=span.trace_id,
            span_id=span.span_id,
            metadata=metadata,
        )
