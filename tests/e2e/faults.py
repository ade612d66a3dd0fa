# tests/e2e/faults.py - a disk that fails on request, a disk that is too small
import atexit
import contextlib
import functools
import os
import shutil
import subprocess
import tempfile

from harness import ROOT

SHIM_SOURCE = os.path.join(ROOT, "tests", "shim", "fault_shim.cpp")
EIO, ENOSPC = 5, 28


@functools.lru_cache(maxsize=None)
def shim():
    """The shim as a shared object: FC_FAULT_SHIM, or built here once per run."""
    given = os.environ.get("FC_FAULT_SHIM")
    if given:
        return given
    folder = tempfile.mkdtemp(prefix="firstcome-shim-")
    target = os.path.join(folder, "fault_shim.so")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    command = ["g++", "-std=c++20", "-O2", "-fPIC", "-shared", "-o", target, SHIM_SOURCE, "-ldl"]
    subprocess.run(command, check=True)
    return target


class DiskFault:
    """Faults of one data directory, switched on and off while the server runs."""

    def __init__(self, scratch, data):
        self.plan = os.path.join(scratch, "fault-plan")
        self.serial = 0
        self.environment = {
            "LD_PRELOAD": shim(), "FC_FAULT_DIR": os.path.realpath(data), "FC_FAULT_PLAN": self.plan
        }

    def arm(self, call, error, nth=0):
        self.disarm()
        self.serial += 1
        draft = self.plan + ".draft"
        with open(draft, "w", encoding="ascii") as file:
            file.write(f"{call} {error} {nth} {self.serial}\n")
        os.rename(draft, self.plan)

    def disarm(self):
        with contextlib.suppress(FileNotFoundError):
            os.unlink(self.plan)

    def strikes(self):
        """How often a fault was dealt."""
        with contextlib.suppress(FileNotFoundError), open(
            self.plan + ".log", encoding="utf-8"
        ) as file:
            return len(file.readlines())
        return 0


class SmallDisk:
    """A tmpfs of a few megabytes; `filler` is what can be deleted to make room."""

    def __init__(self, path, megabytes):
        self.path = path
        self.megabytes = megabytes
        self.filler = os.path.join(path, "filler")

    def mount(self):
        """Whether this machine lets us mount."""
        os.makedirs(self.path)
        command = [
            "mount", "-t", "tmpfs", "-o", f"size={self.megabytes}m,mode=0755", "tmpfs", self.path
        ]
        return subprocess.run(command, stderr=subprocess.DEVNULL, check=False).returncode == 0

    def read_only(self, on=True):
        mode = "ro" if on else "rw"
        subprocess.run(["mount", "-o", f"remount,{mode}", self.path], check=True)

    def fill(self, megabytes):
        with open(self.filler, "wb") as file:
            file.write(b"\0" * (megabytes << 20))

    def make_room(self):
        os.unlink(self.filler)

    def unmount(self):
        subprocess.run(["umount", "--lazy", self.path], check=False)
