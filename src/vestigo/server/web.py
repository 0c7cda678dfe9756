"""The page: the built files of `ui/`, held in memory, and the addresses that open it.

Every place in the page has an address of its own, and each answers with the same `index.html`, whose links to its
scripts are written for the depth of that address; so the page works below any path prefix. Without built files a
plain page says where things are.
"""

import asyncio
import gzip
import hashlib
import re
from html import escape
from pathlib import Path
from typing import Final

from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from vestigo.server.answers import takes_gzip
from vestigo.server.routes import Call, Failure, Route
from vestigo.version import VERSION

FOLDER: Final = Path(__file__).parent / "web"
"""Where `make ui` puts the files."""
PLACES: Final = ("traces", "sessions", "logs", "dash", "errors", "scores", "compare", "queue", "settings")
"""Pages of a project."""

_TYPES: Final = {
    ".css": "text/css; charset=utf-8",
    ".html": "text/html; charset=utf-8",
    ".ico": "image/x-icon",
    ".js": "text/javascript; charset=utf-8",
    ".json": "application/json",
    ".png": "image/png",
    ".svg": "image/svg+xml",
    ".txt": "text/plain; charset=utf-8",
    ".woff2": "font/woff2",
}
"""What is served at all, by the end of a file's name."""
_PACKED: Final = frozenset({".ico", ".png", ".woff2"})  # gzip makes these no smaller
_HASHED: Final = re.compile(r".+-[A-Za-z0-9_-]{8}\.(?:js|css|svg|png|woff2)")
"""Names that Vite gave: they change with the content."""
_FOREVER: Final = "public, max-age=31536000, immutable"
_ASK_AGAIN: Final = "no-cache"
_DEEPEST: Final = 16
"""Deeper addresses get an `index.html` that is not kept: anybody can make such addresses up."""


class BuiltFile:
    """One file in memory, with its compressed form made when it is first asked for."""

    __slots__ = ("_gzip", "body", "cache", "kind", "packs", "tag")

    def __init__(self, body: bytes, kind: str, cache: str, *, packs: bool) -> None:
        self.body = body
        self.kind = kind
        self.cache = cache
        self.packs = packs
        self.tag = hashlib.sha256(body).hexdigest()[:20]
        self._gzip = b""

    async def answer(self, request: Request) -> Response:
        """The file, or 304 for one that the browser has."""
        packed = self.packs and takes_gzip(request.headers.get("accept-encoding", ""))
        tag = f'"{self.tag}-gzip"' if packed else f'"{self.tag}"'
        headers = {"Cache-Control": self.cache, "ETag": tag}
        if self.packs:
            headers["Vary"] = "Accept-Encoding"
        if _has(request.headers.get("if-none-match", ""), tag):
            return Response(status_code=304, headers=headers)
        if not packed:
            return Response(self.body, headers=headers, media_type=self.kind)
        if not self._gzip:
            self._gzip = await asyncio.to_thread(gzip.compress, self.body, 9, mtime=0)
        return Response(self._gzip, headers={**headers, "Content-Encoding": "gzip"}, media_type=self.kind)


def _has(asked: str, tag: str) -> bool:
    """Whether an `If-None-Match` lists a tag; a proxy may have made it a weak one."""
    known = {one.strip().removeprefix("W/") for one in asked.split(",")}
    return tag in known or "*" in known


class BuiltPage:
    """The files of one folder, as they are when this is made. What is not listed then cannot be read."""

    def __init__(self, folder: Path) -> None:
        index = folder / "index.html"
        self._index = index.read_text(encoding="utf-8") if index.is_file() else ""
        self._by_depth: dict[int, BuiltFile] = {}
        self._assets = {path.name: _built(path) for path in sorted((folder / "assets").glob("*")) if _is_served(path)}

    @property
    def is_built(self) -> bool:
        """Whether there is a page at all."""
        return bool(self._index)

    def index(self, depth: int) -> BuiltFile:
        """`index.html` for an address with so many folders in it, counted from the root of the page."""
        kept = self._by_depth.get(depth)
        if kept is None:
            way = "../" * depth or "./"
            text = self._index.replace('"./assets/', f'"{way}assets/')
            kept = BuiltFile(text.encode(), _TYPES[".html"], _ASK_AGAIN, packs=True)
            if depth <= _DEEPEST:
                self._by_depth[depth] = kept
        return kept

    def asset(self, name: str) -> BuiltFile | None:
        """A file of `assets/`."""
        return self._assets.get(name)


def _is_served(path: Path) -> bool:
    return path.suffix in _TYPES and path.is_file() and not path.is_symlink()


def _built(path: Path) -> BuiltFile:
    cache = _FOREVER if _HASHED.fullmatch(path.name) else _ASK_AGAIN
    return BuiltFile(path.read_bytes(), _TYPES[path.suffix], cache, packs=path.suffix not in _PACKED)


async def show(call: Call) -> Response:
    """The page, which asks for nothing that needs an account; what it shows then does."""
    request, page = call.request, call.server.page
    depth = depth_of(request, call.server.settings.root_path)
    if depth < 0:  # the prefix without its slash: links of the page would lead beside it
        return RedirectResponse(_with_slash(request), 308)
    return await page.index(depth).answer(request) if page.is_built else _plain(depth)


def depth_of(request: Request, root_path: str) -> int:
    """How many folders stand in an address below the prefix, as a browser counts them; -1 for the prefix alone.

    A slash in an id arrives as `%2F` and makes no folder, so that the path is read as it was sent.
    """
    sent = _sent(request)
    while root_path and (sent == root_path or sent.startswith(root_path + "/")):
        sent = sent[len(root_path) :]
    return sent.count("/") - 1


def _sent(request: Request) -> str:
    raw: bytes = request.scope.get("raw_path") or request.scope["path"].encode()
    return raw.decode("latin-1").partition("?")[0]


def _with_slash(request: Request) -> str:
    query = f"?{request.url.query}" if request.url.query else ""
    return f"./{_sent(request).rpartition('/')[2]}/{query}"


async def asset(call: Call) -> Response:
    found = call.server.page.asset(call.request.path_params["name"])
    if found is None:
        raise Failure(404, "not_found", "the page has no such file; load it again")
    return await found.answer(call.request)


# --- without built files


_PLAIN: Final = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>Vestigo</title><link rel="stylesheet" href="{way}docs/page.css"></head>
<body><main>
<h1>Vestigo {version}</h1>
<p>This server takes records by OpenTelemetry's protocol and answers questions about them. The files of its page are
not here; in a checkout, <code>make ui</code> builds them.</p>
<ul>
<li>Send: set <code>OTEL_EXPORTER_OTLP_ENDPOINT</code> to this address, or <code>VESTIGO_STORAGE</code> in a program
that uses Vestigo's library.</li>
<li><a href="{way}docs">Ask</a>: every question of the API, to read and to try.</li>
<li><a href="{way}metrics">Figures</a> for Prometheus.</li>
<li>In a terminal: <code>vestigo query</code>, <code>vestigo show</code>, <code>vestigo tail -f</code>.</li>
</ul>
</main></body></html>
"""


def _plain(depth: int) -> Response:
    way = "../" * depth or "./"
    return HTMLResponse(_PLAIN.format(way=way, version=escape(VERSION)), headers={"Cache-Control": _ASK_AGAIN})


def _place(path: str, summary: str) -> Route:
    return Route(method="GET", path=path, scope="public", handler=show, summary=summary, tag="page", project=False)


ROUTES: Final = (
    _place("/", "The page."),
    _place("/settings", "The page: the server's settings."),
    _place("/p/{project}", "The page: a project."),
    *(_place(f"/p/{{project}}/{name}", f"The page: {name} of a project.") for name in PLACES),
    _place("/p/{project}/traces/{trace_id}", "The page: a trace."),
    _place("/p/{project}/sessions/{session_id:path}", "The page: a session."),
    Route(
        method="GET", path="/assets/{name}", scope="public", handler=asset, tag="page", project=False,
        summary="Scripts, styles and pictures of the page.",
    ),
)  # fmt: skip
