"""Takes pictures of every page, light and dark, wide and narrow, with and without records: `make screenshots`.

All of them go to docs/images/page/all/, which git does not keep; the best few also to docs/images/page/, which it does.
`--only WORD` takes those whose name has the word. The server is the one of the browser tests, with the same records.
"""

import argparse
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "tests" / "page"))

import seed  # noqa: E402
from sites import site_on  # noqa: E402
from visits import CHROMIUM, NARROW, NO_CHROMIUM, PAGES, WIDE, Visit, launched  # noqa: E402

KEPT = ROOT / "docs" / "images" / "page"
BEST = ("traces-light", "trace-light", "trace-dark", "trace-10000-dark", "dash-light", "session-light", "compare-dark")
"""Wide ones, by name and theme."""
LARGEST_BYTES = 400_000
PAUSE_MS = 500  # the detail of a span is asked for once the hand rests


def pages(seeds: Any) -> Iterator[tuple[str, str, Callable[[Visit], None] | None]]:
    """(name, address, what to do there first)."""
    shop, empty = f"p/{seed.SHOP}", f"p/{seed.EMPTY}"
    for view in PAGES:
        yield view, f"{shop}/{view}?t=7d", None
        yield f"{view}-empty", f"{empty}/{view}", None
    yield "traces-live", f"{shop}/traces?t=1h&live=1", None
    yield "traces-peek", f"{shop}/traces?t=24h", lambda visit: visit.keys("j", "j", " ")
    yield (
        "traces-filter",
        f"{shop}/traces?t=24h",
        lambda visit: (visit.keys("/"), visit.page.keyboard.type("kind:llm mo")),
    )
    yield "traces-wrong", f"{shop}/traces?q=modle:x", None
    yield "trace", f"{shop}/traces/{seeds.run_80}", choose_call
    yield "trace-10000", f"{shop}/traces/{seeds.run_10000}", lambda visit: visit.keys(*["PageDown"] * 6, "m")
    yield "trace-failed", f"{shop}/traces/{seeds.failed}", lambda visit: visit.keys("e")
    yield "trace-open", f"{shop}/traces/{seeds.open}", None
    yield "trace-chat", f"{shop}/traces/{seeds.sessions[seeds.conversation][-1]}", choose_call
    yield "trace-none", f"{shop}/traces/{'9' * 32}", None
    yield "session", f"{shop}/sessions/{seeds.conversation}", None
    yield (
        "compare",
        f"{shop}/compare?a={seeds.first}&b={seeds.second}",
        lambda visit: visit.keys("o", "d", "d", "d", "Enter"),
    )
    yield "keys", f"{shop}/traces", lambda visit: visit.keys("?")
    yield "palette", f"{shop}/traces", lambda visit: visit.keys("Control+k")


def choose_call(visit: Visit) -> None:
    """The first model call of a trace, which has the most to show."""
    visit.keys("m", "m")


def take(site: Any, only: str) -> list[Path]:
    """Every picture whose name has the word; where they are."""
    taken = []
    with launched() as browser:
        for dark in (False, True):
            for size, width in ((WIDE, ""), (NARROW, "-narrow")):
                visit = Visit(browser, site.url, site.cookie, size=size, dark=dark)
                for name, path, first in pages(site.seeds):
                    file = KEPT / "all" / f"{name}-{'dark' if dark else 'light'}{width}.png"
                    if only not in file.stem:
                        continue
                    visit.open(path)
                    if first:
                        first(visit)
                        visit.page.wait_for_timeout(PAUSE_MS)
                        visit.settle()
                    visit.page.mouse.move(0, size[1] - 1)
                    visit.page.screenshot(path=file, animations="disabled", caret="hide")
                    taken.append(file)
                visit.close()
                taken += login(browser, site, only, size, f"{'dark' if dark else 'light'}{width}")
    return taken


def login(browser: Any, site: Any, only: str, size: tuple[int, int], how: str) -> list[Path]:
    file = KEPT / "all" / f"login-{how}.png"
    if only not in file.stem:
        return []
    visit = Visit(browser, site.url, None, size=size, dark="dark" in how)
    visit.open("login")
    visit.page.screenshot(path=file, animations="disabled", caret="hide")
    visit.close()
    return [file]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", default="", metavar="WORD", help="those whose name has it")
    given = parser.parse_args()
    if CHROMIUM is None:
        sys.exit(NO_CHROMIUM)
    (KEPT / "all").mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as place, site_on(Path(place)) as site:
        taken = take(site, given.only)
    for file in taken:
        if file.stem in BEST and file.stat().st_size <= LARGEST_BYTES:
            shutil.copy(file, KEPT / file.name)
    print(f"{len(taken)} pictures, {sum(file.stat().st_size for file in taken) / 1e6:.1f} MB, in {KEPT / 'all'}")


if __name__ == "__main__":
    main()
