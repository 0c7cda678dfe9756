"""Retrieval and an answer in plain functions; an e-mail address is hidden. Run: python examples/rag.py

The model and the index are plain Python, so that it needs no network and no key.

Prints, in short:

    answer  kind=chain
      retrieve  kind=retrieval
        documents: returns 0.45, shipping 0.27
      chat our-llama  kind=llm
        asked: Can I return complete headphones within 30 days? Write to [REDACTED]
        said: Unopened or complete goods can be returned within 30 days.
        tokens: 28 + 10, cost: $0.000076 (computed)
    found by its words: answer
"""

from pathlib import Path
from typing import Any

from vestigo import Tracer

PRICES = """
[[price]]
model = "our-llama"
input = 2.00
output = 2.00
"""
DOCUMENTS = {
    "returns": "Unopened or complete goods can be returned within 30 days.",
    "shipping": "We return lost parcels and ship to Iceland in 6 to 9 days.",
    "payment": "Invoices are due after 14 days.",
}

Path("prices.toml").write_text(PRICES, encoding="utf-8")
tracer = Tracer("rag", "sqlite:///rag.db", redact="personal", prices="prices.toml")


@tracer.traced(kind="retrieval")
def retrieve(question: str, limit: int = 2) -> list[str]:
    """The documents that share most words with the question."""
    words = word_set(question)
    scores = {name: len(words & word_set(text)) / len(words) for name, text in DOCUMENTS.items()}
    best = sorted(scores, key=scores.__getitem__, reverse=True)[:limit]
    tracer.attribute("gen_ai.retrieval.query.text", question)
    tracer.attribute("gen_ai.retrieval.documents", [{"id": name, "score": scores[name]} for name in best])
    return best


def generate(question: str, documents: list[str]) -> str:
    """What a model of one's own says, as a span made by hand."""
    context = " ".join(DOCUMENTS[name] for name in documents)
    asked = [message("system", f"Answer from this: {context}"), message("user", question)]
    said = {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": "ollama",
        "gen_ai.request.model": "our-llama",
        "gen_ai.input.messages": asked,
    }
    with tracer.span("chat our-llama", said, kind="CLIENT") as span:
        reply = DOCUMENTS[documents[0]]
        span.update(
            {
                "gen_ai.output.messages": [message("assistant", reply)],
                "gen_ai.usage.input_tokens": len(context.split()) + 5,
                "gen_ai.usage.output_tokens": len(reply.split()),
                "gen_ai.response.finish_reasons": ["stop"],
            }
        )
    return reply


@tracer.traced(kind="chain")
def answer(question: str) -> str:
    return generate(question, retrieve(question))


def word_set(text: str) -> set[str]:
    return {word.strip("?.,").lower() for word in text.split()}


def message(role: str, text: str) -> dict[str, Any]:
    return {"role": role, "parts": [{"type": "text", "content": text}]}


def main() -> None:
    answer("Can I return complete headphones within 30 days? Write to ada@example.com")

    trace = tracer.storage.query(name="answer")[0]
    for span in trace.spans:
        call, said = span.normal, span.attributes
        print("  " if span.parent_id else "", span.name, "  kind=", call.kind, sep="")
        if call.kind == "retrieval":
            found = ", ".join(f"{one['id']} {one['score']:.2f}" for one in said["gen_ai.retrieval.documents"])
            print("    documents:", found)
        if call.kind == "llm":
            print("    asked:", said["gen_ai.input.messages"][-1]["parts"][0]["content"])
            print("    said:", said["gen_ai.output.messages"][0]["parts"][0]["content"])
            cost = f"cost: ${call.cost.total_usd:.6f} ({call.cost.source})"
            print(f"    tokens: {call.usage.input} + {call.usage.output},", cost)
    print("found by its words:", tracer.storage.query(words="can be returned")[0].root.name)
    tracer.close()


if __name__ == "__main__":
    main()
