"""The page in a browser: time until a list and a trace are usable, bytes, requests, elements, heap; each time cold.

The same spans, in OpenInference's attributes over OTLP/HTTP, go to Vestigo and, with `--phoenix PYTHON`, to Arize
Phoenix in that interpreter's environment, in the same run: short traces for the list and one trace of each size. A
fresh profile of Debian's Chromium opens each page; a page is usable when rows stand in it. Times hold for an idle
machine.

    python bench/page.py [--short] [--sizes 2000 10000] [--times 3] [--phoenix /path/to/venv/bin/python]
"""

import argparse
import json
import os
import statistics
import sys
import tempfile
import time
import urllib.request
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "page"))
sys.path.insert(0, str(Path(__file__).parent))

import runs
import server as servers
import visits

from vestigo import otlp
from vestigo.server import web
from vestigo.server.accounts import Accounts

LIST = 500
BATCH = 500
WAIT_MS = 120_000


# --- what is sent


def openinference(span):
    """The attributes of a span in the dialect that Phoenix was made for, and that we read as well."""
    found = span.attributes
    operation = found.get("gen_ai.operation.name", "")
    kinds = {"chat": "LLM", "execute_tool": "TOOL", "invoke_agent": "AGENT", "retrieval": "RETRIEVER",
             "embeddings": "EMBEDDING"}  # fmt: skip
    told = {"openinference.span.kind": kinds.get(operation, "CHAIN")}
    for name, ours in (("llm.model_name", "gen_ai.request.model"), ("tool.name", "gen_ai.tool.name"),
                       ("llm.token_count.prompt", "gen_ai.usage.input_tokens"), ("user.id", "user.id"),
                       ("llm.token_count.completion", "gen_ai.usage.output_tokens"),
                       ("session.id", "gen_ai.conversation.id"), ("input.value", "gen_ai.tool.call.arguments"),
                       ("output.value", "gen_ai.tool.call.result")):  # fmt: skip
        if ours in found:
            told[name] = found[ours]
    for name, ours in (
        ("llm.input_messages", "gen_ai.input.messages"),
        ("llm.output_messages", "gen_ai.output.messages"),
    ):
        for number, message in enumerate(json.loads(found.get(ours, "[]"))):
            told[f"{name}.{number}.message.role"] = message["role"]
            told[f"{name}.{number}.message.content"] = message["parts"][0]["content"]
    for number, document in enumerate(json.loads(found.get("gen_ai.retrieval.documents", "[]"))):
        told |= {f"retrieval.documents.{number}.document.{key}": value for key, value in document.items()}
    span.attributes = told
    return span


def spans_of(sizes):
    """Short traces, then one of each size."""
    now_ns = time.time_ns()
    for number in range(LIST):
        yield from runs.agent_run(f"{0x5000_0000 + number:032x}", 8, now_ns - (60 + number * 30) * runs.S, number)
    for size in sizes:
        yield from runs.agent_run(f"{size:032d}", size, now_ns - int(runs.length_s(size, 0.2) + 60) * runs.S, pace=0.2)


def send(server, spans, wait_s=600):
    """Returns when the server counts all of them."""
    before, spans = server.visible(), [openinference(span) for span in spans]
    for at in range(0, len(spans), BATCH):
        body = otlp.encode("traces", "protobuf", spans[at : at + BATCH])
        wanted = urllib.request.Request(
            f"http://127.0.0.1:{server.port}/v1/traces", body, {"Content-Type": "application/x-protobuf"}
        )
        urllib.request.urlopen(wanted, timeout=120).read()
    deadline = time.monotonic() + wait_s
    while server.visible() < before + len(spans):
        if time.monotonic() > deadline:
            raise SystemExit(f"{server.name} has {server.visible()} of {before + len(spans)} spans")
        time.sleep(0.3)


# --- who is measured


class Vestigo(servers.Vestigo):
    """Rows are rows of a grid and of a tree."""

    list_rows, trace_rows = "[role=row]", "[role=treeitem]"

    def cookie(self):
        accounts = Accounts(Path(self.directory) / "accounts.db")
        try:
            return accounts.redeem(accounts.one_time_link(), 1.0)
        finally:
            accounts.close()

    def list_path(self):
        return "/p/default/traces?t=7d"

    def trace_path(self, trace_id):
        return f"/p/default/traces/{trace_id}"


class Phoenix(servers.Phoenix):
    """Rows are rows of a table and boxes of the trace's tree."""

    list_rows, trace_rows = "table tbody tr", ".span-node-wrap"

    def cookie(self):
        return None

    def _project(self):
        query = json.dumps({"query": "{projects{edges{node{id}}}}"}).encode()
        wanted = urllib.request.Request(
            f"http://127.0.0.1:{self.port}/graphql", query, {"Content-Type": "application/json"}
        )
        return json.load(urllib.request.urlopen(wanted, timeout=60))["data"]["projects"]["edges"][0]["node"]["id"]

    def list_path(self):
        return f"/projects/{self._project()}/traces"

    def trace_path(self, trace_id):
        return f"/projects/{self._project()}/traces/{trace_id}"


# --- measuring


def look(browser, server, path, rows):
    """(seconds until 8 rows stand there, bytes over the wire, requests, elements, heap in MB) of a first visit."""
    url = f"http://127.0.0.1:{server.port}"
    visit = visits.Visit(browser, url, server.cookie())
    session = visit.context.new_cdp_session(visit.page)
    session.send("Network.enable")
    session.send("Performance.enable")
    session.send("Network.setCacheDisabled", {"cacheDisabled": True})
    sizes = []
    session.on("Network.loadingFinished", lambda told: sizes.append(told["encodedDataLength"]))
    began = time.perf_counter()
    visit.page.goto(url + path, wait_until="commit")
    visit.page.locator(rows).nth(7).wait_for(timeout=WAIT_MS)
    took = time.perf_counter() - began
    visit.page.wait_for_timeout(1_500)
    visit.settle(60_000)
    session.send("HeapProfiler.collectGarbage")
    told = {one["name"]: one["value"] for one in session.send("Performance.getMetrics")["metrics"]}
    found = (took, sum(sizes), len(sizes), visit.nodes(), told["JSHeapUsedSize"] / 1e6)
    visit.close()
    return found


def measure(browser, make, sizes, times):
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as directory:
        server = make(directory)
        try:
            send(server, spans_of(sizes))
            pages = [(f"list, {LIST + len(sizes)} traces", server.list_path(), server.list_rows)]
            pages += [(f"trace of {size:,}", server.trace_path(f"{size:032d}"), server.trace_rows) for size in sizes]
            for name, path, rows in pages:
                looks = [look(browser, server, path, rows) for _ in range(times)]
                waits = [one[0] for one in looks]
                middle = [statistics.median(column) for column in zip(*looks, strict=True)]
                print(
                    f"{server.name:<8} {name:<20} {min(waits):>7.2f} {max(waits):>7.2f} {middle[1] / 1e3:>10,.0f}"
                    f" {middle[2]:>9.0f} {middle[3]:>9,.0f} {middle[4]:>9.1f}",
                    flush=True,
                )
        finally:
            server.close()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--short", action="store_true", help="a few seconds, as CI runs it")
    parser.add_argument("--sizes", type=int, nargs="*", default=[2_000, 10_000])
    parser.add_argument("--times", type=int, default=3)
    parser.add_argument("--phoenix", metavar="PYTHON", help="an interpreter that has arize-phoenix")
    given = parser.parse_args()
    if visits.CHROMIUM is None:
        print(visits.NO_CHROMIUM)
        return
    if not os.environ.get("VESTIGO_WEB_DIR") and not (web.FOLDER / "index.html").exists():
        print("no built page here; `make ui` builds it")
        return
    sizes, times = ([2_000], 1) if given.short else (given.sizes, given.times)
    print(
        f"{'':<8} {'':<20} {'usable after, s':>15} {'kB on wire':>10} {'requests':>9} {'elements':>9} {'heap, MB':>9}\n"
        f"{'':<8} {'':<20} {'least':>7} {'most':>7}"
    )
    with visits.launched() as browser:
        measure(browser, Vestigo, sizes, times)
        if given.phoenix:
            measure(browser, lambda place: Phoenix(given.phoenix, place), sizes, times)


if __name__ == "__main__":
    main()
