"""The page at `/`: where a person lands who opens the address in a browser. Says where things are."""

from html import escape
from typing import Final

from starlette.responses import HTMLResponse, Response

from vestigo.server.routes import Call, Route
from vestigo.version import VERSION

_PAGE: Final = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>Vestigo</title><link rel="stylesheet" href="{root}/docs/page.css"></head>
<body><main>
<h1>Vestigo {version}</h1>
<p>This server takes records by OpenTelemetry's protocol and answers questions about them.</p>
<ul>
<li>Send: set <code>OTEL_EXPORTER_OTLP_ENDPOINT</code> to this address, or <code>VESTIGO_STORAGE</code> in a program
that uses Vestigo's library.</li>
<li><a href="{root}/docs">Ask</a>: every question of the API, to read and to try.</li>
<li><a href="{root}/metrics">Figures</a> for Prometheus.</li>
<li>In a terminal: <code>vestigo query</code>, <code>vestigo show</code>, <code>vestigo tail -f</code>.</li>
</ul>
</main></body></html>
"""


async def show(call: Call) -> Response:
    """The page, which asks for nothing that needs an account."""
    return HTMLResponse(_PAGE.format(root=escape(call.server.settings.root_path, quote=True), version=escape(VERSION)))


ROUTES: Final = (
    Route(method="GET", path="/", scope="public", handler=show, summary="The page", tag="page", project=False),
)
