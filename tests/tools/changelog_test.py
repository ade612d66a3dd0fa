#!/usr/bin/env python3
# tests/tools/changelog_test.py - a release takes every fragment along, or changes nothing

import sys
import tempfile
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / 'tools'))
import changelog  # noqa: E402

HISTORY = '# Changelog\n\n## Unreleased\n\n## 0.1.0 - 2026-01-01\n\nThe first.\n'
BUILD = 'cmake_minimum_required(VERSION 3.25)\nproject(firstcome VERSION 0.1.0 LANGUAGES CXX)\n'


class ChangelogTest(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.root = Path(folder.name)
        (self.root / 'changes').mkdir()
        self.write('CHANGELOG.md', HISTORY)
        self.write('CMakeLists.txt', BUILD)
        self.write('changes/README.md', 'How to write one.\n')

    def write(self, path, text):
        (self.root / path).write_text(text, encoding='utf-8')

    def read(self, path):
        return (self.root / path).read_text(encoding='utf-8')

    def test_folds_fragments_by_kind_and_removes_them(self):
        self.write('changes/b.md', 'fixed a drift\nof two lines\n')
        self.write('changes/a.md', 'Added: one thing\n')
        self.write('changes/c.md', 'added another\n')
        changelog.fold(self.root, '0.2.0', '2026-02-03')
        self.assertEqual(self.read('CHANGELOG.md'), (
            '# Changelog\n\n## Unreleased\n\n## 0.2.0 - 2026-02-03\n\n'
            '### Added\n\n- One thing\n- Another\n\n### Fixed\n\n- A drift\n  of two lines\n\n'
            '## 0.1.0 - 2026-01-01\n\nThe first.\n'))
        self.assertIn('project(firstcome VERSION 0.2.0 LANGUAGES', self.read('CMakeLists.txt'))
        self.assertIn('VERSION 3.25', self.read('CMakeLists.txt'))
        self.assertEqual([p.name for p in (self.root / 'changes').iterdir()], ['README.md'])

    def test_refuses_and_leaves_everything_as_it_was(self):
        rows = [
            # version  fragment           why
            ('0.2', 'added x', 'not a version'),
            ('0.1.0', 'added x', 'has 0.1.0 already'),
            ('0.2.0', 'improved x', 'start with one of'),
            ('0.2.0', 'added', 'start with one of'),
            ('0.2.0', None, 'nothing to release'),
        ]
        for version, fragment, why in rows:
            with self.subTest(version=version, fragment=fragment):
                if fragment is not None:
                    self.write('changes/x.md', fragment)
                with self.assertRaisesRegex(ValueError, why):
                    changelog.fold(self.root, version, '2026-02-03')
                self.assertEqual(self.read('CHANGELOG.md'), HISTORY)
                self.assertEqual(self.read('CMakeLists.txt'), BUILD)
                self.assertEqual((self.root / 'changes/x.md').exists(), fragment is not None)
                (self.root / 'changes/x.md').unlink(missing_ok=True)


if __name__ == '__main__':
    unittest.main()
