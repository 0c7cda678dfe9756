"""A chatbot with the openai client, recorded into SQLite. Run: python examples/chatbot.py

It starts a stand-in for the provider on 127.0.0.1, so that it needs no network and no key. With a key of yours leave
out `api_key` and `base_url`; the rest stays as it is.

Prints, in short:

    you: Where is my order 4711?
    bot: It left on Monday and arrives tomorrow.
    turn 1 ... ms
      chat gpt-4o-mini ... ms, 23 + 8 tokens, $0.0000...
        user: Where is my order 4711?
        assistant: It left on Monday and arrives tomorrow.
    2 turns, 2 calls, 58 tokens in, 17 out
"""

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import openai

from vestigo import LLMCallLogger, Tracer
from vestigo.query import Query
from vestigo.record import Trace

ANSWERS = {
    "Where is my order 4711?": "It left on Monday and arrives tomorrow.",
    "Can I still return it?": "Yes, within 30 days, if it is complete.",
}


class Provider(BaseHTTPRequestHandler):
    """Answers as OpenAI's Chat Completions do, streamed or not."""

    def do_POST(self) -> None:
        asked = json.loads(self.rfile.read(int(self.headers["content-length"])))
        answer = ANSWERS[asked["messages"][-1]["content"]]
        words = sum(len(message["content"].split()) for message in asked["messages"])
        usage = {"prompt_tokens": words + 12, "completion_tokens": len(answer.split()) + 1}
        usage["total_tokens"] = sum(usage.values())
        head = {"id": "chatcmpl-1", "created": 1, "model": asked["model"], "object": "chat.completion.chunk"}
        parts = [{**head, "choices": [{"index": 0, "delta": {"content": word + " "}}]} for word in answer.split()[:-1]]
        last = {"index": 0, "delta": {"content": answer.split()[-1]}, "finish_reason": "stop"}
        parts += [{**head, "choices": [last]}, {**head, "choices": [], "usage": usage}]
        self.send_response(200)
        self.send_header("content-type", "text/event-stream")
        self.end_headers()
        self.wfile.write("".join(f"data: {json.dumps(part)}\n\n" for part in parts).encode() + b"data: [DONE]\n\n")

    def log_message(self, *_: object) -> None:
        """Keep standard error quiet."""


def answer(client: openai.OpenAI, history: list[dict[str, str]]) -> str:
    """The bot's answer to the last message, shown as it comes."""
    said = ""
    stream = client.chat.completions.create(
        model="gpt-4o-mini",
        messages=history,  # type: ignore[arg-type]
        stream=True,
        stream_options={"include_usage": True},  # else no tokens are told, and the cost stays unknown
    )
    print("bot: ", end="")
    for chunk in stream:
        if chunk.choices:
            said += chunk.choices[0].delta.content or ""
            print(chunk.choices[0].delta.content or "", end="", flush=True)
    print()
    return said


def show(trace: Trace) -> None:
    """A turn with its calls, tokens, cost and words."""
    for span in trace.spans:
        call = span.normal
        if span.parent_id is None or call is None or call.usage is None or call.cost is None:
            print(f"{span.name} {span.duration_ms:.0f} ms")
            continue
        tokens = f"{call.usage.input} + {call.usage.output} tokens"
        print(f"  {span.name} {span.duration_ms:.0f} ms, {tokens}, ${call.cost.total_usd or 0:.7f}")
        messages = [*span.attributes["gen_ai.input.messages"][-1:], *span.attributes["gen_ai.output.messages"]]  # type: ignore[index,misc]
        for message in messages:
            print(f"    {message['role']}: {message['parts'][0]['content']}")  # type: ignore[index,call-overload]


def main() -> None:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Provider)
    threading.Thread(target=server.serve_forever, daemon=True).start()

    tracer = Tracer("chatbot", "sqlite:///chatbot.db")
    calls = LLMCallLogger(tracer)
    client = calls.wrap_openai_client(
        openai.OpenAI(api_key="none", base_url=f"http://127.0.0.1:{server.server_port}/v1")
    )

    history = [{"role": "system", "content": "You answer customers of a shop."}]
    for number, question in enumerate(ANSWERS, 1):
        with tracer.trace(f"turn {number}", attributes={"session.id": "s1", "user.id": "u7"}):
            print("you:", question)
            history.append({"role": "user", "content": question})
            history.append({"role": "assistant", "content": answer(client, history)})

    turns = tracer.storage.find_traces(Query(project="default", order="oldest"))
    for turn in turns:
        show(tracer.storage.get(turn.trace_id))
    tokens_in, tokens_out = sum(turn.input_tokens for turn in turns), sum(turn.output_tokens for turn in turns)
    print(f"{len(turns)} turns, {sum(turn.calls for turn in turns)} calls, {tokens_in} tokens in, {tokens_out} out")
    tracer.close()
    server.shutdown()
    server.server_close()


if __name__ == "__main__":
    main()
