#!/usr/bin/env python3
# tools/tidy.py - the style a machine can check: each failure says file, line, what, and the cure
"""Usage: tools/tidy.py [ROOT]. Prints hints, then failures; exits 1 if anything failed."""

import os
import re
import sys
from pathlib import Path

CPP = {'.cpp', '.hpp'}
COMMENT = {'.cpp': '//', '.hpp': '//', '.js': '//', '.mjs': '//', '.sql': '--', '.lua': '--',
           '.py': '#', '.sh': '#', '.cmake': '#', 'CMakeLists.txt': '#'}
SKIPPED_FOLDERS = {'build', 'data', 'node_modules', '__pycache__', 'corpus'}
COLUMNS_MAX = 100
STOPS = 7

# The dependency rule, as in CMakeLists.txt: layer -> layers it may include, third-party headers.
LAYERS = {
    'base': ('', ''),
    'domain': ('base', ''),
    'ports': ('domain base', ''),
    'resilience': ('base', ''),
    'app': ('ports domain resilience base', ''),
    'config': ('base', 'fmt/ toml++/'),
    'telemetry': ('ports domain base', 'spdlog/ fmt/ prometheus/'),
    'adapters/memory': ('ports domain base', ''),
    'adapters/sqlite': ('ports domain resilience telemetry base', 'sqlite3.h fmt/'),
    'adapters/redis': ('ports domain resilience telemetry base', 'hiredis/ openssl/ fmt/'),
    'adapters/postgres': ('ports domain resilience telemetry base', 'libpq-fe.h fmt/'),
    'adapters/webhook': ('ports domain resilience telemetry base', 'curl/ openssl/ fmt/'),
    'adapters/probe': ('ports domain resilience telemetry base', 'curl/ fmt/'),
    'adapters/tracing': ('ports domain resilience telemetry base', 'curl/ fmt/'),
    'adapters/guarded': ('ports domain resilience telemetry base', ''),
    'http': ('app ports domain telemetry base', 'boost/ openssl/ fmt/'),
}
EVERYTHING = ('cli', 'main', 'wiring')
FILE_EXCEPTIONS = {'src/base/hash.cpp': 'xxhash.h'}
SYSTEM = re.compile(r'[a-z0-9_]+$|(sys|net|netinet|arpa|linux)/\w+\.h$|'
                    r'(unistd|fcntl|poll|signal|pthread|sched|errno|netdb|dirent|termios|cxxabi|'
                    r'execinfo|immintrin)\.h$')

# what, pattern over code without comments and texts, folders it holds in, exempt, the cure
BANNED = [
    ('detached', r'\bdetached\b', 'src tests bench', '',
     'give co_spawn report_exit("<what>"), so that no exception vanishes'),
    ('the clock, asked directly',
     r'\b(steady|system|high_resolution)_clock::now\b|\bstd::time\s*\(', 'src tests',
     'src/base/time.cpp tests/e2e', 'take a base::Clock; tests use a manual one'),
    ('a sleep', r'\b(sleep_for|sleep_until|usleep|nanosleep)\b', 'src tests',
     'src/cli tests/e2e', 'wait for the event itself, or move a manual clock'),
    ('an empty catch', r'\bcatch\s*\([^)]*\)\s*\{\s*\}', 'src tests bench', '',
     'turn the exception into an error value, or log it'),
    ('a throw', r'\bthrow\b', 'src', '', 'return std::unexpected(...); we throw nothing'),
    ('std::endl', r'\bstd::endl\b', 'src tests bench', '', "write '\\n'; nothing needs the flush"),
    ('output from a layer', r'\bstd::(cout|cerr|clog)\b|\bprintf\s*\(|\bputs\s*\(', 'src',
     ' '.join('src/' + name for name in EVERYTHING), 'return it, or log it through telemetry/log'),
    ('a coroutine lambda', r'\[[^\]\n]*\]\s*(\([^{};]*\))?\s*(mutable|noexcept|\s)*->\s*'
     r'[\w:]*\bawaitable\b|\bco_spawn\s*\([^,;]*,\s*\[', 'src tests bench', '',
     'make it a free function: its parameters live in the frame, captures do not'),
    ('a lambda inside a co_await expression', r'\bco_await\b[^;{}]*[(,]\s*\[[^\]]*\]\s*[({]',
     'src tests bench', '', 'name the lambda first (g++ 12 may destroy it twice)'),
    ('co_await inside ?:, && or ||', r'\?[^;{}]*\bco_await\b|(&&|\|\|)\s*[!(]*\s*co_await\b',
     'src tests bench', '', 'await into a variable first, then decide'),
]
# Spelled in halves, so that this file passes its own rule.
MARKS = re.compile(r'\b(' + '|'.join(['TO' + 'DO', 'FIX' + 'ME', 'HA' + 'CK', 'X' + 'XX']) + r')\b')
LOCK = re.compile(r'\b(lock_guard|unique_lock|scoped_lock|shared_lock)\b')
COUNTED_ENUMS = ('Rejection', 'LedgerError', 'StoreError')
FRAGMENT_KINDS = ('added', 'changed', 'fixed', 'security')
NOT_CODE = re.compile(
    r'R"(?P<d>[^(\s]*)\(.*?\)(?P=d)"|//[^\n]*|/\*.*?\*/|"(?:\\.|[^"\\\n])*"|'
    r"(?<![0-9a-fA-F])'(?:\\.|[^'\\\n])+'", re.S)
INCLUDE = re.compile(r'^\s*#\s*include\s*([<"])([^>"]+)[>"]', re.M)


class File:
    def __init__(self, root, path):
        self.path = path
        self.text = (root / path).read_text(encoding='utf-8', errors='replace')
        self.lines = self.text.splitlines()
        name = path.rsplit('/', 1)[-1]
        self.suffix = name if name in COMMENT else os.path.splitext(name)[1]
        if not self.suffix and self.text.startswith('#!'):
            self.suffix = '.py' if 'python' in self.lines[0] else '.sh'
        self.is_cpp = self.suffix in CPP
        self.code = NOT_CODE.sub(blank, self.text) if self.is_cpp else ''

    def under(self, folders):
        stem = os.path.splitext(self.path)[0]
        return any(stem == f or self.path.startswith(f + '/') or self.path == f
                   for f in folders.split())

    def line_at(self, offset):
        return self.text.count('\n', 0, offset) + 1


def blank(match):
    """Blanks comments and texts, newlines kept: what follows sees only code, at the same place."""
    return re.sub(r'[^\n]', ' ', match.group(0))


def find_files(root):
    for folder, below, names in os.walk(root):
        below[:] = sorted(b for b in below if b not in SKIPPED_FOLDERS
                          and (b == '.ci' or not b.startswith('.')))
        for name in sorted(names):
            path = Path(folder, name).relative_to(root).as_posix()
            suffix = os.path.splitext(name)[1]
            if name in COMMENT or suffix in COMMENT or not suffix and not name.startswith('.'):
                yield File(root, path)


def check_purpose(file, report):
    if file.suffix not in COMMENT:
        return
    at = 1 if file.text.startswith('#!') else 0
    line = file.lines[at] if len(file.lines) > at else ''
    wanted = f'{COMMENT[file.suffix]} {file.path} - '
    if not line.startswith(wanted) or not line[len(wanted):].strip():
        report(file, at + 1, 'no purpose line', f'start the file with "{wanted}<purpose>"')
    if file.suffix == '.hpp' and not re.search(r'^#pragma once$', file.text, re.M):
        report(file, at + 1, 'no include guard', 'write "#pragma once" below the purpose line')


def check_columns_and_marks(file, report):
    if file.suffix not in COMMENT or COMMENT[file.suffix] == '#' and 'ake' in file.suffix:
        return
    for number, line in enumerate(file.lines, 1):
        if len(line) > COLUMNS_MAX:
            report(file, number, f'{len(line)} columns', f'break the line; {COLUMNS_MAX} at most')
        if mark := MARKS.search(line):
            report(file, number, f'a {mark.group(0)} mark', 'do it now, or open an issue')


def layer_of(path):
    parts = path.split('/')[1:]
    if parts[0] == 'adapters':
        return '/'.join(parts[:2])
    return parts[0] if len(parts) > 1 else os.path.splitext(parts[0])[0]


def check_layers(file, report):
    layer = layer_of(file.path)
    if layer in EVERYTHING:
        return
    if layer not in LAYERS:
        report(file, 1, f'unknown layer {layer}', 'add it to LAYERS here and in CMakeLists.txt')
        return
    layers, headers = LAYERS[layer]
    headers = headers.split() + FILE_EXCEPTIONS.get(file.path, '').split()
    for match in INCLUDE.finditer(file.text):
        quote, name = match.groups()
        line = file.line_at(match.start(1))
        if quote == '<':
            if not SYSTEM.match(name) and not any(name.startswith(h) for h in headers):
                report(file, line, f'{layer} includes <{name}>',
                       f'{layer} may use: ' + (', '.join(headers) or 'the standard library alone'))
        elif '/' not in name:
            report(file, line, f'includes "{name}"', 'spell the path from src/')
        elif (other := layer_of('src/' + name)) not in [layer, *layers.split()]:
            report(file, line, f'{layer} includes {other}',
                   f'{layer} may include: {layers or "nothing but itself"}; turn the call around')


def check_layer_table(root, report_at):
    """The table above and CMakeLists.txt must agree; a layer not there yet is no failure."""
    cmake = root / 'CMakeLists.txt'
    text = cmake.read_text(encoding='utf-8') if cmake.exists() else ''
    for match in re.finditer(r'^fc_layer\((\S+?)(?:\s+USES\s+([^)]*?))?(?:\s+LIBRARIES[^)]*)?\)',
                             text, re.M):
        layer, uses = match.group(1), set((match.group(2) or '').split())
        if uses != set(LAYERS.get(layer, ('',))[0].split()):
            report_at('CMakeLists.txt', text.count('\n', 0, match.start()) + 1,
                      f'fc_layer({layer}) and the table in tools/tidy.py differ',
                      'change both, with an ADR, or neither')


def check_banned(file, report):
    for what, pattern, folders, exempt, cure in BANNED:
        if file.under(folders) and not file.under(exempt):
            for match in re.finditer(pattern, file.code):
                report(file, file.line_at(match.start()), what, cure)
    for lock in LOCK.finditer(file.code):
        depth, at = 0, lock.end()
        while at < len(file.code) and depth >= 0:
            depth += {'{': 1, '}': -1}.get(file.code[at], 0)
            at += 1
        if 'co_await' in file.code[lock.end():at]:
            report(file, file.line_at(lock.start()), 'a lock held across co_await',
                   'close its scope first, or let one owner have the state')


def check_stops(files, report_at):
    found = {}
    for file in files:
        head = '\n'.join(file.lines[:5])
        if match := re.search(r'^// stop (\d+) of 7 on the path of one order$', head, re.M):
            found.setdefault(int(match.group(1)), []).append(file.path)
    for stop in range(1, STOPS + 1):
        paths = found.get(stop, [])
        if not paths:
            report_at('src', 0, f'stop {stop} of {STOPS} is missing', 'write "// stop '
                      f'{stop} of {STOPS} on the path of one order" on line 2 of its header')
        for path in paths[1:]:
            report_at(path, 2, f'stop {stop} is also in {paths[0]}', 'one file per stop')


def check_enumerators(files, report):
    tests = '\n'.join(f.code for f in files if f.is_cpp and f.under('tests'))
    for file in files:
        if not file.is_cpp or not file.under('src'):
            continue
        for enum in re.finditer(r'\benum class (\w+)[^{;]*\{([^}]*)\}', file.code):
            if enum.group(1) not in COUNTED_ENUMS:
                continue
            for word in re.finditer(r'\b([a-z]\w*)\b', enum.group(2)):
                full = f'{enum.group(1)}::{word.group(1)}'
                if not re.search(rf'\b{full}\b', tests):
                    report(file, file.line_at(enum.start(2) + word.start()),
                           f'no test names {full}', 'write the test that provokes it')


def check_fragments(root, report_at):
    for path in sorted((root / 'changes').glob('*.md')):
        first = (path.read_text(encoding='utf-8').split() or [''])[0]
        if path.name != 'README.md' and first.rstrip(':').lower() not in FRAGMENT_KINDS:
            report_at(f'changes/{path.name}', 1, f'starts with "{first}"',
                      'start with one of: ' + ', '.join(FRAGMENT_KINDS))


def size_hints(file, paths):
    hints = []
    size_max = 120 if file.suffix == '.hpp' else 300
    if len(file.lines) > size_max:
        hints.append((len(file.lines), f'{len(file.lines)} lines; {size_max} read better'))
    start = None
    for number, line in enumerate(file.code.splitlines(), 1):
        indent = len(line) - len(line.lstrip())
        if start is None and indent in (0, 4) and re.search(r'\)[\w\s:&>-]*\{\s*$', line) \
                and not re.match(r'\s*(if|for|while|switch|else|enum|struct|class)\b', line):
            start, base, deepest = number, indent, 0
        elif start is not None and line.startswith(' ' * base + '}'):
            if number - start > 40:
                hints.append((start, f'a function of {number - start} lines; 40 read better'))
            if deepest > 3:
                hints.append((start, f'{deepest} levels deep; 3 read better'))
            start = None
        elif start is not None and re.match(r'\s*(if|for|while|switch)\b', line):
            deepest = max(deepest, (indent - base) // 4)
    parts = re.match(r'src/(.+/.+)\.cpp$', file.path)
    if parts and f'tests/{parts.group(1)}_test.cpp' not in paths:
        hints.append((1, f'no tests/{parts.group(1)}_test.cpp mirrors it'))
    return [f'{file.path}:{line}: hint: {what}' for line, what in hints]


def tidy(root):
    """Returns (failures, hints), each one line of text, and the number of files read."""
    root = Path(root)
    found, hints = [], []

    def report_at(path, line, what, cure):
        found.append((path, line, f'{path}:{line}: {what}. {cure[0].upper()}{cure[1:]}.'))

    def report(file, line, what, cure):
        report_at(file.path, line, what, cure)

    files = list(find_files(root))
    paths = {file.path for file in files}
    for file in files:
        check_purpose(file, report)
        check_columns_and_marks(file, report)
        if not file.is_cpp:
            continue
        check_banned(file, report)
        if file.under('src'):
            check_layers(file, report)
            hints += size_hints(file, paths)
    check_layer_table(root, report_at)
    check_stops([file for file in files if file.is_cpp and file.under('src')], report_at)
    check_enumerators(files, report)
    check_fragments(root, report_at)
    return [text for _, _, text in sorted(found)], hints, len(files)


def main():
    failures, hints, count = tidy(sys.argv[1] if len(sys.argv) > 1 else Path(__file__).parents[1])
    for line in hints + failures:
        print(line)
    print(f'tidy: {count} files, {len(failures)} failures, {len(hints)} hints')
    return 1 if failures else 0


if __name__ == '__main__':
    sys.exit(main())
