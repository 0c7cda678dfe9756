"""A server with everything in it for each process of the tests, a browser for each module, a window for each test."""

import os

import pytest
import seed
from sites import WEB, site_on
from visits import CHROMIUM, NO_CHROMIUM, Visit, launched


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
