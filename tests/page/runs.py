"""Runs of agents of any number of spans: nested agents, model calls, tools, retrieval, errors, many alike siblings."""

import json
import random

from vestigo.record import Event, Resource, Scope, Span

S = 1_000_000_000
MS = 1_000_000
RESOURCE = Resource({
    "service.name": "researcher", "service.version": "2.3.1", "deployment.environment.name": "production",
    "host.name": "worker-3", "telemetry.sdk.language": "python",
})  # fmt: skip
SCOPE = Scope("researcher.agents", "2.3.1")
WORDS = [
    "refund",
    "policy",
    "order",
    "invoice",
    "customer",
    "shipping",
    "delayed",
    "parcel",
    "warehouse",
    "Berlin",
    "contract",
    "renewal",
    "price",
    "quota",
    "region",
    "latency",
    "cache",
    "token",
    "budget",
    "summary",
    "report",
    "figure",
    "quarter",
    "revenue",
    "forecast",
    "supplier",
    "battery",
    "sensor",
    "firmware",
    "patch",
]
TOOLS = ("search_docs", "http_get", "read_file", "run_sql", "send_mail", "lookup_inventory")
MODELS = ("gpt-4o", "gpt-4o-mini", "claude-sonnet-4-5")
STACK = """Traceback (most recent call last):
  File "/app/researcher/agents.py", line 218, in call_tool
    return self.tools[name](**arguments)
  File "/app/researcher/tools/http.py", line 41, in http_get
    response = self.session.get(url, timeout=30)
  File "/usr/lib/python3.12/site-packages/requests/sessions.py", line 602, in get
    return self.request("GET", url, **kwargs)
  File "/usr/lib/python3.12/site-packages/requests/adapters.py", line 713, in send
    raise ReadTimeout(e, request=request)
requests.exceptions.ReadTimeout: no answer from 10.0.0.7 in 30 s
"""


def message(role, text):
    return {"role": role, "parts": [{"type": "text", "content": text}]}


def failure(at_ns, kind="requests.exceptions.ReadTimeout", text="no answer from 10.0.0.7 in 30 s", stack=STACK):
    return Event(at_ns, "exception", {"exception.type": kind, "exception.message": text, "exception.stacktrace": stack})


class Run:
    """One trace that grows to a number of spans, one after the other in time."""

    def __init__(self, trace_id, count, start_ns, seed=1, *, pace=1.0, said_every=1):
        self.trace_id, self.count, self.now_ns, self.pace = trace_id, count, start_ns, pace
        self.rng, self.spans, self.said_every = random.Random(seed), [], said_every
        self.first = int(trace_id, 16) % 2**43 << 20  # some servers know a span by its id alone

    @property
    def full(self):
        return len(self.spans) >= self.count

    def text(self, words):
        return " ".join(self.rng.choices(WORDS, k=words)).capitalize() + "."

    def open(self, parent, name, attributes, kind="INTERNAL"):
        span = Span(
            self.trace_id, f"{self.first + len(self.spans) + 1:016x}", name, self.now_ns,
            parent.span_id if parent else None, None, kind, attributes=attributes, resource=RESOURCE, scope=SCOPE,
        )  # fmt: skip
        self.spans.append(span)
        self.now_ns += int(0.4 * MS)
        return span

    def close(self, span, *, error=""):
        if error:
            span.status, span.status_message, span.events = "ERROR", error, [failure(self.now_ns)]
        self.now_ns += int(0.3 * MS)
        span.end_ns = self.now_ns

    def leaf(self, parent, name, mean_ms, attributes, kind="INTERNAL", *, error=""):
        span = self.open(parent, name, attributes, kind)
        self.now_ns += int(self.rng.lognormvariate(0, 0.6) * mean_ms * self.pace * MS)
        self.close(span, error=error)
        return span

    def chat(self, parent):
        model = self.rng.choice(MODELS)
        tokens = self.rng.randint(300, 4_000)
        attributes = {
            "gen_ai.operation.name": "chat", "gen_ai.request.model": model, "gen_ai.response.model": model,
            "gen_ai.provider.name": "anthropic" if model.startswith("claude") else "openai",
            "gen_ai.usage.input_tokens": tokens, "gen_ai.usage.output_tokens": self.rng.randint(20, 700),
            "gen_ai.usage.cache_read.input_tokens": tokens // 3, "gen_ai.response.finish_reasons": ["stop"],
            "gen_ai.response.time_to_first_chunk": 0.12 * self.pace, "gen_ai.request.temperature": 0.2,
        }  # fmt: skip
        if len(self.spans) % self.said_every == 0:
            attributes["gen_ai.input.messages"] = json.dumps(
                [
                    message("system", "You find out what is asked, by tools, and tell where it stands."),
                    message("user", self.text(18)),
                ]
            )
            attributes["gen_ai.output.messages"] = json.dumps(
                [message("assistant", f"**{self.text(4)}**\n\n- {self.text(9)}\n- {self.text(7)}\n\n`{self.text(3)}`")]
            )
        self.leaf(parent, f"chat {model}", 420, attributes, "CLIENT")

    def tool(self, parent):
        name = self.rng.choice(TOOLS)
        attributes = {
            "gen_ai.operation.name": "execute_tool", "gen_ai.tool.name": name,
            "gen_ai.tool.call.arguments": json.dumps({"query": self.text(4), "limit": self.rng.randint(1, 50)}),
            "gen_ai.tool.call.result": json.dumps([{"title": self.text(3), "at": self.rng.random()} for _ in range(3)]),
        }  # fmt: skip
        error = "no answer from 10.0.0.7 in 30 s" if self.rng.random() < 0.05 else ""
        self.leaf(parent, f"execute_tool {name}", 160, attributes, error=error)

    def retrieve(self, parent):
        documents = [{"id": f"doc-{self.rng.randrange(900)}", "score": round(0.95 - 0.07 * number, 3),
                      "content": self.text(30)} for number in range(5)]  # fmt: skip
        attributes = {
            "gen_ai.operation.name": "retrieval", "gen_ai.retrieval.query.text": self.text(5),
            "gen_ai.retrieval.documents": json.dumps(documents),
        }  # fmt: skip
        self.leaf(parent, "retrieve passages", 60, attributes)

    def embed(self, parent):
        for _ in range(min(40, max(0, self.count - len(self.spans)))):
            attributes = {
                "gen_ai.operation.name": "embeddings", "gen_ai.request.model": "text-embedding-3-small",
                "gen_ai.provider.name": "openai", "gen_ai.usage.input_tokens": self.rng.randint(50, 500),
            }  # fmt: skip
            self.leaf(parent, "embeddings text-embedding-3-small", 14, attributes, "CLIENT")

    def step(self, parent, depth):
        """One turn of an agent, perhaps with agents of its own."""
        name = ("research", "verify", "plan", "write", "review")[self.rng.randrange(5)]
        span = self.open(parent, f"invoke_agent {name}",
                         {"gen_ai.operation.name": "invoke_agent", "gen_ai.agent.name": name})  # fmt: skip
        self.chat(span)
        for _ in range(self.rng.randint(1, 4)):
            if self.full:
                break
            chance = self.rng.random()
            if chance < 0.25 and depth < 7:
                self.step(span, depth + 1)
            elif chance < 0.75:
                self.tool(span)
            elif chance < 0.85:
                self.retrieve(span)
            elif chance < 0.865:
                self.embed(span)
            else:
                self.chat(span)
        self.close(span, error="gave up after 3 tries" if self.rng.random() < 0.02 else "")


def agent_run(trace_id, count, start_ns, seed=1, *, pace=1.0, said_every=1, user="ann", session=""):
    """Spans of a run that has ended."""
    run = Run(trace_id, count, start_ns, seed, pace=pace, said_every=said_every)
    attributes = {"gen_ai.operation.name": "invoke_agent", "gen_ai.agent.name": "researcher", "user.id": user}
    if session:
        attributes["gen_ai.conversation.id"] = session
    root = run.open(None, "POST /research", attributes, "SERVER")
    while not run.full:
        run.step(root, 0)
    run.close(root)
    return run.spans


def length_s(count, pace=1.0):
    """About how long such a run takes."""
    return count * 0.25 * pace
