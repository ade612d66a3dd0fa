#!/usr/bin/env python3
# tests/tools/tally_test.py - the closing line may never be better than what really ran

import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

TALLY = Path(__file__).resolve().parents[2] / 'tools' / 'tally.py'
GOOD = '<testcase name="a" status="run"/>'
BAD = '<testcase name="b" status="fail"><failure message=""/></testcase>'
SKIPPED = '<testcase name="c" status="notrun"><skipped message="no reason"/></testcase>'
NOT_BUILT = '<testcase name="d" status="notrun"/>'


class TallyTest(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)

    def suite(self, kind, content, status):
        path = self.folder / f'{kind}.results'
        if content is not None:
            path.write_text(content)
        return [kind, str(path), str(status)]

    def ctest(self, cases, status=0):
        return self.suite('ctest', f'<testsuite>{cases}</testsuite>', status)

    def e2e(self, text, status=0):
        return self.suite('e2e', text, status)

    def assert_says(self, arguments, line, exit_status):
        done = subprocess.run([sys.executable, TALLY, *arguments], capture_output=True, text=True)
        self.assertEqual(done.stdout.splitlines()[-1:], [line], done.stdout + done.stderr)
        self.assertEqual(done.returncode, exit_status)

    def test_counts_both_suites(self):
        self.assert_says(self.ctest(GOOD + GOOD) + self.e2e('ok x\n3 passed, 0 failed\n'),
                         '5 passed, 0 failed', 0)

    def test_a_failed_unit_test_fails(self):
        self.assert_says(self.ctest(GOOD + BAD, 8), '1 passed, 1 failed', 1)

    def test_a_skipped_test_is_not_a_pass(self):
        self.assert_says(self.ctest(GOOD + SKIPPED), '1 passed, 0 failed, 1 skipped', 0)

    def test_a_test_that_was_not_built_fails(self):
        self.assert_says(self.ctest(GOOD + NOT_BUILT, 8), '1 passed, 1 failed', 1)

    def test_the_skips_of_the_end_to_end_suite_count(self):
        for closing in ('9 s, 2 skipped\n3 passed, 0 failed\n', '3 passed, 0 failed, 2 skipped\n'):
            self.assert_says(self.ctest(GOOD) + self.e2e(closing),
                             '4 passed, 0 failed, 2 skipped', 0)

    def test_only_the_last_closing_line_of_the_end_to_end_suite_counts(self):
        log = '9 passed, 9 failed\nmore\n4 passed, 2 failed\n'
        self.assert_says(self.e2e(log, 1), '4 passed, 2 failed', 1)

    def test_a_suite_that_died_is_one_failure(self):
        self.assert_says(self.ctest(GOOD) + self.e2e('Traceback ...\n', 1),
                         '1 passed, 1 failed', 1)
        self.assert_says(self.ctest(GOOD) + self.suite('e2e', None, 0), '1 passed, 1 failed', 1)

    def test_an_exit_status_is_believed_over_the_results(self):
        self.assert_says(self.ctest(GOOD, 8), '1 passed, 1 failed', 1)
        self.assert_says(self.e2e('3 passed, 0 failed\n', 137), '3 passed, 1 failed', 1)

    def test_results_that_cannot_be_read_are_a_failure(self):
        self.assert_says(self.suite('ctest', '<testsuite>', 0), '0 passed, 1 failed', 1)

    def test_no_test_at_all_is_a_failure(self):
        self.assert_says(self.ctest(''), '0 passed, 1 failed', 1)
        self.assert_says(self.ctest(SKIPPED), '0 passed, 1 failed, 1 skipped', 1)


if __name__ == '__main__':
    unittest.main()
