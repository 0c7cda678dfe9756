"""The address is the state: each one restores its view, below any path, after a login, on the way back."""

import re
import shutil

import pytest
import seed
from playwright.sync_api import expect
from prefix import below
from seed import ANN, SHOP
from sites import server_on
from visits import PAGES, cookie_of

TITLES = {
    "traces": "Traces", "sessions": "Sessions", "logs": "Logs", "dash": "Dashboards", "errors": "Errors",
    "scores": "Scores", "queue": "Annotate", "settings": "Settings",
}  # fmt: skip


@pytest.mark.parametrize("view", PAGES)
def test_each_address_is_its_view(visit, view):
    """A view opened by its address stays there and has its name in the title."""
    page = visit.open(f"p/{SHOP}/{view}?t=all")
    assert re.search(rf"/p/{SHOP}/{view}\b", page.url)
    expect(page).to_have_title(re.compile(TITLES[view], re.IGNORECASE))


def test_the_bare_address_leads_to_the_traces(visit):
    page = visit.open("")
    page.wait_for_url(re.compile(r"/p/[^/]+/traces"))


@pytest.mark.parametrize("takes_off", [True, False], ids=["taken off", "left on"])
def test_it_works_below_a_path(visiting, site, tmp_path, takes_off):
    """Behind a proxy that adds a path: every request stays below it, and links lead below it."""
    prefix = "/tools/vestigo"
    data = tmp_path / "data"
    shutil.copytree(site.running.data_dir, data, ignore=shutil.ignore_patterns("own.log"))
    running = server_on(data, "--set", f"root_path={prefix}").start()
    try:
        with below(prefix, running.port, takes_off=takes_off) as url:
            visit = visiting(url, cookie=cookie_of(data))
            for path in ("", f"p/{SHOP}/traces?t=all", f"p/{SHOP}/traces/{site.seeds.run_80}", f"p/{SHOP}/dash"):
                page = visit.open(path)
                page.wait_for_url(f"{url}/p/**")
                links = page.evaluate("[...document.querySelectorAll('a[href]')].map((one) => one.href)")
                own = [link for link in links if link.startswith(visit.origin)]
                assert own
                assert all(link.startswith(url) for link in own), own
            asked = {request.url for request in visit.requests if request.url.startswith("http")}
            assert all(one.startswith(url) for one in asked), sorted(asked)
            visit.check()
    finally:
        running.stop()


def test_back_and_forward_restore_what_was_seen(visit, site):
    page = visit.open(f"p/{SHOP}/traces?t=all&q=user:{seed.traffic.SLOW_USER}")
    first = page.url
    page.get_by_role("row").nth(1).get_by_role("link").first.click()
    page.wait_for_url(re.compile("/traces/[0-9a-f]{32}"))
    visit.settle()
    second = page.url
    page.go_back()
    visit.settle()
    assert page.url == first
    expect(page.get_by_role("combobox", name=re.compile("filter", re.IGNORECASE))).to_have_value(
        f"user:{seed.traffic.SLOW_USER}"
    )
    page.go_forward()
    visit.settle()
    assert page.url == second
    expect(page.get_by_role("treeitem").first).to_be_visible()


@pytest.mark.parametrize(
    ("path", "words"),
    [(f"p/{SHOP}/traces/{'9' * 32}", "no such trace"), (f"p/{SHOP}/traces/nonsense", "no such trace"),
     (f"p/{SHOP}/sessions/nobody", "nobody"), (f"p/{SHOP}/traces?q=modle:x", "did you mean"),
     ("p/nothing-here/traces?t=all", "nothing-here")],
)  # fmt: skip
def test_what_there_is_not_is_said_in_words(visit, path, words):
    """Unknown traces, sessions, projects and mistakes in a filter: never a blank page."""
    visit.allow("status of 40[04]")
    page = visit.open(path)
    expect(page.locator("body")).to_contain_text(re.compile(words, re.IGNORECASE))


def test_an_ended_session_leads_to_the_login_and_back(visiting, site):
    """Whoever is asked to log in comes back to where they were."""
    visit = visiting(cookie=None)
    visit.allow("status of 40[13]")
    path = f"p/{SHOP}/traces/{site.seeds.run_80}"
    page = visit.open(path)
    page.get_by_label(re.compile("user|name", re.IGNORECASE)).first.fill(ANN[0])
    page.get_by_label(re.compile("password", re.IGNORECASE)).fill(ANN[1])
    page.keyboard.press("Enter")
    page.wait_for_url(re.compile(path))
    expect(page.get_by_role("treeitem").first).to_be_visible()


def test_a_wrong_password_is_told(visiting):
    visit = visiting(cookie=None)
    visit.allow("status of 40[13]")
    page = visit.open("login")
    page.get_by_label(re.compile("user|name", re.IGNORECASE)).first.fill("ann")
    page.get_by_label(re.compile("password", re.IGNORECASE)).fill("not hers")
    page.keyboard.press("Enter")
    expect(page.get_by_role("alert")).to_contain_text("wrong")


def test_without_a_network_the_page_says_so(visit):
    """Offline: what is there stays, and the page says that the server does not answer."""
    visit.allow("ERR_INTERNET_DISCONNECTED", "Failed to fetch")
    page = visit.open(f"p/{SHOP}/traces?t=all")
    expect(page.get_by_role("row").nth(3)).to_be_visible()
    visit.context.set_offline(True)
    page.get_by_role("link", name="Sessions").click()
    expect(page.locator("body")).to_contain_text(
        re.compile("does not answer|offline|no answer|cannot reach|still running", re.IGNORECASE)
    )
    visit.context.set_offline(False)
    page.go_back()
    expect(page.get_by_role("row").nth(3)).to_be_visible()


def test_what_is_written_arrives_live(visit, site):
    """A trace that a program writes stands in the list of a window that is open."""
    from vestigo import Tracer

    page = visit.open(f"p/{SHOP}/traces?t=15m&live=1")
    tracer = Tracer("live", site.url, project=SHOP, api_key=site.running.key,
                    data_dir=str(site.running.data_dir / "live"))  # fmt: skip
    with tracer.trace("arrived just now", attributes={"user.id": "live-user"}):
        pass
    assert tracer.flush(30)
    tracer.close()
    expect(page.get_by_role("row").filter(has_text="arrived just now")).to_be_visible(timeout=15_000)
