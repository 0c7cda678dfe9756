"""Prints ui/src/api/types.ts, made from the server's routes: `python tools/page_types.py > ui/src/api/types.ts`.

Every struct that an answer or a body holds becomes an interface, every route of `/api` an entry of `Gets` or `Sends`.
`tests/server/test_page_types.py` holds the file to the table.
"""

import ast
import inspect
import itertools
import re
import textwrap
from collections.abc import Iterator
from functools import cache
from typing import Any, Final

from msgspec import Struct
from msgspec import inspect as kinds

from vestigo.server import ROUTES
from vestigo.server.live import Batch, Lost
from vestigo.server.openapi import Error
from vestigo.server.routes import Route

HEAD = """\
// Types of what the server answers, made from its route table: python tools/page_types.py > ui/src/api/types.ts
// Never edited by hand. Names that end in _ns are decimal strings of nanoseconds since 1970.
"""

TAIL = """
export type GetPath = keyof Gets;
export type QueryOf<P extends GetPath> = Gets[P]["query"];
export type AnswerOf<P extends GetPath> = Gets[P]["answer"];

export type SendKey = keyof Sends;
export type SentOf<K extends SendKey> = Sends[K]["body"];
export type ToldOf<K extends SendKey> = Sends[K]["answer"];
"""

GIVEN: Final = "Given"
"""End of the name of a body's type whose struct is an answer too: there, what has a default may be left out."""
_RENAMED: Final[dict[type[Struct], str]] = {Batch: "LiveBatch", Lost: "LiveLost", Error: "ErrorAnswer"}
_LINE: Final = 120


def source() -> str:
    """All of ui/src/api/types.ts."""
    routes = sorted(
        (route for route in ROUTES if route.path.startswith("/api/")), key=lambda route: (route.path, route.method)
    )
    answers = _structs(*(route.answer for route in routes if route.answer is not None), Batch, Lost, Error)
    bodies = _structs(*(route.body for route in routes if route.body is not None))
    both = bodies & answers
    shapes = [(_name(cls), _interface(cls, _name(cls), given=False, both=set())) for cls in answers]
    shapes += [
        (name, _interface(cls, name, given=True, both=both))
        for cls in bodies
        for name in [_name(cls) + (GIVEN if cls in both else "")]
    ]
    names = [name for name, _ in shapes]
    twice = {name for name in names if names.count(name) > 1}
    if twice:
        raise ValueError(f"two structs are called {', '.join(sorted(twice))}; give one of them another name")
    maps = [_gets(routes), _sends(routes, both)]
    return "\n".join([HEAD, *(text for _, text in sorted(shapes)), *maps]) + TAIL


def _structs(*types: Any) -> set[type[Struct]]:
    """All structs that types are made of."""
    found: set[type[Struct]] = set()
    waiting: list[Any] = list(kinds.multi_type_info(types))
    while waiting:
        told = waiting.pop()
        if isinstance(told, kinds.StructType):
            if told.cls in found:
                continue
            found.add(told.cls)
            waiting += [field.type for field in told.fields]
        else:
            waiting += _inside(told)
    return found


def _inside(told: Any) -> list[Any]:
    match told:
        case kinds.Metadata():
            return [told.type]
        case kinds.UnionType():
            return list(told.types)
        case kinds.ListType() | kinds.VarTupleType() | kinds.SetType() | kinds.FrozenSetType():
            return [told.item_type]
        case kinds.TupleType():
            return list(told.item_types)
        case kinds.DictType():
            return [told.key_type, told.value_type]
        case _:
            return []


# --- one interface


def _interface(cls: type[Struct], name: str, *, given: bool, both: set[type[Struct]]) -> str:
    told = kinds.type_info(cls)
    if not isinstance(told, kinds.StructType):
        raise TypeError(f"{cls} is no struct")
    lines = [*_comment(_first(cls.__doc__ or "", cls), ""), f"export interface {name} {{"]
    docs = _field_docs(cls)
    for field in told.fields:
        mark = "?" if not field.required and (given or cls.__struct_config__.omit_defaults) else ""
        lines += _comment(docs.get(field.name, ""), "  ")
        lines += _member(f"readonly {field.encode_name}{mark}: ", _type(field.type, both), "  ")
    return "\n".join([*lines, "}", ""])


def _type(told: Any, both: set[type[Struct]]) -> str:
    match told:
        case kinds.Metadata():
            return _type(told.type, both)
        case kinds.StructType():
            return _name(told.cls) + (GIVEN if told.cls in both else "")
        case kinds.UnionType():
            return " | ".join(dict.fromkeys(_type(one, both) for one in told.types))
        case kinds.LiteralType():
            return " | ".join(f'"{value}"' for value in told.values)
        case kinds.ListType() | kinds.VarTupleType() | kinds.SetType() | kinds.FrozenSetType():
            item = _type(told.item_type, both)
            return f"readonly ({item})[]" if " " in item else f"readonly {item}[]"
        case kinds.TupleType():
            return f"readonly [{', '.join(_type(one, both) for one in told.item_types)}]"
        case kinds.DictType():
            return f"Readonly<Record<string, {_type(told.value_type, both)}>>"
        case _:
            return _PLAIN[type(told)]


_PLAIN: Final[dict[type, str]] = {
    kinds.AnyType: "unknown",
    kinds.BoolType: "boolean",
    kinds.FloatType: "number",
    kinds.IntType: "number",
    kinds.NoneType: "null",
    kinds.StrType: "string",
}


def _name(cls: type[Struct]) -> str:
    return _RENAMED.get(cls, cls.__name__)


def _member(head: str, kind: str, indent: str) -> list[str]:
    """A line of an interface, or a union one choice a line where it is too long, as Prettier has it."""
    line = f"{indent}{head}{kind};"
    if len(line) <= _LINE or " | " not in kind:
        return [line]
    choices = [f"{indent}  | {choice}" for choice in kind.split(" | ")]
    return [f"{indent}{head.rstrip()}", *choices[:-1], f"{choices[-1]};"]


def _comment(text: str, indent: str) -> list[str]:
    text = re.sub(r"\bNone\b", "null", text).replace("*/", "*\\/")
    line = f"{indent}/** {text} */"
    if not text or len(line) <= _LINE:
        return [line] if text else []
    return [
        f"{indent}/**",
        *(f"{indent} * {part}" for part in textwrap.wrap(text, _LINE - len(indent) - 3)),
        f"{indent} */",
    ]


def _first(doc: str, cls: type[Struct]) -> str:
    """The first sentence of a docstring; nothing where it is only the parent's."""
    if any(doc == (parent.__doc__ or "") for parent in cls.__mro__[1:]):
        return ""
    paragraph = " ".join(inspect.cleandoc(doc).partition("\n\n")[0].split())
    return re.split(r"(?<=[.;]) (?=[A-Z`])", paragraph)[0]


@cache
def _field_docs(cls: type[Struct]) -> dict[str, str]:
    """What stands below the fields of a struct and of those that it extends."""
    docs: dict[str, str] = {}
    for one in reversed(cls.__mro__):
        if one is not Struct and one.__module__.startswith("vestigo."):
            body = ast.parse(textwrap.dedent(inspect.getsource(one))).body[0]
            docs |= dict(_pairs(body))
    return docs


def _pairs(body: ast.stmt) -> Iterator[tuple[str, str]]:
    statements = body.body if isinstance(body, ast.ClassDef) else []
    for field, doc in itertools.pairwise(statements):
        told = isinstance(doc, ast.Expr) and isinstance(doc.value, ast.Constant) and isinstance(doc.value.value, str)
        if told and isinstance(field, ast.AnnAssign) and isinstance(field.target, ast.Name):
            yield field.target.id, " ".join(inspect.cleandoc(doc.value.value).split())  # type: ignore[union-attr]


# --- the maps of routes


def _gets(routes: list[Route]) -> str:
    lines = ["/** GET routes: what may be asked, and the answer. `project` is added by the client. */"]
    lines.append("export interface Gets {")
    for route in routes:
        if route.method == "GET" and route.answer is not None:
            lines += _entry(f'  "{_path(route)}": {{', _query(route), f"    answer: {_told(route.answer, set())};")
    return "\n".join([*lines, "}", ""])


def _sends(routes: list[Route], both: set[type[Struct]]) -> str:
    lines = ["/** Routes that change something, by method and path. */", "export interface Sends {"]
    for route in routes:
        if route.method != "GET":
            body = "undefined" if route.body is None else _told(route.body, both)
            answer = "void" if route.answer is None else _told(route.answer, set())
            head = f'  "{route.method} {_path(route)}": {{'
            lines += _entry(head, _query(route), f"    body: {body};", f"    answer: {answer};")
    return "\n".join([*lines, "}", ""])


def _entry(head: str, query: list[str], *rest: str) -> list[str]:
    return [head, *query, *rest, "  };"]


def _path(route: Route) -> str:
    return re.sub(r":\w+}", "}", route.path)


def _told(kind: Any, both: set[type[Struct]]) -> str:
    return _type(kinds.type_info(kind), both)


def _query(route: Route) -> list[str]:
    told = kinds.type_info(route.query) if route.query is not None else None
    if not isinstance(told, kinds.StructType) or not told.fields:
        return ["    query: {};"]
    lines = ["    query: {"]
    for field in told.fields:
        kind = _told_of_parameter(field.type)
        lines += _member(f"{field.encode_name}{'?' if not field.required else ''}: ", kind, "      ")
    return [*lines, "    };"]


def _told_of_parameter(told: Any) -> str:
    """No query string says null; a parameter that is undefined is not sent."""
    return _type(told, set()).replace(" | null", "")


if __name__ == "__main__":
    print(source(), end="")
