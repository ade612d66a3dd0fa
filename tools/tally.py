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


def count_unittest(path):
    """Passed, failed, skipped of what Python's unittest printed, summed over all its runs."""
    text = Path(path).read_text(encoding='utf-8', errors='replace')
    ran = sum(int(count) for count in re.findall(r'^Ran (\d+) tests? in ', text, re.M))
    failed = skipped = 0
    for details in re.findall(r'^(?:OK|FAILED) \((.*)\)$', text, re.M):
        for name, count in re.findall(r'([a-z ]+)=(\d+)', details):
            if name.strip() == 'skipped':
                skipped += int(count)
            elif name.strip() != 'expected failures':
                failed += int(count)
    # An error outside any test (in setUpClass, say) is not among those that ran.
    return max(ran - failed - skipped, 0), failed, skipped


def tally(suites):
    """Sums (kind, path, exit status) up; a suite without results is a failure of its own."""
    totals = [0, 0, 0]
    notes = []
    for kind, path, status in suites:
        try:
            counts = list((count_ctest if kind == 'ctest' else count_unittest)(path))
        except (OSError, ElementTree.ParseError) as error:
            notes.append(f'{kind} left no results: {error}')
            counts = [0, 0, 0]
        if (status != 0 or not any(counts) and kind != 'ctest') and counts[1] == 0:
            notes.append(f'{kind} ended with status {status} and {sum(counts)} results')
            counts[1] = 1
        totals = [total + count for total, count in zip(totals, counts)]
    return totals, notes


def main(arguments):
    suites = [(kind, path, int(status))
              for kind, path, status in zip(arguments[::3], arguments[1::3], arguments[2::3])]
    (passed, failed, skipped), notes = tally(suites)
    if passed + failed == 0:
        notes.append('no test ran')
        failed = 1
    print()
    for note in notes:
        print(f'tally: {note}')
    print(f'{passed} passed, {failed} failed' + (f', {skipped} skipped' if skipped else ''))
    return 1 if failed else 0


if __name__ == '__main__':
    sys.exit(main(sys.argv[1:]))
