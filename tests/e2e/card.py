# tests/e2e/card.py - the reliability card: one row per fault, kept up as tests end
"""bench/RELIABILITY-CARD.md is a table and its own memory: a row is replaced when its fault was run
again, and the others stay as they were. So a run may be stopped and gone on with.

"8 of 50" is a row whose test ended before its full count, "2 (short)" one of a short run: both are
missing, as is what failed.
"""

import inspect
import os
import re
import statistics
import subprocess
import time

from harness import FULL, ROOT

HEAD = """# Reliability card

Written by `./dev chaos`. One row per fault of the reliability promises: how often it was really
dealt, what the independent auditor objected to afterwards (it reads only the answers that clients
heard and what is stored), and how long it took from the fault's end until orders were accepted
again, or until what "seen besides" says. "Again" repeats it, in full: `FC_FULL=1 tests/e2e/run` and
what stands there; "took" is the whole test, with all the rows that name it.

{machine}

| fault | times | violations | recovery, median | worst | seen besides | again | commit | date \
| took |
|---|---|---|---|---|---|---|---|---|---|
"""
COLUMNS = 10
MACHINE = (
    "Times were taken on a machine of {cores} cores that clients, nodes, Redis and PostgreSQL share"
    " (and, where the row is marked `*`, other work too): they are pessimistic."
)


def product_commit():
    """The last one that changed the program; a + when it has been changed since."""
    paths = ["--", "src", "CMakeLists.txt"]
    git = ["git", "-C", ROOT]
    commit = subprocess.run(
        [*git, "log", "-1", "--format=%h", *paths], stdout=subprocess.PIPE, check=True
    ).stdout.decode().strip()
    dirty = subprocess.run(
        [*git, "status", "--porcelain", *paths], stdout=subprocess.PIPE, check=True
    ).stdout.strip()
    return commit + ("+" if dirty else "")


class Card:
    def __init__(self, path):
        self.path = path
        self.commit = product_commit()
        self.rows = {}  # fault -> cells
        if os.path.exists(path):
            with open(path, encoding="utf-8") as file:
                for line in file:
                    cells = [cell.strip() for cell in line.strip().strip("|").split("|")]
                    if line.startswith("| ") and len(cells) == COLUMNS and cells[0] != "fault":
                        self.rows[cells[0]] = cells

    def rows_of(self, test):
        return [cells for cells in self.rows.values() if cells[6] == again(test)]

    def is_missing(self, test, outdated=False):
        """Whether a row of this test is not there, not at its full count, or has violations.

        outdated  a row of another program is missing too
        """
        rows = self.rows_of(test)
        return deals_faults(test) and (not rows or not all(
            cells[1].isdigit() and cells[2] == "0" and (cells[7] == self.commit or not outdated)
            for cells in rows
        ))

    def minutes(self, test):
        """How long it takes in full: what it took last, else what the test says, else None."""
        for cells in self.rows_of(test):
            if cells[9]:
                return float(cells[9].removesuffix(" min"))
        return getattr(method_of(test), "full_minutes", None)

    def add(self, test, failure, took_s):
        """The rows of a test that has ended; `failure` is its text, or nothing."""
        for fault in test.faults:
            self.rows[fault.name] = [
                fault.name, times_dealt(fault),
                violations_in(failure), *times(fault.recoveries),
                "; ".join(fault.remarks).replace("|", "/"), again(test), self.commit,
                time.strftime("%Y-%m-%d", time.gmtime()),
                f"{max(took_s / 60, 0.1):.1f} min" if FULL and not failure else ""
            ]
        self.write()

    def write(self):
        machine = MACHINE.format(cores=os.cpu_count())
        draft = self.path + ".new"
        with open(draft, "w", encoding="utf-8") as file:
            file.write(HEAD.format(machine=machine))
            for cells in self.rows.values():
                file.write(f"| {' | '.join(cells)} |\n")
        os.replace(draft, self.path)


def method_of(test):
    return getattr(test, test._testMethodName)


def deals_faults(test):
    """Whether it makes rows: itself, or what it calls of its own class."""
    seen, waiting = set(), [test._testMethodName]
    while waiting:
        name = waiting.pop()
        if name == "fault":
            return True
        method = inspect.getattr_static(type(test), name, None)
        if name in seen or not inspect.isfunction(method):
            continue
        seen.add(name)
        waiting += re.findall(r"self\.(\w+)\(", inspect.getsource(method))
    return False


def again(test):
    return f"`--test {test.id().split('.', 1)[1]}`"


def times_dealt(fault):
    if not FULL:
        return f"{fault.count} (short)"
    return f"{fault.count} of {fault.full}" if fault.count < fault.full else str(fault.count)


def times(seconds):
    if not seconds:
        return "", ""
    shared = "*" if os.getloadavg()[1] > 1.5 * (os.cpu_count() or 1) else ""
    return f"{statistics.median(seconds):.2f} s{shared}", f"{max(seconds):.2f} s{shared}"


def violations_in(failure):
    """Of a failed test: what the auditor counted, else that it was something else."""
    if not failure:
        return "0"
    counted = re.search(r"(\d+) violations:", failure)
    return counted[1] if counted else "test failed, see build/chaos-SUITE.log"
