# tests/e2e/redis_scripts.py - by which names Redis knows our scripts, so that a fault finds them
import hashlib
import os

from harness import ROOT

SCRIPTS = ("place", "acknowledge", "settle", "stock", "release", "look", "rebuild")


def name_of(script):
    """As it stands in EVALSHA."""
    path = os.path.join(ROOT, "src", "adapters", "redis", f"{script}.lua")
    with open(path, "rb") as file:
        return hashlib.sha1(file.read()).hexdigest().encode()
