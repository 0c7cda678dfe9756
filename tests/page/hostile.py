"""A project in which every text is hostile: each payload of the corpus in every field that a record has."""

import json

from corpus import payloads
from runs import S

from vestigo.record import Event, Link, Log, Resource, Scope, Span

PROJECT = "hostile"
TOGETHER = "f" * 32
"""One trace that has the spans of all of them."""
_EACH = 5


def trace_of(number):
    return f"{0xABC000 + number:032x}"


def records(now_ns, chosen=None):
    """(spans, logs): a trace for each payload, and all of them once more in one trace."""
    spans, logs = [], []
    chosen = payloads() if chosen is None else chosen
    start_ns = now_ns - 600 * S
    for payload in chosen:
        made = spans_of(payload, trace_of(payload.number), start_ns - payload.number * S, 0)
        spans += made
        logs += logs_of(payload, made)
    top = Span(TOGETHER, "f" * 16, "all of them", start_ns, end_ns=start_ns + len(chosen) * S, kind="SERVER")
    spans.append(top)
    for place, payload in enumerate(chosen):
        made = spans_of(payload, TOGETHER, start_ns + place * S, payload.number * _EACH)
        made[0].parent_id = top.span_id
        spans += made
    return spans, logs


def spans_of(payload, trace_id, start_ns, first):
    text = payload.text
    ids = [f"{0x5000 + first + place:016x}" for place in range(_EACH)]
    resource = Resource({
        "service.name": text, "service.version": text, "deployment.environment.name": text, text: text,
    })  # fmt: skip
    shared = {
        "user.id": text, "session.id": text, "gen_ai.conversation.id": text, "tags": [text, "plain"],
        "gen_ai.agent.name": text, text: text, f"deep.{text}": {text: [text, {text: text}]},
    }  # fmt: skip

    def span(place, name, attributes, parent=None, **more):
        at = start_ns + place * S // 10
        more = {"end_ns": at + S // 12, **more}
        return Span(
            trace_id, ids[place], name, at, parent, attributes={**shared, **attributes}, resource=resource,
            scope=Scope(text, text, {text: text}), **more,
        )  # fmt: skip

    return [
        span(0, text, {}, end_ns=start_ns + S, kind="SERVER", trace_state="a=b",
             links=[Link("e" * 32, "e" * 16, {text: text})]),
        span(1, text, _call(text), ids[0]),
        span(2, text, _tool(text), ids[0]),
        span(3, text, _search(text), ids[0]),
        span(4, text, {"error.type": text}, ids[0], status="ERROR", status_message=text,
             events=[Event(start_ns + S // 2, "exception", {
                 "exception.type": text, "exception.message": text,
                 "exception.stacktrace": f'Traceback (most recent call last):\n  File "{text}", line 1, in {text}\n'
                                         f"    {text}\n{text}: {text}\n",
             }), Event(start_ns + S // 2, text, {text: text, "nested": {text: text}})]),
    ]  # fmt: skip


def _call(text):
    call = {"type": "tool_call", "id": text, "name": text, "arguments": {text: text, "plain": text}}
    said = [
        {"role": "system", "parts": [{"type": "text", "content": text}]},
        {"role": "user", "name": text, "parts": [
            {"type": "text", "content": text},
            {"type": "uri", "modality": "image", "mime_type": "image/png", "uri": text},
            {"type": "blob", "modality": "image", "mime_type": "image/svg+xml", "content": text},
            {"type": "file", "mime_type": text, "file_id": text}, {"type": text, text: text},
        ]},
        {"role": text, "parts": [{"type": "text", "content": text}]},
        {"role": "assistant", "parts": [{"type": "reasoning", "content": text}, call]},
        {"role": "tool", "parts": [{"type": "tool_call_response", "id": text, "response": {text: text}}]},
    ]  # fmt: skip
    answer = [{"role": "assistant", "finish_reason": text, "parts": [{"type": "text", "content": text}, call]}]
    return {
        "gen_ai.operation.name": "chat", "gen_ai.provider.name": text, "gen_ai.request.model": text,
        "gen_ai.response.model": text, "gen_ai.response.id": text, "gen_ai.response.finish_reasons": [text],
        "gen_ai.usage.input_tokens": 10, "gen_ai.usage.output_tokens": 5, "gen_ai.usage.cost": 0.01,
        "gen_ai.prompt.name": text, "gen_ai.prompt.version": text,
        "gen_ai.system_instructions": json.dumps([{"type": "text", "content": text}]),
        "gen_ai.input.messages": json.dumps(said), "gen_ai.output.messages": json.dumps(answer),
        "gen_ai.tool.definitions": json.dumps([{"type": "function", "name": text, "description": text,
                                                "parameters": {"properties": {text: {"description": text}}}}]),
    }  # fmt: skip


def _tool(text):
    return {
        "gen_ai.operation.name": "execute_tool", "gen_ai.tool.name": text, "gen_ai.tool.call.id": text,
        "gen_ai.tool.description": text, "gen_ai.tool.call.arguments": json.dumps({text: text}),
        "gen_ai.tool.call.result": text,
    }  # fmt: skip


def _search(text):
    documents = [{"id": text, "score": 0.5, "content": text, "title": text, "uri": text, "metadata": {text: text}}]
    return {
        "gen_ai.operation.name": "retrieval", "gen_ai.retrieval.query.text": text, "gen_ai.data_source.id": text,
        "gen_ai.retrieval.documents": json.dumps(documents),
    }  # fmt: skip


def logs_of(payload, spans):
    text, root = payload.text, spans[0]
    score = {
        "gen_ai.evaluation.name": text, "gen_ai.evaluation.score.label": text, "gen_ai.evaluation.explanation": text,
        "vestigo.author": text,
    }  # fmt: skip
    told = {"trace_id": root.trace_id, "span_id": root.span_id, "resource": root.resource, "scope": Scope(text, text)}
    number = payload.number * 3
    return [
        Log(root.start_ns, 9, None, "gen_ai.evaluation.result", score, **told, log_id=f"{0xD000000 + number:032x}"),
        Log(root.start_ns, 17, text, text, {text: text, "exception.message": text, "exception.stacktrace": text},
            **told, log_id=f"{0xD000001 + number:032x}"),
        Log(root.start_ns, 13, {text: [text, {text: text}]}, text, {"nested": {text: text}}, **told,
            log_id=f"{0xD000002 + number:032x}"),
    ]  # fmt: skip
