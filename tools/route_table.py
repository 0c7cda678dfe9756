"""Prints docs/api.md, made from the route table of the server: `python tools/route_table.py > docs/api.md`.

`tests/server/test_openapi.py` holds the page to the table.
"""

import re
from collections.abc import Iterable
from typing import Any

from vestigo.server import ROUTES
from vestigo.server.openapi import document

HEAD = """\
# The query API

What `vestigo serve` answers over HTTP. This page is made from the route table by `python tools/route_table.py >
docs/api.md`; the same table gives `/openapi.json`, and `/docs` on a running server shows it with forms to try each
route, without any resource from elsewhere.

## Asking

```sh
curl -s -H "Authorization: Bearer $KEY" "http://127.0.0.1:4318/api/traces?q=kind:llm%20latency%3E2s&start=24h&limit=20"
```

- `q` is the [filter text](storage.md#the-filter-language); it is read on the server and nowhere else. A mistake is
  answered with 400 and its place: `{"error": {"code": "bad_query", "message": "unknown field 'modle'; did you mean
  'model'?", "position": 9}}`.
- `start` and `end` are nanoseconds since 1970 as digits, or a distance from now such as `15m`, `24h`, `7d`; the end
  does not belong to the window.
- `project` names the project, as does the header `X-Vestigo-Project`. Without it, it is the only one that the key
  has, or the server's own.
- Times in answers end in `_ns` and are decimal strings, since numbers of JavaScript hold 53 bits.
- Lists answer `{"items": [...], "cursor": ...}`. Give the cursor back to get the next page; it is null on the last
  one, and belongs to one `order`: `newest`, `oldest` or `slowest`.
- A parameter that a route does not have is refused, so that a misspelt one is not answered as if it were absent.
- A question may take `query_timeout_s` (10 s); then it is answered with 504 `query_timeout`. At most
  `query_threads` (4) are answered at once. Lists have at most 1,000 rows.

| status | code | when |
|---|---|---|
| 400 | `bad_query`, `bad_request`, `bad_id` | the question cannot be read |
| 401, 403 | `unauthenticated`, `forbidden` | no key, or one without the scope in this project |
| 404 | `not_found` | nothing of that id in this project |
| 503 | `storage`, `busy` | the storage fails, too many live tails; with `Retry-After` |
| 504 | `query_timeout` | narrow the window, or filter by model, user or session |

## One trace

`GET /api/traces/{trace_id}` gives its spans a page at a time. For drawing there is `/skeleton`: one entry per span
in each column, names, kinds and models once, times in microseconds from the start, nothing of what was said; in
SQLite it is made from columns, and 100,000 spans take well under half a second. `/match?q=` tells where matching
spans stand in it.

`GET /api/spans/{trace_id}/{span_id}` gives all that one span says. Values above 256 kB are cut in their shape and
named in `cut` with their size and a link (`?field=messages.input`) to the whole.

## A conversation

`GET /api/turns?session=ID` gives the traces of a session, oldest first, each with the messages of the span that tells
what it was about and, where that does not say how it ended, what the last call of a model answered. A turn may repeat
all those before it, so a page ends at `limit` (20) or 4 MB.

## Figures

`GET /api/series` answers several measures at once, over time (`step=5m`) and by up to four fields:

```sh
curl -s -H "Authorization: Bearer $KEY" \\
  "http://127.0.0.1:4318/api/series?measures=count,error_rate,cost,latency.p95,ttft.p95&by=model&step=1h&start=7d"
```

Measures: `count`, `errors`, `error_rate`, `tokens.in`, `tokens.out`, `tokens.cached`, `tokens.reasoning`, `cost`
(USD), `unpriced` (calls whose price nobody knows), `latency.sum`, `latency.p50`, `latency.p95`, `latency.p99`,
`ttft.p50`, `ttft.p95`, `ttft.p99` (seconds). Counts and sums are multiplied by the weights of sampled spans,
percentiles are right within 1 %. Whole hours that are grouped and filtered by model, provider, kind, status,
service, env and release come from sums kept at write time.

`GET /api/errors` counts failed spans by type and form of their message, with 24 counts over the window for each
group. `GET /api/logs/histogram` counts logs by level over time, `GET /api/scores/summary` adds up scores. These three
read the newest records up to a bound; `complete` tells whether that was all. `GET /api/prices` tells what each model
that was called costs now and where that price comes from.

`GET /api/status` tells settings, sizes and counters; `troubles` in it says in plain words what was lost, refused or
failed, and what to do about it.

## The live tail

`GET /api/live` is a stream of server-sent events: what any process has written to the storage, four times a second,
by the same filter. `of=traces` sends the rows of traces that were touched, `of=spans` new, open and finished spans,
`of=logs` logs.

| event | data |
|---|---|
| `ready` | the stream has begun; nothing is missed from here on |
| `batch` | `traces`, `spans` or `logs`, rows as the lists have them; `left_out` counts what is not in it |
| `lost` | `{"changes": n}`: the reader was too slow, and so many batches are gone; ask the list again |

Each `batch` has an id. A browser's `EventSource` sends the last one as `Last-Event-ID` when it connects again, and
gets what was written meanwhile. A comment every 15 s says that the stream lives.

## Scores

```sh
curl -s -H "Authorization: Bearer $KEY" -H "Content-Type: application/json" http://127.0.0.1:4318/api/scores \\
  -d '{"trace_id": "4aefe7041f1f4d6b8b3c1d2e3f405162", "name": "helpful", "value": 0.5, "comment": "right, but slow"}'
```

A value is a number, `true` or `false` (1 or 0), or a label. A score is a log event `gen_ai.evaluation.result`,
redacted and stored as every record; `score.helpful<0.6` finds its trace. To correct a score, give it again: of those
that one source gave the same span under one name, `/api/scores/summary` counts the newest. Its `disagreements` are
spans and traces that got different values from different sources.

## The page

`/` and everything below `/p/PROJECT` is the page, which needs no scope; what it shows is asked with the session of
whoever is logged in. It works below any path prefix, whether `root_path` names it or a proxy takes it off.
"""

TABLE = """
## Every route

`scope` is what the key or the session must be allowed in the project: `public` is nothing, `read`, `write`,
`ingest`, `admin`.
"""


def page() -> str:
    """All of docs/api.md."""
    described = document(ROUTES)["paths"]
    parts = [HEAD, TABLE]
    for tag in sorted({route.tag for route in ROUTES}):
        parts.append(f"\n### {tag.capitalize()}\n\n| route | scope | what it does | parameters |\n|---|---|---|---|\n")
        for route in sorted(ROUTES, key=lambda route: (route.path, route.method)):
            if route.tag == tag:
                path = re.sub(r":\w+}", "}", route.path)
                told = described[path][route.method.lower()]
                parts.append(
                    f"| `{route.method} {path}` | {route.scope} | {cell(route.summary)} | {parameters(told)} |\n"
                )
    return "".join(parts)


def parameters(operation: dict[str, Any]) -> str:
    """Parameters of the query and the body, in one cell."""
    names = [parameter for parameter in operation["parameters"] if parameter["in"] == "query"]
    shown = [f"`{parameter['name']}`{default(parameter['schema'])}" for parameter in own(names)]
    if "requestBody" in operation:
        shown.append("a JSON body")
    return ", ".join(shown)


def own(names: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """Those that are not common to nearly all routes."""
    return [parameter for parameter in names if parameter["name"] != "project"]


def default(schema: dict[str, Any]) -> str:
    """The default of a parameter, where it says something."""
    value = schema.get("default")
    return "" if value in (None, "") else f" ({value})"


def cell(text: str) -> str:
    """Text that fits in a table."""
    return text.replace("|", "\\|").rstrip(".")


if __name__ == "__main__":
    print(page(), end="")
