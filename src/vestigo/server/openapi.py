"""The description of the API at `/openapi.json`, made from the route table, and the page at `/docs` that shows it.

The page has no resource from elsewhere: its script and style are files of ours beside it.
"""

import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, Final

import msgspec
from msgspec import Struct
from starlette.responses import Response

from vestigo.server.routes import Call, Route
from vestigo.version import VERSION

_PAGE: Final = Path(__file__).parent / "docs"
_PAGE_TYPES: Final = {
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".css": "text/css; charset=utf-8",
}
_PARAMETER: Final = re.compile(r"\{(\w+)(?::\w+)?\}")
_IDS: Final = {"trace_id": "^[0-9a-f]{32}$", "span_id": "^[0-9a-f]{16}$"}
_PROJECT: Final = {
    "name": "project",
    "in": "query",
    "description": "The project that is asked; needed where the caller has several.",
    "schema": {"type": "string", "pattern": "^[A-Za-z0-9._-]{1,100}$"},
}


class ErrorTold(Struct, kw_only=True):
    """Why a request was refused."""

    code: str
    """A word for programs, such as `bad_query`."""
    message: str
    position: int | None = None
    """Of a filter: where the mistake is, in characters."""


class Error(Struct):
    error: ErrorTold


def document(routes: Iterable[Route]) -> dict[str, Any]:
    """OpenAPI 3.1 of a route table. Raises ValueError for two routes of one method and path."""
    routes = list(routes)
    types = [kind for route in routes for kind in (route.query, route.body, route.answer) if kind is not None]
    schemas, components = msgspec.json.schema_components([*types, Error], ref_template="#/components/schemas/{name}")
    named = dict(zip(map(id, types), schemas, strict=False))
    paths: dict[str, dict[str, Any]] = {}
    for route in routes:
        operations = paths.setdefault(_PARAMETER.sub(r"{\1}", route.path), {})
        if route.method.lower() in operations:
            raise ValueError(f"two routes for {route.method} {route.path}; give one of them another path")
        operations[route.method.lower()] = _operation(route, named, components, schemas[-1])
    queries = {_name(named[id(route.query)]) for route in routes if route.query is not None}
    for name in queries - _used({"paths": paths, "components": components}):
        components.pop(name, None)  # what stands in a query string is told as parameters
    return {
        "openapi": "3.1.0",
        "info": {"title": "Vestigo", "version": VERSION, "description": _ABOUT},
        "paths": dict(sorted(paths.items())),
        "components": {
            "schemas": dict(sorted(components.items())),
            "securitySchemes": {"key": {"type": "http", "scheme": "bearer", "description": "An API key."}},
        },
    }


_ABOUT: Final = (
    "What a Vestigo server answers. 64-bit times are decimal strings of nanoseconds since 1970. Every route refuses "
    "parameters that it does not have."
)


def _operation(route: Route, named: dict[int, Any], components: dict[str, Any], error: Any) -> dict[str, Any]:
    told: dict[str, Any] = {
        "operationId": f"{route.method.lower()}{re.sub(r'[^a-z0-9]+', '_', route.path.lower()).rstrip('_')}",
        "summary": route.summary,
        "tags": [route.tag],
        "x-scope": route.scope,
        "parameters": list(_parameters(route, named, components)),
        "responses": {"200": _response(route, named), "default": _content("Refused, or failed.", error)},
    }
    if route.scope != "public":
        told["security"] = [{"key": []}]
    if route.body is not None:
        told["requestBody"] = {"required": True, "content": {"application/json": {"schema": named[id(route.body)]}}}
    return told


def _response(route: Route, named: dict[int, Any]) -> dict[str, Any]:
    return {"description": "Done."} if route.answer is None else _content("Done.", named[id(route.answer)])


def _content(description: str, schema: Any) -> dict[str, Any]:
    return {"description": description, "content": {"application/json": {"schema": schema}}}


def _parameters(route: Route, named: dict[int, Any], components: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for name in _PARAMETER.findall(route.path):
        schema = {"type": "string", "pattern": _IDS[name]} if name in _IDS else {"type": "string", "minLength": 1}
        yield {"name": name, "in": "path", "required": True, "schema": schema}
    if route.project:
        yield _PROJECT
    if route.query is None:
        return
    struct = components[_name(named[id(route.query)])]
    for name, schema in struct["properties"].items():
        plain = dict(schema)
        parameter = {"name": name, "in": "query", "required": name in struct.get("required", ()), "schema": plain}
        description = plain.pop("description", "")
        if description:
            parameter["description"] = description
        choices = plain.get("anyOf")
        if choices:  # no query string says null
            kept = [choice for choice in choices if choice != {"type": "null"}]
            plain.pop("anyOf")
            plain.update(kept[0] if len(kept) == 1 else {"anyOf": kept})
            if plain.get("default", "") is None:
                del plain["default"]
        yield parameter


def _name(schema: dict[str, Any]) -> str:
    return schema["$ref"].rpartition("/")[2]


def _used(value: Any) -> set[str]:
    """Names of the components that are referred to."""
    if isinstance(value, dict):
        own = {_name(value)} if isinstance(value.get("$ref"), str) else set[str]()
        return own.union(*map(_used, value.values()))
    return set[str]().union(*map(_used, value)) if isinstance(value, list) else set()


async def describe(call: Call) -> Response:
    del call
    from vestigo import server  # noqa: PLC0415  the whole table has this route in it

    return Response(msgspec.json.encode(document(server.ROUTES)), media_type="application/json")


async def page(call: Call) -> Response:
    del call
    return _file("page.html")


async def script(call: Call) -> Response:
    del call
    return _file("page.js")


async def style(call: Call) -> Response:
    del call
    return _file("page.css")


def _file(name: str) -> Response:
    path = _PAGE / name
    return Response(path.read_bytes(), media_type=_PAGE_TYPES[path.suffix])


ROUTES: Final = (
    Route(
        method="GET", path="/openapi.json", scope="public", project=False, handler=describe, tag="reference",
        summary="This description.",
    ),
    Route(
        method="GET", path="/docs", scope="public", project=False, handler=page, tag="reference",
        summary="A page that shows it, with forms to try the routes.",
    ),
    Route(
        method="GET", path="/docs/page.js", scope="public", project=False, handler=script, tag="reference",
        summary="The script of that page.",
    ),
    Route(
        method="GET", path="/docs/page.css", scope="public", project=False, handler=style, tag="reference",
        summary="The style of that page.",
    ),
)  # fmt: skip
