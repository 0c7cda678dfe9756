"""Scores, the queue and the comparison: answers by keys alone, none lost, and what differs between two runs."""

import re

import hostile
import httpx
import pytest
from playwright.sync_api import expect
from seed import ANN, EMPTY, SHOP

from vestigo.server.accounts import Accounts

QUEUE = f"p/{SHOP}/queue?q=has%3Aoutput&t=all&labels=good,bad,unsure&name="


def session_of(site, name, password):
    """The cookie of somebody who has logged in."""
    headers = {"X-Vestigo": "1", "Origin": site.url}
    answer = httpx.post(f"{site.url}/api/login", json={"user": name, "password": password}, headers=headers, timeout=60)
    assert answer.status_code == 204, answer.text
    return answer.cookies["vestigo_session"]


@pytest.fixture
def ann(visiting, site):
    return visiting(cookie=session_of(site, *ANN))


def stored(site, name):
    """Scores of a name, the newest first."""
    with site.running.client() as client:
        found = client.get("/api/scores", params={"project": SHOP, "name": name, "limit": 1_000})
        return found.json()["items"]


def begun(visit, name):
    page = visit.open(QUEUE + name)
    expect(page.get_by_role("region", name="the conversation").locator(".turn").first).to_be_visible()
    return page


def test_twenty_answers_are_given_by_keys_only(ann, site):
    """From the form to the last one, without a mouse and without waiting; each is one score by who gave it."""
    page = ann.open(f"p/{SHOP}/queue?q=has%3Aoutput&t=all")
    page.get_by_label("Name of the score").focus()
    page.keyboard.type("twenty")
    ann.keys("Enter")
    expect(page.locator(".queue-trace .turn").first).to_be_visible()
    for number in range(20):
        if number == 3:
            ann.keys("1", "i")
            page.keyboard.type("too long")
            ann.keys("Enter")
        else:
            ann.keys(str(1 + number % 3), "s" if number % 2 else "Enter")
    ann.settle()
    found = stored(site, "twenty")
    assert len({row["trace_id"] for row in found}) == len(found) == 20
    assert {row["author"] for row in found} == {f"user:{ANN[0]}"}
    assert {row["label"] for row in found} == {"good", "bad", "unsure"}
    assert [row["comment"] for row in found if row["comment"]] == ["too long"]
    expect(page.get_by_text("20 labelled by you today")).to_be_visible()


def test_what_has_its_answer_is_not_asked_again(ann, site):
    """After loading anew the queue begins with what has none; going back before that changes an answer."""
    page = begun(ann, "again")
    first = page.locator(".queue-trace").inner_text()
    ann.keys("1", "s", "b")
    expect(page.get_by_text("the newest of yours counts")).to_be_visible()
    ann.keys("2", "s")
    ann.settle()
    assert [row["label"] for row in stored(site, "again")] == ["bad", "good"]
    ann.open(QUEUE + "again")
    expect(page.locator(".queue-trace .turn").first).to_be_visible()
    assert page.locator(".queue-trace").inner_text() != first


def test_an_answer_that_cannot_be_saved_is_told_and_kept(ann, site):
    """It stays while one goes on and looks elsewhere, and is sent when the server is back."""
    ann.allow("ERR_FAILED", "Failed to load")
    page = begun(ann, "kept")
    page.route("**/api/scores?*", lambda route: route.abort() if route.request.method == "POST" else route.continue_())
    ann.keys("1", "s")
    expect(page.get_by_role("alert")).to_contain_text("1 answer is not saved")
    ann.go(f"p/{SHOP}/scores?t=all")
    ann.go(QUEUE + "kept")
    expect(page.get_by_role("alert")).to_contain_text("1 answer is not saved")
    assert stored(site, "kept") == []
    page.unroute("**/api/scores?*")
    page.get_by_role("button", name="Send again").click()
    expect(page.get_by_role("alert")).to_have_count(0)
    assert [row["label"] for row in stored(site, "kept")] == ["good"]


def test_who_may_only_read_sees_why_nothing_is_saved(visiting, site):
    accounts = Accounts(site.running.data_dir / "accounts.db")
    if not accounts.has_user("reader"):
        accounts.add_user("reader", "a-long-passphrase-of-reader", {"*": "viewer"})
    accounts.close()
    visit = visiting(cookie=session_of(site, "reader", "a-long-passphrase-of-reader"))
    page = begun(visit, "refused")
    expect(page.get_by_role("note")).to_contain_text(f"vestigo user role reader {SHOP}:member")
    expect(page.get_by_role("button", name="good")).to_be_disabled()
    visit.keys("1", "s")
    visit.settle()
    assert stored(site, "refused") == []


def test_an_order_by_seed_is_the_same_for_everybody(visiting):
    """The address holds all of it."""
    places = []
    for _ in range(2):
        visit = visiting()
        page = begun(visit, "mixed&order=random&seed=7")
        visit.keys("n", "n")
        page.wait_for_url(re.compile("at="))
        places.append(page.url)
    assert places[0] == places[1]


def test_scores_lead_to_their_traces(visit):
    """By a bar of the spread, by a row; a click on a value filters, a name is one."""
    page = visit.open(f"p/{SHOP}/scores?t=all&name=helpful")
    expect(page.get_by_role("article", name="helpful")).to_be_visible()
    page.get_by_role("tab", name="Disagreements").click()
    expect(page.get_by_role("row").filter(has_text="helpful").first).to_contain_text(ANN[0])
    page.get_by_role("tab", name="Newest").click()
    page.get_by_role("row").nth(1).get_by_role("button").nth(1).click()
    visit.settle()
    assert "q=score.helpful" in page.url
    page.get_by_role("article", name="helpful").get_by_role("link").first.click()
    page.wait_for_url(re.compile(r"/traces\?.*score.helpful"))
    visit.settle()


def test_without_scores_the_page_tells_how_to_give_them(visit):
    page = visit.open(f"p/{EMPTY}/scores?t=all")
    expect(page.get_by_text("vestigo.score(", exact=False).first).to_be_visible()
    expect(page.get_by_text(f"{visit.origin}/api/scores").first).to_be_visible()


def test_two_runs_are_compared_by_keys(visit, site):
    """What differs alone, the next difference, the words of its answer; all of it in the address."""
    page = visit.open(f"p/{SHOP}/compare?a={site.seeds.first}&b={site.seeds.second}")
    rows = page.get_by_role("treeitem")
    expect(rows.first).to_be_visible()
    expect(page.get_by_role("row", name="B against A")).to_contain_text("slower")
    expect(page.get_by_text("only in A").first).to_be_visible()
    visit.keys("o", "d", "d", "d", "Enter")
    pair = page.get_by_role("region", name="the chosen pair")
    expect(pair).to_be_visible()
    for _ in range(30):
        if pair.locator("ins").filter(has_text=re.compile("parcel", re.IGNORECASE)).count():
            break
        visit.keys("d")
        visit.settle()
    expect(pair.locator("del").filter(has_text=re.compile("order")).first).to_be_visible()
    assert "only=1" in page.url
    assert "sa=" in page.url
    told = pair.inner_text()
    page.reload()
    visit.settle()
    assert pair.inner_text() == told
    visit.keys("w")
    visit.settle()
    assert f"a={site.seeds.second}" in page.url
    visit.keys("Escape")
    expect(pair).to_have_count(0)


def test_ten_thousand_spans_a_side_are_few_elements(visit, site):
    page = visit.open(f"p/{SHOP}/compare?a={site.seeds.run_10000}&b={site.seeds.run_2000}")
    expect(page.get_by_role("treeitem").first).to_be_visible()
    visit.keys("End")
    visit.settle()
    assert visit.nodes() < 1_500


def test_a_trace_that_is_not_there_is_told_and_another_one_chosen(visit, site):
    visit.allow("404")
    page = visit.open(f"p/{SHOP}/compare?a={site.seeds.second}&b={'f' * 32}")
    expect(page.get_by_role("alert")).to_contain_text("there is no trace ffff")
    page.get_by_role("region", name="trace B").get_by_role("button", name="The one before").click()
    expect(page.get_by_role("treeitem").first).to_be_visible()
    page.get_by_role("button", name="change B").click()
    page.get_by_role("textbox", name="trace id for B").fill(f"{visit.url}/p/{SHOP}/traces/{site.seeds.second}?span=1")
    visit.keys("Enter")
    expect(page.get_by_role("note")).to_contain_text("same trace twice")


def test_hostile_text_is_read_as_text_in_the_queue(visit):
    """What runs, opens or leaves fails the visit at its end."""
    page = visit.open(f"p/{hostile.PROJECT}/queue?t=all&name=%3Cb%3E&labels=%3Ci%3E,%22%3E,javascript:1")
    expect(page.locator(".queue-trace").first).to_be_visible()
    for _ in range(40):
        visit.keys("n")
        visit.settle()
    visit.open(f"p/{hostile.PROJECT}/scores?t=all")
