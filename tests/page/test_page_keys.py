"""The key map: every action has a key, and no key acts while somebody types."""

import json
import re

import pytest
from hostile import PROJECT as HOSTILE
from playwright.sync_api import expect
from seed import SHOP

PRESSED, SELECTED = {"pressed": True}, "[aria-selected=true]"


@pytest.fixture
def trace(visit, site):
    """The page of a run of 80 spans, its tree focused."""
    page = visit.open(f"p/{SHOP}/traces/{site.seeds.run_80}")
    expect(page.get_by_role("tree", name="spans")).to_be_focused()
    return visit


def chosen(visit):
    """What the selected row of the tree or list says."""
    return visit.page.locator(f"[role=treeitem]{SELECTED}, [role=row]{SELECTED}").first


@pytest.mark.parametrize(
    ("keys", "view"),
    [("gt", "traces"), ("gs", "sessions"), ("go", "logs"), ("gd", "dash"), ("ge", "errors"), ("gc", "scores"),
     ("g,", "settings")],
)  # fmt: skip
def test_two_keys_go_to_a_place(visit, keys, view):
    start = "settings" if view == "traces" else "traces"
    visit.open(f"p/{SHOP}/{start}")
    visit.keys(*keys)
    visit.page.wait_for_url(re.compile(rf"/p/{SHOP}/{view}\b"))
    visit.settle()


def test_live_has_a_key_and_a_way(visit):
    page = visit.open(f"p/{SHOP}/traces")
    visit.keys("l")
    page.wait_for_url(re.compile("live=1"))
    visit.keys("l")
    expect(page.get_by_role("button", name="live", exact=True)).to_have_attribute("aria-pressed", "false")
    visit.keys("g", "l")
    page.wait_for_url(re.compile("live=1"))
    visit.settle()


def test_the_sheet_names_every_key_and_closes(visit):
    page = visit.open(f"p/{SHOP}/traces")
    visit.keys("?")
    sheet = page.get_by_role("dialog", name="Keys")
    for words in ("type a filter", "next error", "give this label", "compare the two selected", "critical path"):
        expect(sheet).to_contain_text(words)
    visit.keys("Escape")
    expect(sheet).to_have_count(0)


def test_no_key_acts_while_somebody_types(visit):
    """`g s`, `?` and `l` in the filter box are letters; Escape leaves it."""
    page = visit.open(f"p/{SHOP}/traces")
    visit.keys("/")
    box = page.get_by_role("combobox", name="filter")
    expect(box).to_be_focused()
    page.keyboard.type("gs?l")
    expect(box).to_have_value("gs?l")
    assert "/traces" in page.url
    assert "live" not in page.url
    expect(page.get_by_role("dialog")).to_have_count(0)


def test_a_filter_is_completed_and_sent_by_keys(visit):
    page = visit.open(f"p/{SHOP}/traces?t=all")
    visit.keys("/")
    page.keyboard.type("stat")
    expect(page.get_by_role("option").first).to_contain_text("status")
    visit.keys("ArrowDown", "Enter")
    box = page.get_by_role("combobox", name="filter")
    expect(box).to_have_value("status:")
    page.wait_for_timeout(150)  # the caret is set after the text
    page.keyboard.type("error")
    visit.keys("Enter")
    page.wait_for_url(re.compile(r"q=status"))
    visit.settle()
    expect(page.get_by_role("row").nth(1)).to_contain_text("failed")


def test_the_palette_goes_to_a_page_and_to_a_trace(visit, site):
    page = visit.open(f"p/{SHOP}/traces")
    visit.keys("Control+k")
    page.keyboard.type("sess")
    expect(page.get_by_role("option").first).to_contain_text("Sessions")
    visit.keys("Enter")
    page.wait_for_url(re.compile("/sessions"))
    visit.settle()
    visit.keys("Control+k")
    expect(page.get_by_role("dialog").get_by_role("combobox")).to_be_focused()
    page.keyboard.type(site.seeds.run_80)
    expect(page.get_by_role("option").first).to_contain_text(site.seeds.run_80)
    visit.keys("Enter")
    page.wait_for_url(re.compile(f"/traces/{site.seeds.run_80}"))
    visit.settle()


def test_a_list_is_walked_opened_and_compared_by_keys(visit):
    page = visit.open(f"p/{SHOP}/traces?t=all")
    visit.keys("j")
    first = chosen(visit).inner_text()
    visit.keys("j", "ArrowDown", "k")
    assert chosen(visit).inner_text() != first
    visit.keys("Home")
    assert chosen(visit).inner_text() == first
    visit.keys("PageDown")
    assert chosen(visit).inner_text() != first
    visit.keys("Home", " ")
    visit.settle()
    expect(page.get_by_role("link", name="Open")).to_be_visible()
    visit.keys("Escape")
    expect(page.get_by_role("link", name="Open")).to_have_count(0)
    visit.keys("x", "j", "x", "c")
    page.wait_for_url(re.compile("/compare"))
    page.go_back()
    visit.settle()
    visit.keys("j", "Enter")
    page.wait_for_url(re.compile("/traces/[0-9a-f]{32}"))
    visit.settle()


def test_a_tree_is_walked_and_folded_by_keys(trace):
    page = trace.page
    trace.keys("j", "j")
    expect(chosen(trace)).to_have_attribute("aria-level", "3")
    trace.keys("ArrowLeft")
    expect(chosen(trace)).to_have_attribute("aria-level", "2")
    expect(chosen(trace)).to_have_attribute("aria-expanded", "true")
    trace.keys("ArrowLeft")
    expect(chosen(trace)).to_have_attribute("aria-expanded", "false")
    trace.keys("ArrowRight", "ArrowRight")
    expect(chosen(trace)).to_have_attribute("aria-level", "3")
    trace.keys("Home")
    expect(chosen(trace)).to_have_attribute("aria-level", "1")
    trace.keys("Shift+ArrowLeft")
    expect(page.get_by_role("treeitem")).to_have_count(1)
    trace.keys("Shift+ArrowRight")
    expect(page.get_by_role("treeitem").nth(25)).to_be_visible()
    trace.keys("1")
    expect(page.get_by_role("treeitem").nth(25)).to_have_count(0)
    levels = page.eval_on_selector_all("[role=treeitem]", "all => all.map((one) => one.ariaLevel)")
    assert set(levels) <= {"1", "2"}
    trace.keys("9", "End", "Home", "PageDown", "PageUp")
    expect(chosen(trace)).to_have_attribute("aria-level", "1")


def test_errors_model_calls_and_matches_have_keys(trace):
    page = trace.page
    trace.keys("e")
    expect(chosen(trace)).to_contain_text("✕")
    trace.keys("m")
    expect(chosen(trace)).to_contain_text("chat ")
    first = chosen(trace).inner_text()
    trace.keys("m")
    trace.keys("M")
    assert chosen(trace).inner_text() == first
    trace.keys("/")
    box = page.get_by_role("searchbox", name="find in this trace")
    expect(box).to_be_focused()
    page.keyboard.type("kind:embedding")
    trace.keys("Enter")
    trace.settle()
    page.get_by_role("tree").focus()
    trace.keys("Home", "n")
    expect(chosen(trace)).to_contain_text("embeddings")


def test_the_time_axis_has_keys(trace):
    """Zoom to the span, out, in, the whole; follow; the critical path: all of it in the address."""
    page = trace.page
    trace.keys("j", "z")
    page.wait_for_url(re.compile(r"w=\d+-\d+"))
    zoomed = page.url
    trace.keys("-")
    page.wait_for_function("before => location.href !== before", arg=zoomed)
    trace.keys("+", "0")
    page.wait_for_url(lambda url: "w=" not in url)
    trace.keys("f")
    page.wait_for_url(re.compile("f=[01]"))
    trace.keys("p")
    expect(page.get_by_role("button", name="Critical path", **PRESSED)).to_be_visible()
    trace.keys("z", "Escape")
    page.wait_for_url(lambda url: "w=" not in url)


def test_the_detail_has_keys(trace):
    """Tabs with brackets, from tree to detail and back with t, a score with a."""
    page = trace.page
    trace.keys("m")
    trace.settle()
    selected = page.get_by_role("tab", selected=True)
    expect(page.get_by_role("tabpanel")).to_contain_text("assistant")
    expect(selected).to_contain_text("Chat")
    trace.keys("]")
    expect(selected).to_contain_text("Raw")
    trace.keys("[")
    expect(selected).to_contain_text("Chat")
    trace.keys("t")
    expect(page.locator("#detail-panel, #detail-panel *").locator("visible=true").first).to_be_visible()
    assert page.evaluate("document.getElementById('detail-panel').contains(document.activeElement)")
    trace.keys("t")
    expect(page.get_by_role("tree", name="spans")).to_be_focused()
    trace.keys("a")
    expect(selected).to_contain_text("Scores")


def test_the_neighbours_in_the_list_have_keys(visit, site):
    page = visit.open(f"p/{SHOP}/traces?t=all&q=user:user-slow")
    page.get_by_role("row").nth(2).get_by_role("link").first.click()
    page.wait_for_url(re.compile("0000001e"))
    where = page.get_by_role("navigation", name="traces of the list")
    expect(where).to_contain_text("2 of 3")
    visit.settle()
    visit.keys("J")
    page.wait_for_url(re.compile(site.seeds.slowest))
    expect(where).to_contain_text("3 of 3")
    visit.settle()
    visit.keys("K")
    page.wait_for_url(re.compile("0000001e"))
    visit.settle()


def test_a_span_and_a_link_are_copied_by_keys(visiting, site):
    visit = visiting(permissions=["clipboard-read", "clipboard-write"])
    page = visit.open(f"p/{SHOP}/traces/{site.seeds.run_80}?t=24h")
    visit.keys("m")
    visit.settle()
    visit.keys("y")
    expect(page.get_by_text("span copied as JSON")).to_be_visible()
    span = json.loads(page.evaluate("navigator.clipboard.readText()"))
    assert site.seeds.run_80 in json.dumps(span)
    visit.keys("Y")
    page.wait_for_timeout(200)
    link = page.evaluate("navigator.clipboard.readText()")
    assert link.startswith(visit.url)
    assert re.search(r"t=\d+-\d+", link), "a relative time became absolute"


def test_keys_work_over_hostile_names(visit):
    """Names that mean something to JavaScript do not confuse tree and keys."""
    page = visit.open(f"p/{HOSTILE}/traces/{'f' * 32}")
    page.get_by_role("treeitem").first.wait_for()
    visit.keys("End", "ArrowLeft", "ArrowLeft", "Home", "e", "m", "1", "9")
    visit.settle()
    expect(chosen(visit)).to_be_visible()
