"""Codex' own spans; those made of its logs are in test_events.py."""

import json

from golden import FOLDER

from vestigo.normalize import normalize
from vestigo.record import Scope, Span


def test_a_duplicate_of_a_turn_has_no_response_of_its_own() -> None:
    """Else it would count as the only report of its response, besides the turn."""
    attributes = {"gen_ai.response.id": "resp_1", "gen_ai.usage.input_tokens": 9}
    told = {scope: normalize(Span("a" * 32, "b" * 16, "handle_responses", 1, attributes=attributes, scope=Scope(scope)))
            for scope in ("codex_cli_rs", "codex_exec")}  # fmt: skip
    assert [(form.usage_role, form.response_id) for form in told.values()] == [("duplicate", None), ("leaf", "resp_1")]


def test_a_turn_counts_once_under_either_scope() -> None:
    """Of a turn and the answer below it exactly one is a leaf."""
    for scope in ("cli", "exec"):
        goldens = [json.loads(path.read_text()) for path in (FOLDER / "codex").glob(f"{scope}_*.json")]
        roles = [golden["normal"].get("usage_role", "leaf") for golden in goldens]
        assert len(roles) == 2
        assert roles.count("leaf") == 1
