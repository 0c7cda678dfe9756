"""The stand-in for a provider is the one that the instrumentation's tests use."""

import sys
from pathlib import Path

sys.path.append(str(Path(__file__).parent.parent / "instrument"))
