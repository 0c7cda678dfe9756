"""Conversations of tau-bench, sent by the real openai client, recorded by `vestigo.instrument` and `logging`.

The model is a stand-in that says what the recorded model said. Where the recordings are not beside the repository, a
short conversation of our own stands for them.
"""

import json
import logging
import sys
import time
from pathlib import Path

import openai

import vestigo
from vestigo import Tracer, VestigoHandler

sys.path.insert(0, str(Path(__file__).parent.parent / "instrument"))

from provider import Answer, Provider, chat, failure, sse

AIRLINE = Path(__file__).resolve().parents[3] / "shared" / "data" / "tau-bench-gpt-4o-airline.json"
OWN = [
    {"role": "system", "content": "# Airline Agent Policy\n\nYou help users to book, change or cancel flights."},
    {"role": "user", "content": "I want to fly from New York to Seattle on May 20."},
    {"role": "assistant", "content": "May I have your user id?"},
    {"role": "user", "content": "It is mia_li_3668."},
    {"role": "assistant", "content": None, "tool_calls": [
        {"id": "call_1", "type": "function", "function": {"name": "get_user_details",
                                                          "arguments": '{"user_id": "mia_li_3668"}'}}]},
    {"role": "tool", "tool_call_id": "call_1", "name": "get_user_details", "content": '{"name": "Mia Li"}'},
    {"role": "assistant", "content": "Thank you, Mia. Which cabin class would you like?"},
]  # fmt: skip
log = logging.getLogger("airline.agent")
log.propagate = False  # else what fails later is shown with all of it


def recorded(count):
    """(task, user, messages) of the first conversations."""
    if not AIRLINE.exists():
        return [(0, "mia_li_3668", OWN)]
    found = json.loads(AIRLINE.read_text(encoding="utf-8"))[:count]
    return [(one["task_id"], one["info"]["task"]["user_id"], one["traj"]) for one in found]


def send(running, project, count=6):
    """Play the conversations against a server; the session ids, each with its trace ids."""
    tracer = Tracer(
        "airline", running.url, project=project, api_key=running.key, data_dir=str(running.data_dir / "client")
    )
    handler = VestigoHandler(tracer)
    log.addHandler(handler)
    log.setLevel("INFO")
    undo = vestigo.instrument("openai", tracer=tracer, stream_usage=True)
    try:
        played = {}
        with Provider() as provider:
            client = openai.OpenAI(api_key="none", base_url=provider.url, max_retries=0)
            for task, user, messages in recorded(count):
                played[f"airline-{task}"] = Conversation(
                    tracer, client, provider, f"airline-{task}", user, messages
                ).play()
        assert tracer.flush(60), tracer.pipeline.stats()
    finally:
        undo()
        log.removeHandler(handler)
        tracer.close()
    return played


class Conversation:
    """One session: a trace for each turn of the user, in it a call of the model for each answer, and the tools."""

    def __init__(self, tracer, client, provider, session, user, messages):
        self.tracer, self.client, self.provider, self.session, self.user = tracer, client, provider, session, user
        self.messages = messages

    def play(self):
        turns, history, begun = [], [], False
        starts = [at for at, message in enumerate(self.messages) if message["role"] == "user"]
        for turn, at in enumerate(starts):
            history = self.messages[: at + 1]
            end = starts[turn + 1] if turn + 1 < len(starts) else len(self.messages)
            begun = True
            turns.append(self.turn(turn, history, self.messages[at + 1 : end]))
        assert begun
        return turns

    def turn(self, number, history, rest):
        attributes = {"user.id": self.user, "gen_ai.conversation.id": self.session, "tags": ["airline"]}
        with self.tracer.trace("POST /chat", attributes=attributes, kind="SERVER") as trace:
            log.info("turn %s of %s", number, self.user, extra={"turn": number})
            for place, message in enumerate(rest):
                if message["role"] == "assistant":
                    self.ask(history + rest[:place], message, stream=number % 2 == 0)
                elif message["role"] == "tool":
                    self.use(message, rest[place - 1])
        return trace.trace_id

    def ask(self, messages, said, *, stream):
        """One call of the model, which says what it said then."""
        plain = [{key: value for key, value in message.items() if key != "name" or message["role"] != "tool"}
                 for message in messages]  # fmt: skip
        usage = {"prompt_tokens": sum(len(str(one)) for one in messages) // 4, "completion_tokens": len(str(said)) // 4}
        usage["total_tokens"] = sum(usage.values())
        calls = said.get("tool_calls")
        answer = {"content": said["content"], **({"tool_calls": calls} if calls else {})}
        if stream and not calls:
            self.provider.answers.append(_streamed(said["content"] or "", usage))
            for _ in self.client.chat.completions.create(
                model="gpt-4o", messages=plain, stream=True, user=self.user, temperature=0
            ):
                pass
        else:
            self.provider.answers.append(chat(answer, usage=usage))
            self.client.chat.completions.create(
                model="gpt-4o", messages=plain, user=self.user, temperature=0, tools=_tools(calls)
            )

    def use(self, message, asked):
        call = next((one for one in asked.get("tool_calls") or [] if one["id"] == message.get("tool_call_id")), None)
        name = message.get("name") or "tool"
        attributes = {
            "gen_ai.operation.name": "execute_tool", "gen_ai.tool.name": name,
            "gen_ai.tool.call.id": message.get("tool_call_id") or "",
            "gen_ai.tool.call.arguments": call["function"]["arguments"] if call else "{}",
        }  # fmt: skip
        with self.tracer.span(f"execute_tool {name}", attributes) as span:
            if str(message["content"]).startswith("Error"):
                log.warning("%s answered: %s", name, message["content"])
                span.exception(ValueError(message["content"]))
            span.attribute("gen_ai.tool.call.result", message["content"])


def _streamed(text, usage):
    head = {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1, "model": "gpt-4o-2024-08-06"}
    pieces = [text[at : at + 40] for at in range(0, len(text), 40)] or [""]
    chunks = [
        {**head, "choices": [{"index": 0, "delta": {"content": piece}, "finish_reason": None}]} for piece in pieces
    ]
    chunks.append({**head, "choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]})
    chunks.append({**head, "choices": [], "usage": usage})
    return sse(chunks)


def _tools(calls):
    if not calls:
        return openai.NOT_GIVEN
    return [
        {"type": "function", "function": {"name": call["function"]["name"], "parameters": {"type": "object"}}}
        for call in calls
    ]


def seat_map(reserve):
    """Raises, some calls deep, what the failed run failed of."""
    raise ConnectionError(f"the seat map service answered 503 for reservation {reserve}")


def send_failed(running, project):
    """A run that fails by an exception in a tool, and one before it that the provider refuses; their trace ids."""
    tracer = Tracer(
        "airline", running.url, project=project, api_key=running.key, data_dir=str(running.data_dir / "client")
    )
    failed = {}
    with Provider() as provider:
        client = openai.OpenAI(api_key="none", base_url=provider.url, max_retries=0)
        undo = vestigo.instrument("openai", tracer=tracer)
        try:
            attributes = {"user.id": "ann", "gen_ai.conversation.id": "failed-run"}
            try:
                with tracer.trace("book a seat", attributes=attributes) as trace:
                    failed["failed"] = trace.trace_id
                    for _ in range(3):
                        provider.answers.append(chat({"content": "I look for a seat."}))
                        client.chat.completions.create(
                            model="gpt-4o", messages=[{"role": "user", "content": "Book me a window seat."}]
                        )
                    with tracer.span("invoke_agent seats", {"gen_ai.operation.name": "invoke_agent"}):
                        time.sleep(0.01)
                        with tracer.span("execute_tool seat_map", {
                            "gen_ai.operation.name": "execute_tool", "gen_ai.tool.name": "seat_map",
                            "gen_ai.tool.call.arguments": '{"reservation": "QX7L2M"}',
                        }):  # fmt: skip
                            seat_map("QX7L2M")
            except ConnectionError:
                pass
            try:
                with tracer.trace("book a seat", attributes=attributes) as trace:
                    failed["refused"] = trace.trace_id
                    provider.answers.append(Answer(failure(429, "limit reached").body, status=429))
                    client.chat.completions.create(model="gpt-4o", messages=[{"role": "user", "content": "Again."}])
            except openai.RateLimitError:
                pass
        finally:
            undo()
    assert tracer.flush(60)
    tracer.close()
    return failed
