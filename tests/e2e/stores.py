# tests/e2e/stores.py - a real Redis and a real PostgreSQL of one test's own
"""Everything listens on 127.0.0.1 on a free port, lives in the test's scratch directory, and is
ended by its process id. PostgreSQL refuses to run as root: it then runs as the user `postgres`."""

import ctypes
import glob
import os
import pwd
import signal
import socket
import subprocess
import tempfile

from faults import shim
from harness import DEADLINE_S, wait_until

_libc = ctypes.CDLL(None, use_errno=True)
_PR_SET_PDEATHSIG = 1


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def _listens(port):
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex(("127.0.0.1", port)) == 0


class Program:
    """A server process on a port, started and ended as often as a test likes."""

    def __init__(self, command, port, log):
        self.command = [str(word) for word in command]
        self.port = port
        self.log_path = log
        self.environment = {}  # beside what the test itself runs with
        self.process = None

    def start(self, deadline_s=DEADLINE_S):
        assert not self.running, "it runs already"
        with open(self.log_path, "ab") as log:
            self.process = subprocess.Popen(
                self.command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd="/",
                env={**os.environ, **self.environment},
                preexec_fn=lambda: _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
            )
        wait_until(self._listens_or_fails, f"{self.command[0]} listens", deadline_s)
        return self

    def _listens_or_fails(self):
        if self.process.poll() is not None:
            with open(self.log_path, encoding="utf-8", errors="replace") as log:
                raise AssertionError(f"{self.command} ended at start:\n{log.read()[-2000:]}")
        return _listens(self.port)

    @property
    def running(self):
        return self.process is not None and self.process.poll() is None

    def signal(self, number):
        self.process.send_signal(number)

    def kill(self):
        if self.running:
            self.process.kill()
        if self.process is not None:
            self.process.wait()

    def freeze(self):
        self.signal(signal.SIGSTOP)

    def thaw(self):
        self.signal(signal.SIGCONT)


class Redis(Program):
    """Its syncs cost nothing, since a test kills the server, not the machine: see sync_shim.cpp."""

    def __init__(self, scratch, port=None, options=(), name="redis"):
        port = port or free_port()
        # Of its own: in a long test a port comes again.
        self.directory = tempfile.mkdtemp(prefix=f"{name}-{port}-", dir=scratch)
        command = [
            "redis-server", "--port", port, "--bind", "127.0.0.1", "--dir", self.directory,
            "--save", "", "--appendonly", "yes", "--appendfsync", "everysec",
            "--maxmemory-policy", "noeviction", *options,
        ]
        super().__init__(command, port, os.path.join(self.directory, "redis.log"))
        self.environment = {"LD_PRELOAD": shim("sync_shim")}
        self.cli_options = []

    @property
    def url(self):
        return f"redis://127.0.0.1:{self.port}/0"

    def start(self, deadline_s=DEADLINE_S):
        super().start(deadline_s)
        wait_until(lambda: self.cli("PING") == "PONG", "Redis has read its data", deadline_s)
        return self

    def cli(self, *words):
        done = subprocess.run(
            ["redis-cli", "-p", str(self.port), *self.cli_options, *[str(word) for word in words]],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False,
            timeout=DEADLINE_S,
        )
        return done.stdout.decode(errors="replace").strip()

    def lose_data(self):
        """As a new machine would be: nothing is left of what was stored."""
        assert not self.running
        for path in glob.glob(os.path.join(self.directory, "appendonlydir", "*")):
            os.unlink(path)


class Postgres(Program):
    """A cluster with one database; fsync is off, since a test kills the server, not the machine."""

    def __init__(self, scratch, options=(), initdb=()):
        found = sorted(glob.glob("/usr/lib/postgresql/*/bin/initdb"))
        assert found, "PostgreSQL is not installed: ./dev setup test"
        self.programs = os.path.dirname(found[-1])
        port = free_port()
        self.directory = os.path.join(scratch, f"postgres-{port}")
        os.makedirs(self.directory)
        self.prefix = []
        if os.geteuid() == 0:
            owner = pwd.getpwnam("postgres")
            os.chown(self.directory, owner.pw_uid, owner.pw_gid)
            os.chmod(scratch, 0o755)
            self.prefix = [
                "setpriv", "--reuid", "postgres", "--regid", "postgres", "--clear-groups", "--"
            ]
        subprocess.run(
            [*self.prefix, f"{self.programs}/initdb", "--pgdata", self.directory, "--username",
             "firstcome", "--auth", "trust", "--encoding", "UTF8", "--no-locale", "--no-sync",
             "--no-instructions", *initdb],
            cwd="/", check=True, stdout=subprocess.DEVNULL
        )
        command = [
            *self.prefix, f"{self.programs}/postgres", "-D", self.directory, "-c", f"port={port}",
            "-c", "listen_addresses=127.0.0.1", "-c", "unix_socket_directories=", "-c", "fsync=off",
            "-c", "max_connections=200", *options,
        ]
        super().__init__(command, port, os.path.join(scratch, f"postgres-{port}.log"))

    @property
    def url(self):
        return f"postgresql://firstcome@127.0.0.1:{self.port}/postgres"

    def start(self, deadline_s=DEADLINE_S):
        wait_until(self._starts, "what is left of the last PostgreSQL is gone", deadline_s)
        wait_until(self._accepts, "PostgreSQL takes connections", deadline_s)
        return self

    def _starts(self):
        """False while children of one that ended by itself still hold its memory."""
        try:
            return super().start()
        except AssertionError as error:
            if "is still in use" not in str(error):
                raise
            return False

    def _accepts(self):
        ready = [f"{self.programs}/pg_isready", "-q", "-h", "127.0.0.1", "-p", str(self.port)]
        return subprocess.run(ready, check=False).returncode == 0

    def kill(self):
        """kill -9 of the postmaster; its children notice and end themselves, and are waited for."""
        children = self._children() if self.running else []
        super().kill()
        wait_until(
            lambda: not any(os.path.exists(f"/proc/{pid}") for pid in children),
            "PostgreSQL's processes are gone"
        )
        pid_file = os.path.join(self.directory, "postmaster.pid")
        if os.path.exists(pid_file):
            os.unlink(pid_file)

    def _children(self):
        found = subprocess.run(
            ["pgrep", "--parent", str(self.process.pid)], stdout=subprocess.PIPE, check=False
        )
        return [int(pid) for pid in found.stdout.split()]

    def freeze(self):
        """All of it stands still, in the middle of whatever it was doing."""
        for pid in [self.process.pid, *self._children()]:
            os.kill(pid, signal.SIGSTOP)

    def thaw(self):
        for pid in [self.process.pid, *self._children()]:
            os.kill(pid, signal.SIGCONT)

    def select(self, sql):
        """Rows as lists of texts; NULL is an empty text."""
        done = subprocess.run(
            [f"{self.programs}/psql", "--no-psqlrc", "--quiet", "--tuples-only", "--no-align",
             "--field-separator", "\x1f", "--set", "ON_ERROR_STOP=1", "--dbname", self.url,
             "--command", sql],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, check=False,
            timeout=60,
        )
        assert done.returncode == 0, f"psql: {done.stderr.decode(errors='replace')}\n{sql}"
        return [line.split("\x1f") for line in done.stdout.decode().splitlines() if line]

    def read_log(self):
        with open(self.log_path, encoding="utf-8", errors="replace") as log:
            return log.read()

    def value(self, sql):
        rows = self.select(sql)
        return rows[0][0] if rows else None


class Sentinel(Program):
    """Watches one master; a failover takes about two seconds."""

    def __init__(self, scratch, master_port, number, port=None):
        port = port or free_port()
        folder = os.path.join(scratch, f"sentinel-{number}")
        os.makedirs(folder)
        config = os.path.join(folder, "sentinel.conf")
        with open(config, "w", encoding="ascii") as file:
            file.write(
                f"port {port}\nbind 127.0.0.1\ndir {folder}\n"
                f"sentinel monitor shop 127.0.0.1 {master_port} 1\n"
                "sentinel down-after-milliseconds shop 700\n"
                "sentinel failover-timeout shop 3000\n"
            )
        super().__init__(["redis-sentinel", config], port, os.path.join(folder, "sentinel.log"))

    def says(self):
        """What it knows of its master, as one line."""
        done = subprocess.run(
            ["redis-cli", "-p", str(self.port), "SENTINEL", "master", "shop"],
            stdout=subprocess.PIPE, check=False, timeout=DEADLINE_S,
        )
        return ",".join(done.stdout.decode().split())


def cluster_port():
    """A free port whose bus port, 10,000 above, is free too."""
    while True:
        port = free_port() % 20_000 + 20_000
        if not _listens(port) and not _listens(port + 10_000):
            return port


def make_cluster(scratch, made):
    """Three masters that share the slots; `made` registers and starts each."""
    nodes = [
        made(Redis(
            scratch, cluster_port(), ("--cluster-enabled", "yes"), name=f"cluster-{number}"
        )) for number in range(3)
    ]
    subprocess.run(
        ["redis-cli", "--cluster", "create", *[f"127.0.0.1:{node.port}" for node in nodes],
         "--cluster-yes"],
        check=True, stdout=subprocess.DEVNULL, stdin=subprocess.DEVNULL, timeout=60,
    )
    for node in nodes:
        wait_until(
            lambda node=node: "cluster_state:ok" in node.cli("CLUSTER", "INFO"), "the cluster is up"
        )
    return nodes
