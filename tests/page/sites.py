"""A running server with everything in it: made once, copied for each process that wants one of its own."""

import fcntl
import os
import shutil
import sys
from contextlib import contextmanager
from pathlib import Path

import msgspec

sys.path.insert(0, str(Path(__file__).parent.parent / "server"))

import seed
from running import Running
from visits import cookie_of

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
