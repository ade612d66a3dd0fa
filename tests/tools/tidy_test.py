#!/usr/bin/env python3
# tests/tools/tidy_test.py - breaks every rule of tools/tidy.py on purpose and sees it fail

import sys
import tempfile
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / 'tools'))
import tidy  # noqa: E402

DO_MARK = 'TO' + 'DO'


def cpp(path, body, stop=None):
    second = f'// stop {stop} of 7 on the path of one order\n' if stop else ''
    guard = '#pragma once\n' if path.endswith('.hpp') else ''
    return f'// {path} - a purpose\n{second}{guard}\n{body}\n'


class TidyTest(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.root = Path(folder.name)
        for stop in range(1, 8):
            path = f'src/app/stop{stop}.hpp'
            self.write(path, cpp(path, '', stop))
        self.write('CMakeLists.txt', '# CMakeLists.txt - the build\n')

    def write(self, path, text):
        file = self.root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding='utf-8')

    def failures(self):
        return tidy.tidy(self.root)[0]

    def hints(self):
        return tidy.tidy(self.root)[1]

    def put(self, path, body):
        self.write(path, cpp(path, body))
        return self.failures()

    def assert_one(self, failures, *parts):
        self.assertEqual(len(failures), 1, failures)
        for part in parts:
            self.assertIn(part, failures[0])

    def test_a_clean_tree_passes(self):
        self.assertEqual(self.failures(), [])

    def test_a_file_without_its_purpose_fails(self):
        self.write('src/base/x.cpp', 'int x;\n')
        self.assert_one(self.failures(), 'src/base/x.cpp:1: no purpose line',
                        'Start the file with "// src/base/x.cpp - <purpose>"')

    def test_a_purpose_line_with_another_files_path_fails(self):
        self.write('src/base/x.cpp', '// src/base/y.cpp - moved, and forgotten\n')
        self.assert_one(self.failures(), 'no purpose line')

    def test_each_language_has_its_own_comment(self):
        self.write('src/adapters/sqlite/schema.sql', '# src/adapters/sqlite/schema.sql - tables\n')
        self.write('cmake/x.cmake', '# cmake/x.cmake - fine\n')
        self.write('bench/run', '#!/usr/bin/env bash\n# bench/run - fine: below the interpreter\n')
        self.write('tools/x.py', '#!/usr/bin/env python3\nimport os\n')
        found = self.failures()
        self.assertEqual(len(found), 2, found)
        self.assertIn('"-- src/adapters/sqlite/schema.sql - <purpose>"', found[0])
        self.assertIn('tools/x.py:2:', found[1])

    def test_a_header_without_guard_fails(self):
        self.write('src/base/x.hpp', '// src/base/x.hpp - a purpose\n')
        self.assert_one(self.failures(), '#pragma once')

    def test_a_line_of_101_columns_fails_and_100_is_fine(self):
        self.put('src/base/x.cpp', '//' + 'x' * 98)
        self.assertEqual(self.failures(), [])
        self.assert_one(self.put('src/base/x.cpp', '//' + 'x' * 99), 'x.cpp:3: 101 columns')

    def test_columns_are_characters_not_bytes(self):
        self.assertEqual(self.put('src/base/x.cpp', '// ' + '선' * 97), [])

    def test_a_mark_for_later_fails(self):
        self.assert_one(self.put('src/base/x.cpp', f'// {DO_MARK}: later'), 'open an issue')

    def test_a_stop_that_is_missing_or_twice_fails(self):
        path = 'src/app/stop3.hpp'
        self.write(path, cpp(path, '', 4))
        found = self.failures()
        self.assertEqual(len(found), 2, found)
        self.assertIn('stop 3 of 7 is missing', found[0])
        self.assertIn('stop 4 is also in', found[1])

    def test_the_layer_table_is_kept(self):
        rows = [
            # file                            includes                  allowed
            ('src/app/x.cpp', '"domain/order.hpp"', True),
            ('src/app/x.cpp', '"http/session.hpp"', False),
            ('src/domain/x.cpp', '"ports/order_store.hpp"', False),
            ('src/domain/x.cpp', '<sys/random.h>', True),
            ('src/domain/x.cpp', '<boost/json.hpp>', False),
            ('src/domain/x.cpp', '<fmt/format.h>', False),
            ('src/base/hash.cpp', '<xxhash.h>', True),
            ('src/base/x.cpp', '<xxhash.h>', False),
            ('src/http/x.cpp', '<boost/asio.hpp>', True),
            ('src/http/x.cpp', '<sqlite3.h>', False),
            ('src/http/x.cpp', '"adapters/sqlite/ledger.hpp"', False),
            ('src/adapters/sqlite/x.cpp', '<sqlite3.h>', True),
            ('src/adapters/sqlite/x.cpp', '"adapters/memory/ledger.hpp"', False),
            ('src/adapters/sqlite/x.cpp', '"adapters/sqlite/ledger.hpp"', True),
            ('src/telemetry/x.cpp', '<prometheus/counter.h>', True),
            ('src/telemetry/x.cpp', '<some_library.hpp>', False),
            ('src/app/x.cpp', '"order.hpp"', False),
            ('src/app/x.cpp', '"wiring/serve.hpp"', False),
            ('src/wiring/serve.cpp', '"wiring/serve.hpp"', True),
            ('src/wiring/embedded.cpp', '"adapters/sqlite/ledger.hpp"', True),
            ('src/cli/serve.cpp', '<CLI/CLI.hpp>', True),
            ('src/main.cpp', '"cli/serve.hpp"', True),
            ('tests/app/x_test.cpp', '<gtest/gtest.h>', True),
        ]
        for path, name, allowed in rows:
            with self.subTest(path=path, name=name):
                found = self.put(path, f'#include {name}')
                self.assertEqual(found == [], allowed, found)
                (self.root / path).unlink()

    def test_a_layer_nobody_knows_fails(self):
        self.assert_one(self.put('src/helpers/x.cpp', ''), 'unknown layer helpers')

    def test_cmake_and_the_table_must_agree(self):
        self.write('CMakeLists.txt', '# CMakeLists.txt - the build\nfc_layer(base)\n'
                                     'fc_layer(domain USES base http LIBRARIES x)\n')
        self.assert_one(self.failures(), 'CMakeLists.txt:3: fc_layer(domain)', 'ADR')

    def test_what_is_banned_fails_with_its_cure(self):
        rows = [
            # file                code                                              cure
            ('src/http/x.cpp', 'asio::co_spawn(c, f(), asio::detached);', 'report_exit'),
            ('src/app/x.cpp', 'auto t = std::chrono::steady_clock::now();', 'base::Clock'),
            ('tests/app/x_test.cpp', 'auto t = system_clock::now();', 'base::Clock'),
            ('src/app/x.cpp', 'std::this_thread::sleep_for(1ms);', 'manual clock'),
            ('tests/app/x_test.cpp', 'usleep(1);', 'manual clock'),
            ('src/http/x.cpp', 'try { f(); } catch (...) { /* never mind */ }', 'error value'),
            ('src/http/x.cpp', 'throw std::runtime_error{"no"};', 'std::unexpected'),
            ('src/cli/x.cpp', 'out << std::endl;', "'\\n'"),
            ('src/app/x.cpp', 'std::cout << 1;', 'telemetry/log'),
            ('src/app/x.cpp', 'std::printf("1");', 'telemetry/log'),
            ('src/http/x.cpp', 'auto f = [&app](int i) -> awaitable<void> {', 'free function'),
            ('src/http/x.cpp', 'asio::co_spawn(strand, [s] { return f(s); }, g);', 'free function'),
            ('src/http/x.cpp', 'co_await run([x](int i) { return i; });', 'Name the lambda'),
            ('src/http/x.cpp', 'int i = ok ? co_await a() : 0;', 'into a variable'),
            ('src/http/x.cpp', 'if (ok && !co_await a()) return;', 'into a variable'),
            ('src/http/x.cpp', '{ std::lock_guard l{m};\n co_await a(); }', 'Close its scope'),
        ]
        for path, code, cure in rows:
            with self.subTest(path=path, code=code):
                self.assert_one(self.put(path, code), f'{path}:3: ', cure)
                (self.root / path).unlink()

    def test_what_only_looks_banned_passes(self):
        rows = [
            ('src/base/time.cpp', 'return std::chrono::steady_clock::now();'),
            ('src/cli/bench.cpp', 'std::this_thread::sleep_for(1ms); std::cout << 1;'),
            ('bench/x.cpp', 'auto t = steady_clock::now();'),
            ('src/http/x.cpp', '// detached would lose it; std::endl too'),
            ('src/http/x.cpp', 'const auto text = "catch (...) {} std::endl"; int n = 1\'000;'),
            ('src/http/x.cpp', 'const auto text = R"(std::endl " )"; // x'),
            ('src/http/x.cpp', 'try { f(); } catch (...) { return fault; }'),
            ('src/http/x.cpp', 'auto&& reply = co_await a(ok ? 1 : 2);'),
            ('src/http/x.cpp', 'co_await table[i](request);'),
            ('src/http/x.cpp', '{ std::lock_guard l{m}; }\nco_await a();'),
            ('src/base/x.cpp', 'std::fprintf(stderr, "last words");'),
        ]
        for path, code in rows:
            with self.subTest(path=path, code=code):
                self.assertEqual(self.put(path, code), [])
                (self.root / path).unlink()

    def test_every_counted_enumerator_needs_a_test(self):
        self.put('src/domain/order.hpp', 'enum class Rejection : std::uint8_t {\n'
                                         '    sold_out,  // a reason\n    sale_closed,\n};\n'
                                         'enum class Other { free };')
        self.put('tests/domain/order_test.cpp', 'EXPECT_EQ(why, Rejection::sold_out);\n'
                                                '// Rejection::sale_closed in words only')
        self.assert_one(self.failures(), 'order.hpp:6: no test names Rejection::sale_closed')

    def test_a_fragment_says_its_kind_first(self):
        self.write('changes/README.md', 'How to\n')
        self.write('changes/good.md', 'added a thing\n')
        self.write('changes/bad.md', 'improved a thing\n')
        self.assert_one(self.failures(), 'changes/bad.md:1', 'added, changed, fixed, security')

    def test_sizes_and_mirrors_are_hints_only(self):
        body = ''.join(f'    f({i});\n' for i in range(45))
        self.assertEqual(self.put('src/base/x.cpp', 'void long_one() {\n' + body + '}'), [])
        hints = '\n'.join(self.hints())
        self.assertIn('src/base/x.cpp:3: hint: a function of 46 lines', hints)
        self.assertIn('no tests/base/x_test.cpp mirrors it', hints)
        self.write('tests/base/x_test.cpp', cpp('tests/base/x_test.cpp', ''))
        self.assertNotIn('mirrors', '\n'.join(self.hints()))


if __name__ == '__main__':
    unittest.main()
