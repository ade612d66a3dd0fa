#!/usr/bin/env python3
# tools/tally.py - counts what really ran, from the suites' own results, and says so in one line
"""Usage: tools/tally.py (ctest JUNIT_XML EXIT_STATUS | e2e LOG EXIT_STATUS)...

Exits 1 when a test failed, when a suite left no results, or when no test ran at all. A suite that
ended badly without naming a failed test counts as one failure: a crash is never a pass.
"""

import re
import sys
import xml.etree.ElementTree as ElementTree
from pathlib import Path


def count_ctest(path):
    """Passed, failed, skipped of a JUnit file as ctest writes it."""
    failed = skipped = passed = 0
    for case in ElementTree.parse(path).getroot().iter('testcase'):
        if case.find('skipped') is not None or case.get('status') == 'disabled':
            skipped += 1
        elif case.find('failure') is not None or case.get('status') != 'run':
            failed += 1
        else:
            passed += 1
    return passed, failed, skipped


def count_closing_line(path):
    """Passed, failed, skipped as the end-to-end runner says at its end."""
    text = Path(path).read_text(encoding='utf-8', errors='replace')
    closing = re.findall(r'^(\d+) passed, (\d+) failed', text, re.M) or [(0, 0)]
    skipped = re.findall(r', (\d+) skipped$', text, re.M) or [0]
    return int(closing[-1][0]), int(closing[-1][1]), int(skipped[-1])


def tally(suites):
    """Sums (kind, path, exit status) up; a suite without results is a failure of its own."""
    totals = [0, 0, 0]
    notes = []
    for kind, path, status in suites:
        try:
            counts = list((count_ctest if kind == 'ctest' else count_closing_line)(path))
        except (OSError, ElementTree.ParseError) as error:
            notes.append(f'{kind} left no results: {error}')
            counts = [0, 0, 0]
        if counts[1] == 0 and (status != 0 or not any(counts)):
            notes.append(f'{kind} ended with status {status} and {sum(counts)} results')
            counts[1] = 1
        notes.append(f'{kind} ran {counts[0] + counts[1]} tests')
        totals = [total + count for total, count in zip(totals, counts)]
    return totals, notes


def main(arguments):
    suites = [(kind, path, int(status))
              for kind, path, status in zip(arguments[::3], arguments[1::3], arguments[2::3])]
    (passed, failed, skipped), notes = tally(suites)
    if passed + failed == 0:
        notes.append('every test was skipped')
        failed = 1
    print()
    for note in notes:
        print(f'tally: {note}')
    print(f'{passed} passed, {failed} failed' + (f', {skipped} skipped' if skipped else ''))
    return 1 if failed else 0


if __name__ == '__main__':
    sys.exit(main(sys.argv[1:]))
