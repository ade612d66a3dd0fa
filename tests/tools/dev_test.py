#!/usr/bin/env python3
# tests/tools/dev_test.py - ./dev says what it can do, and refuses what it cannot before it starts

import os
import subprocess
import unittest
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
VERBS = ('setup', 'build', 'run', 'test', 'check', 'bench', 'fuzz', 'ci', 'release')


def dev(*arguments):
    return subprocess.run([ROOT / 'dev', *arguments], cwd='/', stdin=subprocess.DEVNULL,
                          capture_output=True, text=True, check=False)


class DevTest(unittest.TestCase):
    def test_help_names_every_verb(self):
        for arguments in ([], ['help'], ['--help']):
            done = dev(*arguments)
            self.assertEqual(done.returncode, 0)
            for verb in VERBS:
                self.assertRegex(done.stdout, rf'(?m)^  {verb}\b')

    def test_refuses_what_it_does_not_know_and_names_what_there_is(self):
        rows = [
            (['deploy'], 'no verb "deploy"'),
            (['build', 'debug'], 'there are: release dev tsan fuzz'),
            (['setup', 'docs'], 'there are: build test stores check bench fuzz'),
            (['test', '--quick'], 'unknown option --quick'),
            (['test', '--preset', 'release'], 'the presets are dev and tsan'),
            (['test', '--filter'], '--filter needs a regular expression'),
            (['check', 'spelling'], 'there are: format tidy shell lint headers'),
            (['fuzz', 'long'], 'not a number of seconds'),
            (['release'], 'which version?'),
        ]
        for arguments, message in rows:
            with self.subTest(arguments=arguments):
                done = dev(*arguments)
                self.assertNotEqual(done.returncode, 0)
                self.assertIn(message, done.stderr)

    def test_is_executable_from_anywhere(self):
        self.assertTrue(os.access(ROOT / 'dev', os.X_OK))
        self.assertEqual(dev('check', 'shell').returncode, 0)


if __name__ == '__main__':
    unittest.main()
