"""Six things that people come for, each done from the front door, by role and name."""

import re

import httpx
import pytest
import seed
from playwright.sync_api import expect
from seed import ANN, SHOP


def test_find_the_slowest_failing_call_of_a_user(visit, site):
    """Filter by user and status, order by duration, open the first, go to its error, read it."""
    page = visit.open("p/empty/traces")
    page.get_by_role("button", name="project").click()
    page.get_by_role("menuitem", name=SHOP).or_(page.get_by_role("menuitemradio", name=SHOP)).first.click()
    page.wait_for_url(re.compile(f"/p/{SHOP}/traces"))
    page.get_by_role("combobox", name="filter").click()
    page.keyboard.type(f"user:{seed.traffic.SLOW_USER} status:error")
    page.keyboard.press("Enter")
    page.wait_for_url(re.compile("q=user"))
    page.get_by_role("button", name="duration").click()
    page.wait_for_url(re.compile("order=slowest"))
    visit.settle()
    first = page.get_by_role("row").nth(1)
    expect(first).to_contain_text("31.0 s")
    first.get_by_role("link").first.click()
    page.wait_for_url(re.compile(site.seeds.slowest))
    expect(page.get_by_role("treeitem").first).to_be_visible()
    page.get_by_role("treeitem", name=re.compile("chat gpt-4o")).click()
    detail = page.get_by_role("region", name=re.compile("^span chat"))
    expect(detail).to_contain_text("no answer from the model in 31 s")


def test_follow_a_conversation_over_traces(visit, site):
    """From the list of sessions into one, through its turns, into the trace of one, and back."""
    session = site.seeds.conversation
    turns = site.seeds.sessions[session]
    page = visit.open(f"p/{SHOP}/traces")
    page.get_by_role("link", name="Sessions").click()
    page.wait_for_url(re.compile("/sessions"))
    page.get_by_role("link", name=session).click()
    page.wait_for_url(re.compile(f"/sessions/{session}"))
    visit.settle()
    conversation = page.get_by_role("region", name="conversation")
    expect(conversation.locator("[id^=round-]")).to_have_count(len(turns))
    expect(conversation).to_contain_text("helpful")
    third = conversation.locator("#round-2")
    third.scroll_into_view_if_needed()
    third.get_by_role("link", name="POST /chat").click()
    page.wait_for_url(re.compile(turns[2]))
    expect(page.get_by_role("treeitem").first).to_be_visible()
    page.get_by_role("link", name=session).first.click()
    page.wait_for_url(re.compile(f"/sessions/{session}"))
    visit.settle()
    expect(conversation).to_be_visible()


def test_see_what_yesterday_cost_by_model(visit, site):
    """The dashboards' cost panel over yesterday, as numbers; they are the API's. A model leads to its calls."""
    start, end = seed.yesterday()
    page = visit.open(f"p/{SHOP}/dash?t={start}-{end}")
    with site.running.client() as client:
        asked = {"measures": "cost", "by": "model", "start": f"{start}000000", "end": f"{end}000000"}
        told = client.get("/api/series", params=asked, headers={"x-vestigo-project": SHOP}).json()
    costs = {group["keys"][0]: group["values"]["cost"][0] for group in told["groups"] if group["values"]["cost"][0]}
    assert len(costs) >= 3, "yesterday's traffic has several models with a price"
    panel = page.get_by_role("figure", name=re.compile("^Cost by model"))
    panel.get_by_role("button", name=re.compile("^table")).click()
    expect(panel.get_by_role("table")).to_be_visible()
    for model, cost in costs.items():
        expect(panel).to_contain_text(model)
        assert f"${cost:.2f}" in panel.inner_text() or f"${cost:.4f}" in panel.inner_text(), (model, cost)


def test_find_why_a_run_failed(visit, site):
    """From the grouped errors to the newest trace, to the span that failed first, to the line of our own code."""
    page = visit.open(f"p/{SHOP}/errors?t=24h")
    group = page.get_by_text(re.compile("seat map service answered")).first
    expect(group).to_be_visible()
    group.click()
    visit.settle()
    if site.seeds.failed not in page.url:
        page.locator(f"a[href*='{site.seeds.failed}']").first.click()
    page.wait_for_url(re.compile(site.seeds.failed))
    expect(page.get_by_role("treeitem").first).to_be_visible()
    page.get_by_role("tree").focus()
    visit.keys("Home", "e", "e")
    detail = page.get_by_role("region", name=re.compile("execute_tool seat_map"))
    expect(detail).to_contain_text("ConnectionError: the seat map service answered 503")
    detail.get_by_role("tab", name=re.compile("Events")).click()
    expect(detail).to_contain_text("seat_map")
    expect(detail).to_contain_text("conversations.py")


def test_compare_two_runs(visit, site):
    """Select two rows, compare: what one cost more, what is on one side only, what was said otherwise."""
    page = visit.open(f"p/{SHOP}/traces?t=24h&q=name%3A%22POST%20%2Fresearch%22%20latency%3C20s")
    for trace_id in (site.seeds.first, site.seeds.second):
        row = page.get_by_role("row").filter(has=page.locator(f"a[href*='{trace_id}']"))
        row.get_by_role("checkbox").check()
    page.get_by_role("button", name="Compare").click()
    page.wait_for_url(re.compile("/compare"))
    visit.settle()
    sums = page.get_by_role("table", name=re.compile("sums"))
    expect(sums).to_contain_text(re.compile("slower|faster"))
    expect(sums).to_contain_text(re.compile("cheaper|dearer|more"))
    expect(page.get_by_role("status").filter(has_text="only in")).to_contain_text("2 only in")
    page.get_by_role("button", name="only differences").click()
    tree = page.get_by_role("tree")
    said = tree.get_by_role("treeitem", name=re.compile("^llm chat"))
    for number in range(said.count()):
        said.nth(number).click()
        visit.settle()
        if page.locator("del").filter(has_text=re.compile("^order", re.IGNORECASE)).count():
            break
    expect(page.locator("del").filter(has_text=re.compile("^order", re.IGNORECASE)).first).to_be_visible()
    expect(page.locator("ins").filter(has_text=re.compile("^parcel", re.IGNORECASE)).first).to_be_visible()


def test_label_twenty_answers_by_keys_only(visiting, site):
    """From anywhere: the palette, the queue, twenty times a label and save. They are Ann's scores."""
    with seed.signed_in(site.running, ANN) as client:
        visit = visiting(cookie=client.cookies["vestigo_session"])
        page = visit.open(f"p/{SHOP}/traces?t=24h")
        page.get_by_role("button", name="live", exact=True).wait_for()
        visit.keys("Control+k")
        page.keyboard.type("annot")
        expect(page.get_by_role("option").first).to_contain_text("Annotate")
        visit.keys("Enter")
        page.wait_for_url(re.compile("/queue"))
        visit.settle()
        name_score(visit, "verdict")
        page.get_by_role("region", name="the conversation").wait_for()
        for number in range(20):
            visit.settle()
            visit.keys(str(number % 3 + 1), "s")
        expect(page.locator("main")).to_contain_text("21 of")
        visit.settle()
        assert labels_of(client, "user:ann") == {"good": 7, "bad": 7, "unsure": 6}


def name_score(visit, name):
    """Tab to the field of the score's name, and begin from there."""
    field = visit.page.get_by_role("combobox", name="Name of the score")
    for _ in range(40):
        if field.evaluate("(own) => own === document.activeElement"):
            visit.page.keyboard.type(name)
            visit.keys("Enter")
            return
        visit.keys("Tab")
    pytest.fail("no way to the field of the score's name by Tab")


def labels_of(client: httpx.Client, author):
    """How often each label was given by somebody, by number of scores stored."""
    found = {}
    items = client.get("/api/scores", params={"limit": 1_000}, headers={"x-vestigo-project": SHOP}).json()["items"]
    for score in items:
        if score["author"] == author and score["label"] in {"good", "bad", "unsure"}:
            found[score["label"]] = found.get(score["label"], 0) + 1
    return found
