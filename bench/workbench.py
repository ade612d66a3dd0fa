# bench/workbench.py - what every benchmark script needs: servers by pid, rounds in turns, one table
"""Servers run on free ports of 127.0.0.1 in a temporary directory and are ended by their pid.
Contestants take turns (A B A B ...), so that a busy minute of the machine hits all of them; what is
quoted is the median of the rounds, and ratios of medians."""

import datetime
import json
import os
import platform
import random
import resource
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
STOP_SECONDS = 15
RUNNING = []
START_SECONDS = 60


class BenchError(Exception):
    """Something the user has to know; the text is a sentence."""


def say(text):
    print(f'  {text}', file=sys.stderr, flush=True)


def free_port():
    with socket.socket() as probe:
        probe.bind(('127.0.0.1', 0))
        return probe.getsockname()[1]


def scratch_directory(parent):
    """On the disk the caller names: a fsync into memory would flatter everybody."""
    parent = Path(parent)
    parent.mkdir(parents=True, exist_ok=True)
    return tempfile.TemporaryDirectory(prefix='bench-', dir=parent, ignore_cleanup_errors=True)


def raise_file_limit():
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def connects(port):
    try:
        socket.create_connection(('127.0.0.1', port), timeout=1).close()
        return True
    except OSError:
        return False


class Server:
    """One process (and its children), started by us and ended by pid."""

    def __init__(self, name, command, port, directory, environment=None, ready=None):
        self.name = name
        self.command = [str(word) for word in command]
        self.port = port
        self.directory = Path(directory)
        self.environment = {**os.environ, **(environment or {})}
        self.ready = ready or (lambda: connects(self.port))
        self.process = None
        self.start_seconds = None

    @property
    def address(self):
        return f'127.0.0.1:{self.port}'

    def start(self):
        self.directory.mkdir(parents=True, exist_ok=True)
        log = open(self.directory / f'{self.name}.log', 'ab')
        begin = time.monotonic()
        self.process = subprocess.Popen(
            self.command, cwd=self.directory, env=self.environment, stdin=subprocess.DEVNULL,
            stdout=log, stderr=log, start_new_session=True)
        RUNNING.append(self)
        log.close()
        while not self.ready():
            if self.process.poll() is not None:
                raise BenchError(f'{self.name} ended at once: {self.last_words()}')
            if time.monotonic() - begin > START_SECONDS:
                self.stop()
                raise BenchError(f'{self.name} was not ready after {START_SECONDS} s')
            time.sleep(0.002)
        self.start_seconds = time.monotonic() - begin
        return self

    def last_words(self):
        lines = (self.directory / f'{self.name}.log').read_text(errors='replace').splitlines()
        return ' | '.join(lines[-3:]) or 'it said nothing'

    def stop(self):
        if self.process is None:
            return
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                os.killpg(self.process.pid, signal.SIGKILL)
                self.process.wait()
        self.process = None
        RUNNING.remove(self)

    def pids(self):
        """Ours and those of all its descendants."""
        found = [self.process.pid]
        for pid in found:
            for task in Path(f'/proc/{pid}/task').glob('*'):
                try:
                    found += [int(child) for child in (task / 'children').read_text().split()]
                except OSError:
                    pass
        return found

    def cpu_seconds(self):
        ticks = 0
        for pid in self.pids():
            fields = Path(f'/proc/{pid}/stat').read_text().rsplit(')', 1)[1].split()
            ticks += int(fields[11]) + int(fields[12])
        return ticks / os.sysconf('SC_CLK_TCK')

    def resident_bytes(self):
        total = 0
        for pid in self.pids():
            for line in Path(f'/proc/{pid}/status').read_text().splitlines():
                if line.startswith('VmRSS:'):
                    total += int(line.split()[1]) * 1024
        return total

    def __enter__(self):
        return self.start()

    def __exit__(self, *_):
        self.stop()


def stop_all():
    """The last started first: whoever depends on another goes before it."""
    for server in RUNNING[::-1]:
        server.stop()


class LoadGenerator:
    """`firstcome bench`, answers as a dictionary."""

    def __init__(self, binary):
        self.binary = Path(binary)
        if not self.binary.exists():
            raise BenchError(f'{self.binary} is not built: ./dev build')

    def run(self, server, *options, pids=None, audit=True):
        command = [str(self.binary), 'bench', '--server', server.address, '--json', '-', '--quiet']
        command += [str(option) for option in options]
        for pid in pids or server.pids():
            command += ['--server-pid', str(pid)]
        if not audit:
            command += ['--no-audit']
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        lines = done.stdout.strip().splitlines()
        if not lines:
            raise BenchError(f'{server.name}: {done.stderr.strip() or "no result"}')
        result = json.loads(lines[-1])
        if done.returncode != 0:
            raise BenchError(f'{server.name}: the run failed (exit {done.returncode}):\n'
                             f'{done.stderr.strip()}')
        return result


class Figures:
    """Measured values by name; each a list, one value a round."""

    def __init__(self):
        self.values = {}

    def add(self, name, value):
        self.values.setdefault(name, []).append(value)

    def has(self, name):
        return name in self.values

    def median(self, name):
        return statistics.median(self.values[name])

    def spread(self, name):
        return min(self.values[name]), max(self.values[name])


def in_turns(rounds, contestants):
    """contestants: (name, callable) pairs. Each round has an order of its own, the same in each
    run: nobody always follows the same neighbour, who may leave the disk something to do."""
    for number in range(rounds):
        for name, measure in random.Random(number).sample(contestants, len(contestants)):
            say(f'round {number + 1}/{rounds}: {name}')
            measure()


def table(head, rows):
    columns = [[str(cell) for cell in column] for column in zip(head, *rows)]
    widths = [max(len(cell) for cell in column) for column in columns]
    lines = []
    for row in (head, ['-' * width for width in widths], *rows):
        cells = (str(cell).ljust(width) for cell, width in zip(row, widths))
        lines.append('| ' + ' | '.join(cells) + ' |')
    return '\n'.join(lines)


def git(*words):
    done = subprocess.run(['git', '-C', str(ROOT), *words], capture_output=True, text=True,
                          check=False)
    return done.stdout.strip()


def processor():
    for line in Path('/proc/cpuinfo').read_text().splitlines():
        if line.startswith('model name'):
            return line.split(':', 1)[1].strip()
    return platform.machine()


def filesystem(directory):
    if shutil.which('findmnt') is None:
        return 'unknown'
    done = subprocess.run(['findmnt', '--noheadings', '--output', 'FSTYPE', '--target',
                           str(directory)], capture_output=True, text=True, check=False)
    return done.stdout.strip() or 'unknown'


def heading(title, command, directory):
    """Date, commit, machine and command, as bench/RESULTS.md wants them."""
    commit = git('rev-parse', '--short', 'HEAD') or 'no commit'
    if git('status', '--porcelain', '--untracked-files=no'):
        commit += ' with uncommitted changes'
    load = os.getloadavg()[0]
    gigabytes = os.sysconf('SC_PAGE_SIZE') * os.sysconf('SC_PHYS_PAGES') / 2**30
    return '\n'.join([
        f'### {title}',
        f'{datetime.datetime.now(datetime.timezone.utc):%Y-%m-%d %H:%M} UTC, commit {commit}  ',
        f'`{command}`  ',
        f'{os.cpu_count()} cores of {processor()}, {gigabytes:.0f} GiB, Linux '
        f'{platform.release()}, {filesystem(directory)}; load before the run {load:.1f}',
        '',
    ])
