"""Everything shown is hostile text: nothing of it runs, loads, leads away or changes the page."""

from urllib.parse import quote

import hostile
import pytest
from corpus import payloads, sample
from visits import PAGES

PROJECT = hostile.PROJECT
HARM = """() => {
  const bad = [];
  for (const link of document.querySelectorAll("a[href], area[href]")) {
    const url = new URL(link.getAttribute("href"), document.baseURI);
    if (!["http:", "https:", "mailto:"].includes(url.protocol)) bad.push(`link ${link.outerHTML.slice(0, 200)}`);
    if (url.origin !== location.origin && !/noopener/.test(link.rel)) bad.push(`rel ${link.outerHTML.slice(0, 200)}`);
  }
  for (const element of document.querySelectorAll("[src], [srcset], [data], [poster], [background], [xlink\\\\:href]"))
    for (const name of ["src", "srcset", "data", "poster", "background", "xlink:href"]) {
      const value = element.getAttribute(name);
      if (value === null) continue;
      const own = new URL(value, document.baseURI);
      const inert = own.protocol === "data:" && /^data:image\\/(png|jpeg|gif|webp|avif)[;,]/.test(value);
      if (own.origin !== location.origin && !inert) bad.push(`source ${element.outerHTML.slice(0, 200)}`);
    }
  for (const name of ["iframe", "frame", "object", "embed", "base", "portal", "form[action]", "style",
                      "meta[http-equiv]", "svg script", "body script", "animate", "foreignObject", "template", "math"])
    for (const element of document.querySelectorAll(name)) bad.push(`element ${element.outerHTML.slice(0, 200)}`);
  for (const element of document.querySelectorAll("*"))
    for (const attribute of element.attributes)
      if (/^on/i.test(attribute.name)) bad.push(`handler ${element.outerHTML.slice(0, 200)}`);
  for (const name of ["owned", "polluted"]) if (name in {}) bad.push(`every object has ${name}`);
  return bad;
}"""
SCROLLED = """async () => {
  const areas = [...document.querySelectorAll("*")].filter((one) => one.scrollHeight > one.clientHeight + 20
    && /auto|scroll/.test(getComputedStyle(one).overflowY));
  for (const area of areas)
    for (let at = 0; at < Math.min(area.scrollHeight, 20000); at += Math.max(area.clientHeight - 40, 40)) {
      area.scrollTop = at;
      await new Promise((done) => requestAnimationFrame(() => setTimeout(done, 0)));
    }
}"""


def look_over(visit):
    """Scroll through everything; nothing harmful is in the document, nothing happened."""
    visit.page.evaluate(SCROLLED)
    harm = visit.page.evaluate(HARM)
    assert not harm, "\n".join(harm[:10])
    visit.check()


def test_the_corpus_is_large_and_of_all_sorts():
    """At least 200 payloads, each another text, each of which tells its number where it can."""
    found = payloads()
    assert len(found) >= 200
    assert len({payload.text for payload in found}) == len(found)
    assert len({payload.sort for payload in found}) >= 12


@pytest.mark.parametrize("view", PAGES)
def test_no_list_runs_what_it_shows(visit, view):
    """Each view over the hostile project, scrolled to its end."""
    visit.open(f"p/{PROJECT}/{view}?t=all")
    look_over(visit)


FEW_AND_MANY = [pytest.param(48, id="few"), pytest.param(16, id="many", marks=pytest.mark.faults)]


# every payload is looked at in the trace of all of them, below; here are all tabs of some
@pytest.mark.parametrize("every", [pytest.param(130, id="few"), pytest.param(32, id="many", marks=pytest.mark.faults)])
def test_no_trace_runs_what_it_shows(visit, every):
    """Traces of one payload each: every span, every tab."""
    visit.open(f"p/{PROJECT}/traces")
    for payload in sample(every):
        visit.go(f"p/{PROJECT}/traces/{hostile.trace_of(payload.number)}")
        for _ in range(5):
            visit.keys("j")
            visit.settle()
            look_over_tabs(visit)


def look_over_tabs(visit):
    for number in range(visit.page.get_by_role("tab").count()):
        visit.page.get_by_role("tab").nth(number).click()
        visit.settle()
        open_all(visit)
        look_over(visit)


def open_all(visit):
    """Open what is folded, and press what shows Markdown or an image."""
    visit.page.evaluate("for (const one of document.querySelectorAll('details:not([open])')) one.open = true;")
    for name in ("Show image", "Markdown", "Show"):
        buttons = visit.page.get_by_role("button", name=name, exact=True)
        for number in range(min(buttons.count(), 4)):
            if buttons.nth(number).is_visible():
                buttons.nth(number).click()


@pytest.mark.faults
@pytest.mark.parametrize("key", ["m", "e"], ids=["calls", "errors"])
def test_no_span_of_all_runs_what_it_shows(visit, key):
    """One trace with every payload in each field: every model call, and every error, with its detail."""
    page = visit.open(f"p/{PROJECT}/traces/{hostile.TOGETHER}")
    page.get_by_role("treeitem").first.wait_for()
    visit.keys("Home")
    for step in range(len(payloads())):
        visit.keys(key)
        page.wait_for_timeout(200)  # keys that come faster than this skip the detail
        if step % 3 == 0:
            visit.keys("]")
        if step % 25 == 0:
            visit.settle()
            open_all(visit)
            look_over(visit)
    look_over(visit)


@pytest.mark.parametrize("every", [pytest.param(130, id="few"), FEW_AND_MANY[1]])
def test_no_address_runs_what_it_says(visit, every):
    """A payload as filter, time, project, trace id and session id of a link that somebody else made."""
    visit.allow(r"status of (400|403|404|414|431)", "net::ERR")
    for payload in sample(every):
        text = quote(payload.text[:1_000], safe="")
        for path in (
            f"p/shop/traces?q={text}&t={text}&order={text}&live={text}&span={text}&tab={text}",
            f"p/{text}/traces", f"p/shop/traces/{text}?span={text}&tab={text}&w={text}",
            f"p/{PROJECT}/sessions/{text}", f"p/shop/compare?a={text}&b={text}", f"login?next={text}",
        ):  # fmt: skip
            visit.open(path)
            look_over(visit)
            assert visit.page.url.startswith(visit.url)


@pytest.mark.parametrize("view", ["sessions", "compare"])
@pytest.mark.parametrize("every", FEW_AND_MANY)
def test_no_other_view_runs_what_it_shows(visit, view, every):
    """Hostile sessions, and hostile traces side by side."""
    visit.allow("status of 4(04|14|31)")
    visit.open(f"p/{PROJECT}/traces")
    for payload in sample(every):
        a, b = hostile.trace_of(payload.number), hostile.trace_of((payload.number + 1) % len(payloads()))
        path = f"sessions/{quote(payload.text[:1_500], safe='')}" if view == "sessions" else f"compare?a={a}&b={b}"
        visit.go(f"p/{PROJECT}/{path}")
        look_over(visit)
