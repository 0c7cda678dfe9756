"""A server with everything in it for each process of the tests, a browser for each module, a window for each test."""

import fcntl
import os
import shutil
import sys
from contextlib import contextmanager
from pathlib import Path

import msgspec
import pytest

sys.path.insert(0, str(Path(__file__).parent.parent / "server"))
sys.path.insert(0, str(Path(__file__).parent.parent / "instrument"))

import seed
from running import Running
from visits import CHROMIUM, NO_CHROMIUM, Visit, cookie_of, launched

from vestigo.server.accounts import Accounts

WEB = Path(os.environ.get("VESTIGO_WEB_DIR") or Path(__file__).parents[2] / "src" / "vestigo" / "server" / "web")


class Site:
    """A running server, where things are in it, and a cookie for everything."""

    def __init__(self, running, seeds):
        self.running, self.seeds, self.url = running, seeds, running.url
        self.cookie = cookie_of(running.data_dir)


def flags(*more):
    chosen = ["--set", f"project={seed.EMPTY}", "--set", "session_hours=8"]
    if os.environ.get("VESTIGO_WEB_DIR"):
        chosen += ["--set", f"web_dir={WEB}"]
    return (*chosen, *more)


def server_on(data_dir, *more):
    """A server on a data directory, with an account for Ann."""
    running = Running(data_dir, *flags(*more))
    accounts = Accounts(running.data_dir / "accounts.db")
    if not accounts.has_user(seed.ANN[0]):
        accounts.add_user(*seed.ANN, {"*": "member"})
    accounts.close()
    return running


def seeded(base):
    """A data directory that a server was filled in, made by whichever process comes first, and its `Seeds`."""
    place = base / "seeded"
    told = place / "seeds.json"
    with (base / "seed.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not told.exists():
            shutil.rmtree(place, ignore_errors=True)
            running = server_on(place).start()
            try:
                seeds = seed.fill(running)
            finally:
                running.stop()
            told.write_bytes(msgspec.json.encode(seeds))
    return place, msgspec.json.decode(told.read_bytes(), type=seed.Seeds)


@contextmanager
def site_on(base):
    """Each process has a copy, so that what one test writes no other process reads."""
    place, seeds = seeded(base)
    own = base / f"own-{os.getpid()}"
    shutil.copytree(place, own, ignore=shutil.ignore_patterns("own.log"))
    running = server_on(own).start()
    try:
        yield Site(running, seeds)
    finally:
        running.stop()
        shutil.rmtree(own, ignore_errors=True)


def shared_base(factory):
    """The same for all processes of one run of the tests."""
    base = factory.getbasetemp()
    return base.parent if "PYTEST_XDIST_WORKER" in os.environ else base


@pytest.fixture(scope="session")
def site(tmp_path_factory):
    if CHROMIUM is None:
        pytest.skip(NO_CHROMIUM)
    if not (WEB / "index.html").exists():
        pytest.skip(f"no built page in {WEB}; `make ui` builds it")
    with site_on(shared_base(tmp_path_factory)) as made:
        yield made


@pytest.fixture(scope="session")
def large(site):
    """The site once it also has the trace of 100,000 spans."""
    seed.largest(site.running, site.seeds)
    return site


@pytest.fixture(scope="module")
def browser(site):
    with launched() as made:
        yield made


@pytest.fixture
def visiting(browser, site):
    """Makes windows, logged in; what went wrong in any of them fails the test at its end."""
    made = []

    def start(url=None, *, cookie=site.cookie, **more):
        made.append(Visit(browser, url or site.url, cookie, **more))
        return made[-1]

    yield start
    try:
        for visit in made:
            visit.check()
    finally:
        for visit in made:
            visit.close()


@pytest.fixture
def visit(visiting):
    return visiting()
