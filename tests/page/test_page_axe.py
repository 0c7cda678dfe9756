"""Every page, empty and full, light and dark: axe-core finds nothing wrong."""

import pytest
from hostile import PROJECT as HOSTILE
from seed import EMPTY, SHOP
from visits import AXE, PAGES

pytestmark = pytest.mark.skipif(not AXE.exists(), reason="no axe-core here: `npm ci` in ui/ brings it")


def paths(seeds):
    """(name, path) of every page."""
    for project in (SHOP, EMPTY):
        for view in PAGES:
            yield f"{view} of {project}", f"p/{project}/{view}?t=all"
    yield "trace", f"p/{SHOP}/traces/{seeds.run_80}"
    yield "large trace", f"p/{SHOP}/traces/{seeds.run_10000}"
    yield "failed trace", f"p/{SHOP}/traces/{seeds.failed}"
    yield "open trace", f"p/{SHOP}/traces/{seeds.open}"
    yield "no trace", f"p/{SHOP}/traces/{'9' * 32}"
    yield "session", f"p/{SHOP}/sessions/{seeds.conversation}"
    yield "no session", f"p/{SHOP}/sessions/nobody"
    yield "compare", f"p/{SHOP}/compare?a={seeds.first}&b={seeds.second}"
    yield "bad filter", f"p/{SHOP}/traces?q=modle:x"
    yield "nothing found", f"p/{SHOP}/traces?q=user:nobody"
    yield "hostile traces", f"p/{HOSTILE}/traces?t=all"


COLOURS = ("color-contrast", "link-in-text-block")


@pytest.mark.parametrize(
    ("dark", "rules"),
    [pytest.param(False, (), id="light"), pytest.param(True, COLOURS, id="colours in dark"),
     pytest.param(True, (), id="dark", marks=pytest.mark.faults)],
)  # fmt: skip
def test_no_page_breaks_a_rule(visiting, site, dark, rules):
    """All pages in one window, so that the whole tour takes seconds; every violation of every page is told."""
    visit = visiting(dark=dark)
    visit.allow("status of 40[04]")
    found = {}
    visit.open("")
    for name, path in paths(site.seeds):
        if rules and path.startswith(f"p/{EMPTY}"):
            continue
        visit.go(path)
        for one in visit.axe(*rules):
            found.setdefault(one, []).append(name)
    assert not found, "\n".join(f"{one}\n  on {', '.join(names)}" for one, names in found.items())


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_the_login_breaks_no_rule(visiting, dark):
    visit = visiting(cookie=None, dark=dark)
    visit.allow("status of 40[13]")
    visit.open("login")
    assert visit.axe() == []


@pytest.mark.parametrize(
    "dark", [pytest.param(False, id="light"), pytest.param(True, id="dark", marks=pytest.mark.faults)]
)
def test_what_opens_over_a_page_breaks_no_rule(visiting, site, dark):
    """The key sheet, the palette, the completion of the filter, and each tab of a span."""
    visit = visiting(dark=dark)
    page = visit.open(f"p/{SHOP}/traces?t=all")
    found = []
    for name, keys in (("sheet", ["?"]), ("palette", ["Control+k"]), ("filter", ["/", "k", "i"])):
        visit.keys(*keys)
        visit.settle()
        found += [f"{name}: {one}" for one in visit.axe()]
        visit.keys("Escape", "Escape")
    page = visit.open(f"p/{SHOP}/traces/{site.seeds.run_80}")
    visit.keys("j", "j", "j")
    visit.settle()
    for number in range(page.get_by_role("tab").count()):
        page.get_by_role("tab").nth(number).click()
        visit.settle()
        found += [f"tab {number}: {one}" for one in visit.axe()]
    assert not found, "\n".join(found)
