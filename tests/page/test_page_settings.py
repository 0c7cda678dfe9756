"""Settings at the page: a key told once, users with roles, a policy and what it means, an erasure, what one may not."""

import re

import pytest
from playwright.sync_api import expect
from seed import ANN, EMPTY, SHOP

TABS = ("overview", "retention", "redaction", "prices", "keys", "people", "audit")


def tab(visit, name, project=SHOP):
    return visit.open(f"p/{project}/settings?tab={name}")


@pytest.mark.parametrize("name", TABS)
def test_each_tab_has_its_address_and_no_violation(visit, name):
    page = tab(visit, name)
    expect(page.get_by_role("tab", selected=True)).to_contain_text(name, ignore_case=True)
    assert visit.axe() == []
    assert visit.nodes() < 1_500


def test_a_key_is_told_once_and_revoked_by_its_name(visit):
    """The token stands in the dialog alone, with lines for senders; afterwards nowhere."""
    page = tab(visit, "keys")
    page.get_by_role("button", name="Make the key").click()
    expect(page.get_by_text("say what it is for")).to_be_visible()
    page.get_by_label("Name", exact=True).fill("by-hand")
    page.get_by_role("button", name="Make the key").click()
    dialog = page.get_by_role("dialog", name="The key by-hand")
    expect(dialog).to_contain_text("OTEL_EXPORTER_OTLP_HEADERS")
    token = re.search(r"vst_[0-9a-f]{12}_[0-9a-f]{64}", dialog.inner_text())[0]
    dialog.get_by_role("button", name="I have copied it").click()
    visit.settle()
    assert token[17:] not in page.content()
    row = page.get_by_role("row").filter(has_text="by-hand")
    expect(row).to_contain_text(f"{SHOP}: ingest")
    row.get_by_role("button", name="Revoke by-hand").click()
    dialog = page.get_by_role("dialog", name="Revoke the key by-hand")
    expect(dialog.get_by_role("button", name="Revoke it")).to_be_disabled()
    dialog.get_by_label(re.compile("to confirm")).fill("by-hand")
    dialog.get_by_role("button", name="Revoke it").click()
    expect(row).to_have_count(0)


def test_a_user_is_added_given_a_role_and_removed(visit):
    page = tab(visit, "people")
    page.get_by_label("Name", exact=True).fill("Zoe@Example.org")
    page.get_by_label("Password", exact=True).fill("short")
    page.get_by_role("button", name="Add the user").click()
    expect(page.get_by_text("✕ at least 12 characters")).to_be_visible()
    page.get_by_role("button", name="make one").click()
    page.get_by_role("button", name="Add the user").click()
    row = page.get_by_role("row").filter(has_text="zoe@example.org")
    expect(row).to_contain_text(f"{SHOP} viewer")
    row.get_by_role("button", name=re.compile("^Roles")).click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("Role").select_option("member")
    dialog.get_by_role("button", name="Give the role").click()
    expect(row).to_contain_text(f"{SHOP} member")
    row.get_by_role("button", name=re.compile("^Remove")).click()
    page.get_by_label(re.compile("to confirm")).fill("zoe@example.org")
    page.get_by_role("button", name="Remove the user").click()
    expect(row).to_have_count(0)


def test_a_policy_says_what_it_means_before_it_is_saved(visit):
    """Mistakes stand at their field, the hold's too; what would go is counted."""
    visit.allow("status of 400")
    page = tab(visit, "retention", EMPTY)
    page.get_by_label("Days").fill("soon")
    page.get_by_label("Hold").fill("session:(")
    expect(page.get_by_text("give a number of days")).to_be_visible()
    expect(page.locator(".form-field").filter(has=page.get_by_label("Hold")).locator(".error")).to_be_visible()
    expect(page.get_by_role("button", name="Save the policy")).to_be_disabled()
    page.get_by_label("Days").fill("30")
    page.get_by_label("Hold").fill("user:ann")
    expect(page.locator(".preview")).to_contain_text("more than 30 days ago")
    expect(page.locator(".preview")).to_contain_text("No trace is that old now.")
    page.get_by_role("button", name="Save the policy").click()
    expect(page.get_by_text("This project has a policy of its own.")).to_be_visible()


def test_an_erasure_is_counted_asked_for_and_told(visit, site):
    """A trace of its own, so that no other test misses it."""
    from vestigo import Tracer

    tracer = Tracer("gone", site.url, project=SHOP, api_key=site.running.key,
                    data_dir=str(site.running.data_dir / "gone"))  # fmt: skip
    with tracer.trace("to be forgotten", attributes={"user.id": "user-to-forget"}):
        pass
    assert tracer.flush(30)
    tracer.close()
    page = tab(visit, "retention")
    page.get_by_label("Which").fill("user-to-forget")
    page.get_by_role("button", name="Count what would go").click()
    page.get_by_role("button", name="Erase 1 trace …").click()
    page.get_by_label(re.compile("to confirm")).fill("user-to-forget")
    page.get_by_role("button", name="Erase 1 trace for good").click()
    expect(page.get_by_text("Nothing is left of it, as far as was looked.")).to_be_visible(timeout=30_000)
    page.get_by_role("button", name="Count what would go").click()
    expect(page.get_by_text("Nothing of that is stored")).to_be_visible()


def test_the_audit_log_is_filtered_by_a_click(visit):
    page = tab(visit, "audit")
    page.get_by_role("button", name="audit.read").first.click()
    visit.settle()
    assert "action=audit.read" in page.url
    expect(page.locator("pre").first).to_contain_text(re.compile(r"vestigo verify --audit-head \d+:[0-9a-f]{64}"))


def test_who_may_not_is_told_what_is_missing(visiting, site):
    """Keys, people and the audit log are for administrators; a member is told so, and nothing is asked in vain."""
    visit = visiting(cookie=None)
    visit.allow("status of 40[13]")
    page = visit.open("login")
    page.get_by_label(re.compile("user|name", re.IGNORECASE)).first.fill(ANN[0])
    page.get_by_label(re.compile("password", re.IGNORECASE)).fill(ANN[1])
    page.keyboard.press("Enter")
    page.wait_for_url(re.compile("/p/"))
    visit.allowed.clear()
    visit.troubles.clear()
    for name in ("retention", "keys", "people", "audit"):
        page = tab(visit, name)
        expect(page.locator(".denied")).to_contain_text("this needs the scope admin")
        expect(page.locator(".denied")).to_contain_text(f"vestigo user role {ANN[0]}")
    page = tab(visit, "overview")
    expect(page.get_by_text("Settings in force")).to_be_visible()
    page = tab(visit, "people")
    expect(page.get_by_label("Password until now")).to_be_visible()
