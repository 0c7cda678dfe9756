"""Codex' own spans; those made of its logs are in test_events.py."""

import json

from golden import FOLDER


def test_a_turn_counts_once_under_either_scope() -> None:
    """Of a turn and the answer below it exactly one is a leaf."""
    for scope in ("cli", "exec"):
        goldens = [json.loads(path.read_text()) for path in (FOLDER / "codex").glob(f"{scope}_*.json")]
        roles = [golden["normal"].get("usage_role", "leaf") for golden in goldens]
        assert len(roles) == 2
        assert roles.count("leaf") == 1
