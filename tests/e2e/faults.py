# tests/e2e/faults.py - a disk that fails on request or is too small, a clock that jumps
import atexit
import contextlib
import functools
import os
import shutil
import struct
import subprocess
import tempfile

from harness import ROOT

EIO, ENOSPC = 5, 28


@functools.lru_cache(maxsize=None)
def shim(name="fault_shim"):
    """A shim as a shared object: FC_FAULT_SHIM (of the disk), or built here once per run."""
    given = os.environ.get("FC_FAULT_SHIM")
    if given and name == "fault_shim":
        return given
    folder = tempfile.mkdtemp(prefix="firstcome-shim-")
    os.chmod(folder, 0o755)  # PostgreSQL may be another user
    source = os.path.join(ROOT, "tests", "shim", f"{name}.cpp")
    target = os.path.join(folder, f"{name}.so")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    command = ["g++", "-std=c++20", "-O2", "-fPIC", "-shared", "-o", target, source, "-ldl"]
    subprocess.run(command, check=True)
    return target


class WallClock:
    """The wall clock of one process or of several, stepped while they run."""

    def __init__(self, path):
        self.path = path
        self.step_to(0)
        self.environment = {"LD_PRELOAD": shim("clock_shim"), "FC_CLOCK_FILE": path}

    def step_to(self, seconds):
        """So far from the true time, from now on."""
        mode = "r+b" if os.path.exists(self.path) else "wb"
        with open(self.path, mode) as file:
            file.write(struct.pack("<q", seconds))


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

    def fill_up(self):
        """Takes all the room there is."""
        with open(self.filler, "wb", buffering=0) as file:
            piece = b"\0" * (1 << 16)
            while piece:
                try:
                    file.write(piece)
                except OSError:
                    piece = piece[:len(piece) // 2]

    def make_room(self):
        os.unlink(self.filler)

    def unmount(self):
        subprocess.run(["umount", "--lazy", self.path], check=False)
