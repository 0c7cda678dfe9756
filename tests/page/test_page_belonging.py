"""What is shown belongs to who looks and where: nothing of another project, account, question or text stays."""

import json
import re
import time

from playwright.sync_api import expect
from seed import ANN, EMPTY, SHOP

from vestigo.server.accounts import Accounts

WATCH = """new MutationObserver(() => {
  const row = document.querySelector("[role=row] b");
  if (row) window.__tell(row.textContent);
}).observe(document, {subtree: true, childList: true})"""
BOB = "bob", "a-long-passphrase-of-bob"


def one_span(number, name):
    start = time.time_ns()
    return {
        "resourceSpans": [{"scopeSpans": [{"spans": [{
            "traceId": f"{number:032x}", "spanId": f"{number:016x}", "name": name,
            "startTimeUnixNano": str(start), "endTimeUnixNano": str(start + 1_000_000),
        }]}]}]
    }  # fmt: skip


def send(site, project, number, name):
    with site.running.client() as client:
        answer = client.post(
            "/v1/traces", content=json.dumps(one_span(number, name)),
            headers={"content-type": "application/json", "x-vestigo-project": project},
        )  # fmt: skip
        assert answer.status_code == 200, answer.text


def test_arrivals_of_one_project_are_not_shown_in_another(visit, site):
    page = visit.open(f"p/{SHOP}/traces?live=1")
    expect(page.get_by_text(re.compile("live, "))).to_be_visible()
    page.mouse.move(700, 5)
    send(site, SHOP, 0xBEEF1, "only-in-shop")
    expect(page.get_by_role("link", name="only-in-shop")).to_be_visible()
    visit.go(f"p/{EMPTY}/traces?live=1")
    expect(page.get_by_role("link", name="only-in-shop")).to_have_count(0)
    expect(page.get_by_text(re.compile("live, "))).to_be_visible()
    send(site, SHOP, 0xBEEF2, "also-in-shop")
    page.wait_for_timeout(600)
    expect(page.get_by_role("link", name="also-in-shop")).to_have_count(0)


def test_a_list_that_is_read_again_has_what_arrived_once(visit, site):
    page = visit.open(f"p/{SHOP}/traces?live=1")
    expect(page.get_by_text(re.compile("live, "))).to_be_visible()
    page.mouse.move(700, 5)
    send(site, SHOP, 0xBEEF3, "arrived-once")
    expect(page.get_by_role("link", name="arrived-once")).to_have_count(1)
    visit.go(f"p/{SHOP}/traces?live=1&t=1h")
    expect(page.get_by_role("link", name="arrived-once")).to_have_count(1)


def test_all_of_time_after_a_minute(visit):
    """The buckets of an hour are seconds wide; until its beginning is known, all of time has millions of them."""
    now = int(time.time() * 1000)
    page = visit.open(f"p/{SHOP}/traces?t={now - 3_600_000}-{now}")
    expect(page.locator(".histogram")).to_be_visible()
    visit.go(f"p/{SHOP}/traces?t=all")
    expect(page.locator(".histogram")).to_be_visible()


def test_escape_takes_back_what_was_typed(visit):
    page = visit.open(f"p/{SHOP}/traces?t=all&q=kind:llm")
    box = page.get_by_role("combobox", name="filter")
    box.click()
    box.press("End")
    box.press_sequentially(" user:u1 ")
    visit.settle()
    visit.keys("Escape", "Escape")
    visit.settle()
    assert "user" not in page.url, page.url
    expect(box).to_have_value("kind:llm")


def test_up_from_the_first_suggestion_leaves_the_suggestions(visit):
    page = visit.open(f"p/{SHOP}/traces?t=all")
    box = page.get_by_role("combobox", name="filter")
    box.click()
    box.press_sequentially("sta")
    expect(page.get_by_role("option").first).to_be_visible()
    visit.keys("ArrowDown", "ArrowUp")
    assert box.get_attribute("aria-activedescendant") is None


def test_who_logs_in_after_somebody_sees_nothing_of_theirs(visiting, site):
    accounts = Accounts(site.running.data_dir / "accounts.db")
    if not accounts.has_user(BOB[0]):
        accounts.add_user(*BOB, {EMPTY: "viewer"})
    accounts.close()
    visit = visiting(cookie=None)
    visit.allow("401", "403", "status of 40")
    page = visit.open(f"p/{SHOP}/errors?t=all")

    def enter(user, password):
        page.get_by_label("user").fill(user)
        page.get_by_label("password").fill(password)
        page.get_by_role("button", name="Log in", exact=True).click()

    enter(*ANN)
    expect(page.get_by_role("row").nth(1)).to_be_visible()
    visit.settle()
    visit.context.clear_cookies()  # as when the session ends
    page.get_by_role("link", name="Sessions").click()
    expect(page.get_by_label("password")).to_be_visible()
    visit.go(f"p/{SHOP}/errors?t=all")
    expect(page.get_by_label("password")).to_be_visible()
    seen = []
    page.expose_function("__tell", lambda text: seen.append(text))  # noqa: PLW0108  Playwright marks what it is given
    page.context.add_init_script(WATCH)
    page.evaluate(WATCH)
    enter(*BOB)
    expect(page.locator(".failure")).to_be_visible()
    visit.settle()
    assert not seen


def test_logging_out_ends_the_page(visiting):
    visit = visiting(cookie=None)
    visit.allow("401", "status of 40")
    page = visit.open(f"p/{SHOP}/errors?t=all")
    page.get_by_label("user").fill(ANN[0])
    page.get_by_label("password").fill(ANN[1])
    page.get_by_role("button", name="Log in", exact=True).click()
    expect(page.get_by_role("row").nth(1)).to_be_visible()
    page.evaluate("window.__before = true")
    page.get_by_role("button", name=re.compile("account and look")).click()
    page.get_by_role("menuitem", name="log out").click()
    expect(page.get_by_label("password")).to_be_visible()
    page.wait_for_function("window.__before === undefined")
    expect(page.get_by_label("password")).to_be_visible()
