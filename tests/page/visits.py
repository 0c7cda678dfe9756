"""Somebody at the page: Chromium on it, logged in, with an ear for everything that must not happen.

A `Visit` is one browser window of its own. `troubles` are errors in the console, exceptions, violations of the policy,
requests to other places, dialogs, windows that opened and answers of 500; `check` raises if there are any.
"""

import re
import shutil
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

from playwright.sync_api import Error, sync_playwright

from vestigo.server.accounts import Accounts

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
NO_CHROMIUM = "no Chromium here: Debian's package chromium has one"
AXE = Path(__file__).parents[2] / "ui" / "node_modules" / "axe-core" / "axe.min.js"
WIDE, NARROW = (1440, 900), (1024, 768)
FLAGS = (
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync", "--enable-precise-memory-info", "--js-flags=--expose-gc",
)  # fmt: skip
EARS = """
window.__owned = []; window.__violations = [];
window.__own = (number) => { window.__owned.push(number); };
document.addEventListener("securitypolicyviolation", (event) =>
  window.__violations.push(`${event.violatedDirective} ${event.blockedURI} ${event.sample}`));
"""
BROKEN = """async (rules) => {
  const how = {resultTypes: ["violations"], ...(rules.length ? {runOnly: rules} : {})};
  return (await axe.run(document, how)).violations.map(({id, impact, nodes}) => `${id} (${impact}, ${nodes.length}): `
    + `${nodes[0].html.slice(0, 200)} ${nodes[0].failureSummary.replaceAll("\\n", " ").slice(0, 300)}`);
}"""
QUIET_MS = 150  # more than the page waits before it asks for the detail of a span
PAGES = ("traces", "sessions", "logs", "dash", "errors", "scores", "queue", "settings")


@contextmanager
def launched():
    """A browser; Playwright's loop runs in this thread until it is closed, so no test of asyncio may run meanwhile."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=list(FLAGS))
        yield browser
        browser.close()


def cookie_of(data_dir, hours=1.0):
    """The value of a session's cookie, opened by a one-time link."""
    accounts = Accounts(Path(data_dir) / "accounts.db")
    try:
        return accounts.redeem(accounts.one_time_link(), hours)
    finally:
        accounts.close()


class Visit:
    """One window; `url` is where the page lies, with a path if it has one."""

    def __init__(self, browser, url, cookie=None, *, size=WIDE, dark=False, **more):
        self.url = url.rstrip("/")
        self.origin = "{0.scheme}://{0.netloc}".format(urlsplit(url))
        self.context = browser.new_context(
            viewport={"width": size[0], "height": size[1]}, color_scheme="dark" if dark else "light",
            reduced_motion="reduce", locale="en-GB", timezone_id="UTC", accept_downloads=True, **more,
        )  # fmt: skip
        self.context.set_default_timeout(10_000)
        self.troubles, self.allowed, self.waiting, self.requests = [], [], set(), []
        if cookie:
            self.enter(cookie)
        self.context.add_init_script(EARS)
        self.page = self.context.new_page()
        self._listen()

    def enter(self, cookie):
        self.context.add_cookies(
            [{"name": "vestigo_session", "value": cookie, "url": self.origin, "sameSite": "Strict", "httpOnly": True}]
        )

    def _listen(self):
        page = self.page
        page.on("console", lambda message: message.type == "error" and self._complaint(message))
        page.on("pageerror", lambda error: self.trouble(f"exception: {error.message}"))
        page.on("dialog", self._dialog)
        page.on("popup", lambda popup: self.trouble(f"window: {popup.url}"))
        page.on("crash", lambda _: self.trouble("the page crashed"))
        page.on("request", self._request)
        page.on("requestfinished", self._done)
        page.on("requestfailed", self._done)
        page.on("response", lambda answer: answer.status >= 500 and self.trouble(f"{answer.status}: {answer.url}"))

    def _complaint(self, message):
        self.trouble(f"console: {message.text} ({message.location.get('url', '')})")

    def _dialog(self, dialog):
        self.trouble(f"dialog: {dialog.message}")
        dialog.dismiss()

    def _request(self, request):
        self.requests.append(request)
        if not request.url.startswith((f"{self.origin}/", "data:", "blob:")):
            self.trouble(f"request to another place: {request.url}")
        if "/api/live" not in request.url:
            self.waiting.add(request)

    def _done(self, request):
        self.waiting.discard(request)

    def trouble(self, text):
        self.troubles.append(text)

    def allow(self, *patterns):
        """Troubles that this test brings about."""
        self.allowed += patterns

    def open(self, path="", *, settle=True):
        """Load an address below the page's own."""
        self.page.goto(f"{self.url}/{path.lstrip('/')}", wait_until="load")
        if self.page.locator("#page").count():  # on a busy machine the script begins later than a moment of quiet
            self.page.locator("#main, .login, .failure").first.wait_for(state="attached")
        if settle:
            self.settle()
        return self.page

    def go(self, path):
        """Go to an address within the page, as one of its links does: nothing is loaded anew."""
        self.page.evaluate(
            "(href) => { history.pushState(null, '', href); dispatchEvent(new PopStateEvent('popstate')); }",
            f"{self.url}/{path.lstrip('/')}",
        )
        self.settle()
        return self.page

    def settle(self, timeout_ms=15_000):
        """Wait until nothing has been asked of the server for a moment."""
        quiet = waited = 0
        while quiet < QUIET_MS and waited < timeout_ms:
            self.page.wait_for_timeout(30)
            waited += 30
            quiet = 0 if self.waiting else quiet + 30
        assert waited < timeout_ms, f"still asking after {timeout_ms} ms: {[one.url for one in self.waiting]}"

    def keys(self, *keys):
        for key in keys:
            self.page.keyboard.press(key)

    def heard(self):
        """What happened against the rules so far."""
        try:
            owned, violations = self.page.evaluate("[window.__owned ?? [], window.__violations ?? []]")
        except Error as error:  # the page went away
            return [*self.troubles, str(error)]
        found = [*self.troubles, *(f"script ran: {one}" for one in owned), *(f"policy: {one}" for one in violations)]
        return [one for one in found if not any(re.search(pattern, one) for pattern in self.allowed)]

    def check(self):
        found = self.heard()
        assert not found, f"{self.page.url}:\n" + "\n".join(found[:20])

    def nodes(self):
        """Elements of the document."""
        return self.page.evaluate("document.querySelectorAll('*').length")

    def axe(self, *rules):
        """Violations as axe-core tells them, one line each with the place of the first; of all rules, or of these."""
        if not self.page.evaluate("'axe' in window"):
            self.page.evaluate(f"(() => {{{AXE.read_text(encoding='utf-8')}}})()")
        return self.page.evaluate(BROKEN, list(rules))

    def close(self):
        self.context.close()
