"""Logs at the page: found by level and attribute, read beside the list, followed to their span, held while read."""

import re

from playwright.sync_api import expect
from seed import EMPTY, SHOP


def logs(visit, query="t=all"):
    page = visit.open(f"p/{SHOP}/logs?{query}")
    expect(page.get_by_role("row").nth(1)).to_be_visible()
    return page


def chosen(visit, query):
    """The page with its first record open."""
    page = logs(visit, query)
    visit.keys("j")
    expect(page.locator("[aria-selected=true]")).to_have_count(1)
    visit.keys("Enter")
    return page


def test_a_level_is_one_click(visit):
    """The chip is a term of the filter, in the address; another click takes it out again."""
    page = logs(visit)
    page.get_by_role("button", name=re.compile("ERROR")).click()
    visit.settle()
    assert "q=level%3E%3Derror" in page.url
    levels = page.locator(".body .level").all_inner_texts()
    assert levels
    assert all("ERROR" in level or "FATAL" in level for level in levels)
    page.get_by_role("button", name=re.compile("ERROR")).click()
    visit.settle()
    assert "q=" not in page.url


def test_a_record_is_read_beside_the_list_by_keys(visit):
    """j and Space open it, j goes on, the address holds it, Esc closes it."""
    page = logs(visit)
    visit.keys("j", " ")
    detail = page.get_by_role("region", name="the chosen log")
    expect(detail).to_be_visible()
    first = page.url
    assert "log=" in first
    visit.keys("j")
    page.wait_for_function("(before) => location.href !== before", arg=first)
    said = detail.locator(".facts").inner_text()
    page.reload()
    visit.settle()
    assert detail.locator(".facts").inner_text() == said
    visit.keys("Escape")
    expect(detail).to_have_count(0)
    assert "log=" not in page.url


def test_an_attribute_filters_by_a_click_and_leaves_out_with_alt(visit):
    page = chosen(visit, "t=all&q=attr.code.function.name%3Aanswer")
    value = page.locator(".attribute").filter(has_text="code.function.name").get_by_role("button", name="answer")
    value.click()
    visit.settle()
    assert "attr.code.function.name%3Danswer" in page.url
    value.click(modifiers=["Alt"])
    visit.settle()
    assert "-attr.code.function.name" in page.url


def test_a_record_leads_to_its_span(visit):
    page = chosen(visit, "t=all&q=attr.code.function.name%3Aanswer")
    page.get_by_role("region", name="the chosen log").get_by_role("link", name=re.compile("span .* of trace")).click()
    page.wait_for_url(re.compile(r"/traces/[0-9a-f]{32}\?.*span=[0-9a-f]{16}"))


def test_all_of_it_is_scrolled_with_few_elements(visit):
    """To the end, which is said; the document stays small."""
    page = logs(visit)
    for _ in range(400):
        page.locator(".logs .scroller").evaluate("(one) => { one.scrollTop = one.scrollHeight; }")
        visit.settle()
        if page.get_by_text("no more logs in this window").count():
            break
    expect(page.get_by_text("no more logs in this window")).to_be_visible()
    assert visit.nodes() < 1_500


def test_a_dragged_piece_of_the_chart_is_the_window(visit):
    page = logs(visit, "t=7d")
    box = page.locator(".histogram .bars").bounding_box()
    page.mouse.move(box["x"] + box["width"] * 0.8, box["y"] + 10)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] * 0.95, box["y"] + 10, steps=4)
    page.mouse.up()
    visit.settle()
    assert re.search(r"t=\d{13}-\d{13}", page.url)
    page.go_back()
    visit.settle()
    assert "t=7d" in page.url


def test_what_arrives_is_held_while_it_is_read(visit, site):
    """Rows come by themselves; with the mouse over the list they wait, and are counted."""
    from vestigo import LLMLogger, Tracer

    page = visit.open(f"p/{SHOP}/logs?t=15m&live=1")
    page.mouse.move(3, 3)
    tracer = Tracer("live-logs", site.url, project=SHOP, api_key=site.running.key,
                    data_dir=str(site.running.data_dir / "live-logs"))  # fmt: skip
    logger = LLMLogger("live-logs", tracer=tracer, path=str(site.running.data_dir / "live.log"))
    try:
        logger.info("it has arrived")
        assert tracer.flush(30)
        expect(page.get_by_role("row").filter(has_text="it has arrived")).to_be_visible(timeout=15_000)
        page.locator(".logs .scroller").hover()
        logger.info("one that waits")
        assert tracer.flush(30)
        waiting = page.get_by_role("button", name=re.compile("1 new"))
        expect(waiting).to_be_visible(timeout=15_000)
        expect(page.get_by_role("row").filter(has_text="one that waits")).to_have_count(0)
        waiting.click()
        expect(page.get_by_role("row").filter(has_text="one that waits")).to_be_visible()
    finally:
        tracer.close()


def test_without_logs_the_page_tells_how_to_send_them(visit):
    page = visit.open(f"p/{EMPTY}/logs?t=all")
    code = page.locator("pre").first
    expect(code).to_contain_text("VestigoHandler(tracer)")
    expect(code).to_contain_text(visit.origin)
