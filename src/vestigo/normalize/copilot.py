"""GitHub Copilot CLI: gen_ai's names; its agent's span repeats the usage of the calls below it.

`github.copilot.cost` is a number of premium requests and no money, so it is no cost. Source: copilot 1.0.69.
"""

from typing import Final

from vestigo.normalize.genai import TABLE as GENAI
from vestigo.normalize.genai import messages
from vestigo.normalize.tables import read_table
from vestigo.record import NormalForm, Span

SCOPES: Final = ("github.copilot", "@github/copilot")
HEADS: Final = frozenset({"github"})

TABLE: Final = GENAI.extended("copilot", {"user_id": ("enduser.pseudo.id",)})


def recognises(span: Span) -> bool:
    """True under its scopes and for attributes `github.copilot.*`."""
    return span.scope.name.startswith(SCOPES) or any(name.startswith("github.copilot.") for name in span.attributes)


def read(span: Span) -> NormalForm:
    """The normal form by table."""
    return read_table(span, TABLE)


__all__ = ["HEADS", "SCOPES", "messages", "read", "recognises"]
