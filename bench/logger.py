"""Nanoseconds per log line: LLMLogger beside `logging` with a plain formatter and beside structlog's JSON, in one run.

Each writes the same message and three fields to the null device. Run: python bench/logger.py [lines]
"""

import io
import json
import logging
import os
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path

import structlog

from vestigo.record import Batch
from vestigo.sdk.logger import JSONFormatter, LLMLogger, StructlogProcessor, VestigoHandler
from vestigo.sdk.tracer import Tracer

ROUNDS = 5
FIELDS = {"customer": "c-1042", "items": 3, "cached": False}


class Discarded:
    """An exporter that keeps nothing."""

    def write(self, batch: Batch) -> None: ...

    def close(self) -> None: ...


def time_ns(call: Callable[[], object], lines: int, settle: Callable[[], object]) -> float:
    """The median over the rounds of CPU nanoseconds per call in this thread."""
    rounds: list[float] = []
    for _ in range(ROUNDS):
        for _ in range(lines // 10):
            call()
        settle()
        started = time.thread_time_ns()
        for _ in range(lines):
            call()
        rounds.append((time.thread_time_ns() - started) / lines)
        settle()
    return statistics.median(rounds)


def stdlib_logger(name: str, handler: logging.Handler, formatter: logging.Formatter | None = None) -> logging.Logger:
    logger = logging.getLogger(name)
    logger.propagate = False
    logger.setLevel(logging.INFO)
    handler.setFormatter(formatter)
    logger.addHandler(handler)
    return logger


def cases(null: io.TextIOWrapper, tracer: Tracer) -> dict[str, Callable[[], object]]:
    plain = stdlib_logger(
        "plain", logging.StreamHandler(null), logging.Formatter("%(asctime)s %(levelname)s %(name)s %(message)s")
    )
    ours = stdlib_logger("ours", logging.StreamHandler(null), JSONFormatter(service_name="bench"))
    stored = stdlib_logger("stored", VestigoHandler(tracer))
    rendered = [
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.JSONRenderer(serializer=json.dumps),
    ]
    chain = structlog.wrap_logger(structlog.WriteLogger(null), processors=rendered)
    storing = structlog.wrap_logger(structlog.WriteLogger(null), processors=[StructlogProcessor(tracer), *rendered])
    logger = LLMLogger("bench", "INFO", stream=null)
    both = LLMLogger("bench", "INFO", stream=null, tracer=tracer)
    file = LLMLogger("bench", "INFO", path=os.devnull)
    call = ("chat", "gpt-4o", 812, 64, 1234.5)
    metadata = {"finish_reason": "stop", "attempt": 1}
    return {
        "logging, plain formatter": lambda: plain.info("order placed %s", FIELDS),
        "structlog, JSON": lambda: chain.info("order placed", **FIELDS),
        "LLMLogger.info": lambda: logger.info("order placed", **FIELDS),
        "LLMLogger.info, path=": lambda: file.info("order placed", **FIELDS),
        "LLMLogger.info, and stored": lambda: both.info("order placed", **FIELDS),
        "LLMLogger.debug, below the level": lambda: logger.debug("order placed", **FIELDS),
        "LLMLogger.log_llm_call": lambda: logger.log_llm_call(*call, metadata=metadata),
        "LLMLogger.log_llm_call, and stored": lambda: both.log_llm_call(*call, metadata=metadata),
        "logging, JSONFormatter": lambda: ours.info("order placed", extra=FIELDS),
        "logging, VestigoHandler (no line)": lambda: stored.info("order placed", extra=FIELDS),
        "structlog, JSON and StructlogProcessor": lambda: storing.info("order placed", **FIELDS),
    }


def main() -> None:
    lines = 1_000 if "--short" in sys.argv else 5_000
    tracer = Tracer("bench", Discarded())
    with Path(os.devnull).open("w", encoding="utf-8") as null, tracer.span("bench"):
        figures = {name: time_ns(call, lines, tracer.flush) for name, call in cases(null, tracer).items()}
    scale = figures["structlog, JSON"]
    print(f"{'ns per line, median of ' + str(ROUNDS):42} {'ns':>8} {'/ structlog':>12}")
    for name, figure in figures.items():
        print(f"{name:42} {figure:8,.0f} {figure / scale:12.2f}")
    if tracer.pipeline.stats()["recorded"] != tracer.pipeline.stats()["stored"] + 1:  # the span may be shown open
        print(tracer.pipeline.stats())
    tracer.close()


if __name__ == "__main__":
    main()
