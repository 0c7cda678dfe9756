"""The page: built files from memory and nothing else, every address opens it, below any path prefix."""

import gzip
import re
from urllib.parse import urljoin

import pytest
from served import served

from vestigo.server import ROUTES, guard, web
from vestigo.settings import ServerSettings

INDEX = """<!doctype html><title>Vestigo</title><link rel="icon" href="./assets/icon.svg">
<script type="module" crossorigin src="./assets/index-DiwrgTda.js"></script><p>./assets/ in a text stays</p>"""
SCRIPT = "console.log('one');" * 100
FILES = {
    "icon.svg": "<svg xmlns='http://www.w3.org/2000/svg'/>", "index-DiwrgTda.js": SCRIPT, "index-B_a-4x9Z.css": "p{}",
    "notes.md": "not served", "font-AAAABBBB.woff2": "x",
}  # fmt: skip
PLACES = ("traces", "sessions", "logs", "dash", "errors", "scores", "compare", "queue", "settings")
ADDRESSES = [
    "/", "/settings", "/login", "/p/shop", *(f"/p/shop/{name}" for name in PLACES), "/p/shop/sessions/s1",
    "/p/shop/sessions/a%2Fb%2Fc", "/p/shop/traces/0af7651916cd43dd8448eb211c80319c",
]  # fmt: skip


@pytest.fixture
def built(tmp_path):
    folder = tmp_path / "web"
    (folder / "assets").mkdir(parents=True)
    (folder / "index.html").write_text(INDEX)
    (folder / "secret.js").write_text("not in assets")
    for name, text in FILES.items():
        (folder / "assets" / name).write_text(text)
    (folder / "assets" / "linked.js").symlink_to(folder / "secret.js")
    return folder


@pytest.fixture
def client(tmp_path, built):
    with served("memory", tmp_path, web_dir=str(built)) as (_, client):
        del client.headers["authorization"]
        yield client


def links(page):
    return re.findall(r'(?:src|href)="([^"]+)"', page)


@pytest.mark.parametrize("prefix", ["", "/vestigo", "/a/b"])
@pytest.mark.parametrize("address", ADDRESSES)
def test_every_address_opens_the_page_below_any_prefix(tmp_path, built, address, prefix):
    """Without an account, with or without a proxy that takes the prefix off; the links lead to the files."""
    with served("memory", tmp_path, web_dir=str(built), root_path=prefix) as (_, client):
        del client.headers["authorization"]
        for sent in {address, prefix + address}:
            answer = client.get(sent)
            assert answer.status_code == 200
            assert answer.headers["content-type"] == "text/html; charset=utf-8"
            assert answer.headers["cache-control"] == "no-cache"
            seen = f"http://host{prefix}{address}"
            assert [urljoin(seen, link) for link in links(answer.text)] == [
                f"http://host{prefix}/assets/icon.svg", f"http://host{prefix}/assets/index-DiwrgTda.js",
            ]  # fmt: skip
            assert "./assets/ in a text stays" in answer.text


def test_a_proxy_that_nobody_told_us_of_takes_its_prefix_off(client):
    """The links are relative, and so is where a login leads."""
    page = client.get("/p/shop/traces?q=kind:llm&t=24h&project=shop")
    assert (
        urljoin("http://host/deep/inside/p/shop/traces", links(page.text)[0])
        == "http://host/deep/inside/assets/icon.svg"
    )
    accounts = client.app._server.accounts
    for asked, led in (("", "./"), ("&next=/p/shop/traces?q=a", "./p/shop/traces?q=a"), ("&next=//evil.example", "./")):
        answer = client.get(f"/login?token={accounts.one_time_link()}{asked}", follow_redirects=False)
        assert (answer.status_code, answer.headers["location"]) == (303, led)


def test_the_prefix_without_its_slash_leads_to_the_one_with_it(tmp_path, built):
    """Else relative links would lead beside it."""
    with served("memory", tmp_path, web_dir=str(built), root_path="/a/b") as (_, client):
        answer = client.get("/a/b?t=1h", follow_redirects=False)
        assert answer.status_code == 308
        assert urljoin("http://host/a/b", answer.headers["location"]) == "http://host/a/b/?t=1h"


def test_files_are_kept_by_browsers_and_sent_small(client):
    """Those with a hash for good, others are asked for again; gzip where it is taken; 304 for what is there."""
    plain = client.get("/assets/index-DiwrgTda.js", headers={"accept-encoding": "identity"})
    assert (plain.text, plain.headers["content-type"]) == (SCRIPT, "text/javascript; charset=utf-8")
    assert plain.headers["cache-control"] == "public, max-age=31536000, immutable"
    assert plain.headers["vary"] == "Accept-Encoding"
    with client.stream("GET", "/assets/index-DiwrgTda.js") as packed:
        raw = b"".join(packed.iter_raw())
    assert packed.headers["content-encoding"] == "gzip"
    assert gzip.decompress(raw).decode() == SCRIPT
    assert int(packed.headers["content-length"]) == len(raw) < len(SCRIPT)
    assert packed.headers["etag"] != plain.headers["etag"]
    for tag in (packed.headers["etag"], f"W/{packed.headers['etag']}", f'"other", {packed.headers["etag"]}', "*"):
        again = client.get("/assets/index-DiwrgTda.js", headers={"if-none-match": tag})
        assert (again.status_code, again.content) == (304, b"")
        assert again.headers["etag"] == packed.headers["etag"]
        assert again.headers["cache-control"] == "public, max-age=31536000, immutable"
    assert client.get("/assets/index-DiwrgTda.js", headers={"if-none-match": '"x"'}).status_code == 200
    icon = client.get("/assets/icon.svg")
    assert (icon.headers["content-type"], icon.headers["cache-control"]) == ("image/svg+xml", "no-cache")
    assert client.get("/assets/index-B_a-4x9Z.css").headers["content-type"] == "text/css; charset=utf-8"
    font = client.get("/assets/font-AAAABBBB.woff2")
    assert font.headers["content-type"] == "font/woff2"
    assert "content-encoding" not in font.headers
    page = client.get("/p/shop/traces")
    assert client.get("/p/shop/logs", headers={"if-none-match": page.headers["etag"]}).status_code == 304
    assert client.get("/p/shop", headers={"if-none-match": page.headers["etag"]}).status_code == 200


def test_nothing_else_can_be_read(client, built):
    """Only what was listed at the start, by its exact name, and only below `/assets`."""
    (built / "assets" / "later.js").write_text("made later")
    for path in (
        "/assets", "/assets/", "/assets/later.js", "/assets/linked.js", "/assets/notes.md", "/assets/secret.js",
        "/assets/../secret.js", "/assets/..%2fsecret.js", "/assets/%2e%2e/index.html", "/assets/icon.svg/",
        "/assets//icon.svg", "/assets/ICON.SVG", "/assets/icon.svg%00", "/secret.js", "/index.html", "/web/index.html",
        "/p", "/p/", "/p/shop/nothing", "/p/shop/traces/a/b",
    ):  # fmt: skip
        answer = client.get(path)
        assert answer.status_code == 404, path
        assert answer.headers["cache-control"] == "no-store"
    assert client.post("/p/shop").status_code == 405
    head = client.head("/p/shop")
    assert (head.status_code, head.headers["content-type"]) == (200, "text/html; charset=utf-8")


def test_addresses_that_somebody_made_up_fill_no_memory(client):
    """A session's id may hold any number of slashes."""
    for depth in range(1, 40):
        address = f"/p/shop/sessions/{'/'.join('x' * depth)}"
        page = client.get(address)
        assert urljoin(f"http://host{address}", links(page.text)[0]) == "http://host/assets/icon.svg"
    assert len(client.app._server.page._by_depth) <= 17


def test_without_built_files_a_plain_page_says_where_things_are(tmp_path):
    """What builds them, links to the questions and figures, and nothing that the CSP would stop."""
    with served("memory", tmp_path, web_dir=str(tmp_path / "nothing"), root_path="/vestigo") as (_, client):
        del client.headers["authorization"]
        page = client.get("/p/shop/traces")
        assert page.status_code == client.get("/").status_code == 200
    assert "<code>make ui</code>" in page.text
    assert urljoin("http://host/vestigo/p/shop/traces", links(page.text)[1]) == "http://host/vestigo/docs"
    assert "<script" not in page.text
    assert "style=" not in page.text


def test_a_link_on_another_site_leads_to_pages_only(client):
    """By navigation; none of these routes changes anything or tells what needs an account."""
    for route in ROUTES:
        if guard.is_page(route.path):
            assert (route.method, route.scope) == ("GET", "public"), route.path
    followed = {"sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate"}
    for address in ADDRESSES:
        assert client.get(address, headers=followed).status_code == 200
        assert client.get(address, headers={**followed, "sec-fetch-mode": "no-cors"}).status_code == 403
    for path in ("/assets/icon.svg", "/api/me", "/papers", "/metrics"):
        assert client.get(path, headers=followed).status_code == 403


def test_the_page_is_found_in_the_package():
    """By default the files come from the folder that `make ui` writes to."""
    assert ServerSettings().web_dir == ""
    assert web.FOLDER.name == "web"
    assert web.FOLDER.parent.name == "server"
