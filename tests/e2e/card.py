# tests/e2e/card.py - the reliability card: one row per fault, kept up as tests end
"""bench/RELIABILITY-CARD.md is a table and its own memory: a row is replaced when its fault was run
again, and the others stay as they were. So a run may be stopped and gone on with."""

import os
import re
import statistics
import subprocess
import time

from harness import ROOT

HEAD = """# Reliability card

Written by `./dev chaos`. One row per fault of the reliability promises: how often it was really
dealt, what the independent auditor objected to afterwards (it reads only the answers that clients
heard and what is stored), and how long it took from the fault's end until orders were accepted
again, or until what the last column says. "Again" repeats it, in full: `FC_FULL=1 tests/e2e/run`
and what stands there.

{machine}

| fault | times | violations | recovery, median | worst | seen besides | again | commit | date |
|---|---|---|---|---|---|---|---|---|
"""
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
                    if line.startswith("| ") and len(cells) == 9 and cells[0] != "fault":
                        self.rows[cells[0]] = cells

    def has_passed(self, test):
        """Whether this program went through this test, in full, without a violation."""
        name = again(test)
        return any(
            cells[6] == name and cells[7] == self.commit and cells[2] == "0"
            for cells in self.rows.values()
        )

    def add(self, test, failure):
        """The rows of a test that has ended; `failure` is its text, or nothing."""
        for fault in test.faults:
            self.rows[fault.name] = [
                fault.name, str(fault.count), violations_in(failure), *times(fault.recoveries),
                "; ".join(fault.remarks).replace("|", "/"), again(test), self.commit,
                time.strftime("%Y-%m-%d", time.gmtime())
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


def again(test):
    return f"`--test {test.id().split('.', 1)[1]}`"


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
