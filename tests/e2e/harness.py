# tests/e2e/harness.py - starts the real program, talks raw HTTP to it, and cleans up after itself
"""What every suite stands on.

A test asks for a server (`self.start_server(...)`), talks to it over its own sockets, and forgets
it: clean-up ends processes by their id and removes the temporary directory. Nothing here sleeps for
a fixed time; `wait_until` polls a condition against a deadline.
"""

import base64
import ctypes
import json
import os
import random
import re
import shutil
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import time
import unittest

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BINARY = os.path.abspath(
    os.environ.get("FIRSTCOME_BINARY") or os.path.join(ROOT, "build", "release", "firstcome")
)
FULL = os.environ.get("FC_FULL") == "1"
SEED = int(os.environ.get("FC_SEED") or random.SystemRandom().randrange(1 << 32))
DEADLINE_S = 20.0  # for anything that takes milliseconds on an idle machine
LOG_TAIL_BYTES = 4000
POLL_S = 0.002

_libc = ctypes.CDLL(None, use_errno=True)
_PR_SET_PDEATHSIG = 1


def seeded(name):
    """A random source of its own for each test, all from the one printed seed."""
    return random.Random(f"{SEED}/{name}")


def clean_environment():
    """Ours, without what would be read as an option."""
    return {
        name: value for name, value in os.environ.items()
        if not name.startswith(("FIRSTCOME_", "OTEL_"))
    }


def wait_until(condition, what, deadline_s=DEADLINE_S, poll_s=POLL_S):
    """The first true value of `condition`; fails loudly when the deadline passes."""
    end = time.monotonic() + deadline_s
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > end:
            raise AssertionError(f"waited {deadline_s:g} s in vain: {what}")
        time.sleep(poll_s)


# ---------------------------------------------------------------------------------------- answers


class Response:
    """One HTTP answer as it came over the wire."""

    def __init__(self, status, version, headers, body, raw_head):
        self.status = status
        self.version = version
        self.headers = headers  # list of (name, value), as sent
        self.body = body
        self.raw_head = raw_head

    def header(self, name, default=None):
        values = [value for key, value in self.headers if key.lower() == name.lower()]
        if len(values) > 1:
            raise AssertionError(f"header {name} came {len(values)} times: {values}")
        return values[0] if values else default

    def json(self):
        def no_duplicates(pairs):
            names = [name for name, _ in pairs]
            assert len(names) == len(set(names)), f"duplicate member in an answer: {names}"
            return dict(pairs)

        return json.loads(self.body.decode("utf-8"), object_pairs_hook=no_duplicates)

    @property
    def code(self):
        """The problem's code, or None when the answer is no problem document."""
        if (self.header("Content-Type") or "").split(";")[0].strip() != "application/problem+json":
            return None
        return self.json().get("code")

    @property
    def replayed(self):
        return (self.header("Idempotent-Replayed") or "").lower() == "true"

    @property
    def closes(self):
        return "close" in (self.header("Connection") or "").lower()

    def __repr__(self):
        return f"<{self.status} {self.body[:300]!r}>"


class ConnectionClosed(Exception):
    """The peer ended the connection; `partial` holds what had come of the next answer."""

    def __init__(self, partial=b"", reset=False):
        super().__init__(f"closed{' by reset' if reset else ''} after {len(partial)} bytes")
        self.partial = partial
        self.reset = reset


class Connection:
    """One TCP connection, byte for byte."""

    def __init__(self, address, timeout_s=DEADLINE_S):
        self.socket = socket.create_connection(address, timeout=timeout_s)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.buffer = b""

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self.socket.close()

    def reset(self):
        """Ends the connection with RST instead of FIN."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.socket.close()

    def send(self, data):
        try:
            self.socket.sendall(data)
        except (BrokenPipeError, ConnectionResetError) as error:
            raise ConnectionClosed(reset=True) from error

    def _fill(self):
        try:
            data = self.socket.recv(65536)
        except ConnectionResetError as error:
            raise ConnectionClosed(self.buffer, reset=True) from error
        if not data:
            raise ConnectionClosed(self.buffer)
        self.buffer += data

    def _take(self, count):
        while len(self.buffer) < count:
            self._fill()
        taken, self.buffer = self.buffer[:count], self.buffer[count:]
        return taken

    def _take_line(self):
        while b"\r\n" not in self.buffer:
            self._fill()
        line, self.buffer = self.buffer.split(b"\r\n", 1)
        return line

    def read(self, head_only=False):
        """The next final answer; interim ones (1xx) are skipped."""
        while True:
            response = self._read_one(head_only)
            if response.status >= 200:
                return response

    def read_interim(self):
        """The next answer, interim or not."""
        return self._read_one(False)

    def _read_one(self, head_only):
        while b"\r\n\r\n" not in self.buffer:
            self._fill()
        raw_head, self.buffer = self.buffer.split(b"\r\n\r\n", 1)
        lines = raw_head.decode("latin-1").split("\r\n")
        match = re.fullmatch(r"(HTTP/1\.[01]) (\d{3}) ?(.*)", lines[0])
        assert match, f"not a status line: {lines[0]!r}"
        headers = []
        for line in lines[1:]:
            name, colon, value = line.partition(":")
            assert colon and name == name.strip(), f"not a header line: {line!r}"
            headers.append((name, value.strip()))
        response = Response(int(match[2]), match[1], headers, b"", raw_head)
        if head_only or response.status < 200 or response.status in (204, 304):
            return response
        if (response.header("Transfer-Encoding") or "").lower() == "chunked":
            body = b""
            while size := int(self._take_line().split(b";")[0], 16):
                body += self._take(size)
                assert self._take(2) == b"\r\n"
            while self._take_line():
                pass
            response.body = body
            return response
        length = response.header("Content-Length")
        assert length is not None, f"neither length nor chunks: {raw_head!r}"
        response.body = self._take(int(length))
        return response

    def is_closed(self, deadline_s=DEADLINE_S):
        """Whether the peer ends the connection before the deadline, without another byte."""
        if self.buffer:
            return False
        self.socket.settimeout(deadline_s)
        try:
            data = self.socket.recv(1)
        except socket.timeout:
            return False
        except ConnectionResetError:
            return True
        self.buffer += data
        return not data


def request_bytes(method, target, body=None, headers=None, host="shop.example"):
    """A well-formed request; `headers` is a dict or a list of pairs."""
    pairs = list(headers.items()) if isinstance(headers, dict) else list(headers or [])
    names = {name.lower() for name, _ in pairs}
    if isinstance(body, (dict, list)):
        body = json.dumps(body)
    if isinstance(body, str):
        body = body.encode()
    lines = [f"{method} {target} HTTP/1.1"]
    if "host" not in names:
        lines.append(f"Host: {host}")
    if body is not None and "content-type" not in names:
        lines.append("Content-Type: application/json")
    if body is not None and "content-length" not in names and "transfer-encoding" not in names:
        lines.append(f"Content-Length: {len(body)}")
    lines += [f"{name}: {value}" for name, value in pairs]
    return "\r\n".join(lines).encode("latin-1") + b"\r\n\r\n" + (body or b"")


class Client:
    """A keep-alive client of one server; connects anew when the server has closed."""

    def __init__(self, server):
        self.server = server
        self.connection = None

    def close(self):
        if self.connection:
            self.connection.close()
            self.connection = None

    def request(self, method, target, body=None, headers=None):
        data = request_bytes(method, target, body, headers)
        fresh = self.connection is None
        while True:
            if self.connection is None:
                self.connection = Connection(self.server.address)
            try:
                self.connection.send(data)
                response = self.connection.read(head_only=method == "HEAD")
                break
            except ConnectionClosed:
                self.close()
                # Only an idle connection the server gave up may be tried again, and only once.
                if fresh:
                    raise
                fresh = True
        if response.closes:
            self.close()
        return response

    def get(self, target, headers=None):
        return self.request("GET", target, headers=headers)

    def post(self, target, body, headers=None):
        return self.request("POST", target, body, headers)

    def order(self, user, item, quantity=1, key=None, headers=None):
        pairs = dict(headers or {})
        if key is not None:
            pairs["Idempotency-Key"] = key
        body = {"userId": user, "itemId": item, "quantity": quantity}
        return self.post("/api/v1/orders", body, pairs)

    def admin(self, method, target, body=None, headers=None):
        pairs = {"Authorization": f"Bearer {self.server.admin_token()}"}
        pairs.update(headers or {})
        return self.request(method, target, body, pairs)

    def change_stock(self, item, operation, quantity, headers=None, **members):
        body = {"itemId": item, "operation": operation, "quantity": quantity, **members}
        return self.admin("POST", "/api/v1/admin/stock", body, headers)

    def set_stock(self, item, quantity, **members):
        response = self.change_stock(item, "set", quantity, **members)
        assert response.status == 200, f"stock of {item} could not be set: {response}"
        return response.json()

    def stock(self, item):
        response = self.get(f"/api/v1/orders/stock/{item}")
        assert response.status == 200, f"stock of {item}: {response}"
        return response.json()

    def count(self, item=None):
        response = self.get("/api/v1/orders/count" + (f"?itemId={item}" if item else ""))
        assert response.status == 200, response
        return response.json()["count"]


# ----------------------------------------------------------------------------------------- server


class Server:
    """One `firstcome serve` on a data directory that outlives it."""

    QUIET = {"shutdown.settle": "0s", "rate_limit.enabled": "false"}

    def __init__(self, data, scratch, settings=None, arguments=(), environment=None, preexec=None,
                 listen="127.0.0.1:0", binary=None, popen=None):
        self.data = data
        self.scratch = scratch
        self.settings = {**self.QUIET, **(settings or {})}
        self.arguments = list(arguments)
        self.environment = environment or {}
        self.preexec = preexec
        self.listen = listen
        self.binary = binary or BINARY
        self.popen = popen or {}
        self.process = None
        self.address = None
        self.ready_s = None  # from start to ready
        self.log_path = tempfile.mkstemp(prefix="server-", suffix=".log", dir=scratch)[1]
        self._token = None

    def command(self):
        command = [self.binary, "serve", "--listen", self.listen, "--data", self.data]
        command += ["--ready-file", self.ready_file]
        for name, value in self.settings.items():
            if value is not None:
                command += ["--set", f"{name}={value}"]
        return command + self.arguments

    def launch(self):
        """Starts the process without waiting until it is ready."""
        self.ready_file = tempfile.mktemp(prefix="ready-", dir=self.scratch)
        runner = os.getpid()

        def before_exec():
            _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
            if os.getppid() != runner:
                os._exit(1)
            if self.preexec:
                self.preexec()

        environment = clean_environment()
        environment.update(self.environment)
        self.started_at = time.monotonic()
        with open(self.log_path, "ab") as log:
            self.process = subprocess.Popen(
                self.command(), stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=self.scratch,
                env=environment, preexec_fn=before_exec, **self.popen
            )
        return self

    def start(self, deadline_s=DEADLINE_S):
        return self.launch().wait_ready(deadline_s)

    def wait_ready(self, deadline_s=DEADLINE_S):
        self.address = wait_until(self._ready_address, "the server gets ready", deadline_s)
        self.ready_s = time.monotonic() - self.started_at
        return self

    def _ready_address(self):
        if self.process.poll() is not None:
            raise AssertionError(f"the server ended with {self.process.returncode} at start")
        try:
            with open(self.ready_file, encoding="ascii") as file:
                text = file.read().strip()
        except FileNotFoundError:
            return None
        match = re.fullmatch(r"(.+):(\d+)", text)
        return (match[1].strip("[]"), int(match[2])) if match else None

    def restart(self, **settings):
        """Again on the same data and, so that clients find it, on the same port."""
        assert self.process.poll() is not None, "still running"
        if self.address:
            self.listen = f"{self.address[0]}:{self.address[1]}"
        self.settings.update(settings)
        return self.start()

    @property
    def running(self):
        return self.process is not None and self.process.poll() is None

    def kill(self):
        """As a crash does it: SIGKILL."""
        if self.running:
            self.process.kill()
        self.process.wait()

    def rests(self, thread="firstcome"):
        """How often that thread has gone to sleep: one that looks around has looked as often."""
        tasks = f"/proc/{self.process.pid}/task"
        for task in os.listdir(tasks):
            try:
                with open(f"{tasks}/{task}/status", encoding="ascii") as file:
                    status = dict(line.split(":", 1) for line in file)
            except (FileNotFoundError, ProcessLookupError):
                continue  # it has ended
            if status["Name"].strip() == thread:
                return int(status["voluntary_ctxt_switches"])
        raise AssertionError(f"there is no thread {thread}")

    def wait_rests(self, count, thread="firstcome"):
        before = self.rests(thread)
        wait_until(lambda: self.rests(thread) >= before + count, f"{thread} looks {count} times")

    def terminate(self):
        self.process.send_signal(signal.SIGTERM)

    def wait_exit(self, deadline_s=DEADLINE_S):
        try:
            return self.process.wait(deadline_s)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"still running after {deadline_s:g} s") from None

    def stop(self, deadline_s=DEADLINE_S):
        """An orderly end; the exit code must be 0."""
        self.terminate()
        code = self.wait_exit(deadline_s)
        assert code == 0, f"SIGTERM ended with {code}"

    def dispose(self):
        if self.running:
            self.process.kill()
            self.process.wait()

    def admin_token(self):
        if self._token is None:
            with open(os.path.join(self.data, "admin.token"), encoding="ascii") as file:
                self._token = file.read().strip()
        return self._token

    def log(self):
        with open(self.log_path, encoding="utf-8", errors="replace") as file:
            return file.read()

    def client(self):
        return Client(self)


def run_program(*arguments, environment=None, deadline_s=DEADLINE_S, binary=None, **popen):
    """Runs the program to its end: (exit code, everything it printed)."""
    clean = clean_environment()
    clean.update(environment or {})
    try:
        done = subprocess.run(
            [binary or BINARY, *arguments], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, env=clean, timeout=deadline_s, check=False, **popen
        )
    except subprocess.TimeoutExpired as error:
        raise AssertionError(
            f"{arguments[0]} still runs after {deadline_s:g} s; it printed:\n"
            f"{(error.stdout or b'').decode(errors='replace')[-LOG_TAIL_BYTES:]}"
        ) from None
    return done.returncode, done.stdout.decode(errors="replace")


# ------------------------------------------------------------------------------------------ tests


class Fault:
    """One row of the reliability card: how often a fault was survived, and how soon it was over."""

    def __init__(self, name, full=0):
        self.name = name
        self.full = full  # its full count, where a run may be told to end before
        self.count = 0
        self.recoveries = []  # seconds
        self.remarks = []

    def survived(self, recovery_s=None, count=1):
        self.count += count
        if recovery_s is not None:
            self.recoveries.append(recovery_s)


def estimated(minutes):
    """How long a test's full count takes: told before it runs, until the card knows better."""
    def mark(test):
        test.full_minutes = minutes
        return test
    return mark


class EndToEnd(unittest.TestCase):
    """A test case with servers: one for the class (`shared_settings`), or each test its own."""

    longMessage = True
    shared_settings = None  # a dict: one server for the whole class, as self.server
    server = None
    client = None

    @classmethod
    def setUpClass(cls):
        cls.class_servers = []
        cls.class_scratch = None
        if cls.shared_settings is None:
            return
        cls.class_scratch = tempfile.mkdtemp(prefix="firstcome-e2e-")
        cls.addClassCleanup(shutil.rmtree, cls.class_scratch, ignore_errors=True)
        cls.server = Server(
            os.path.join(cls.class_scratch, "data"), cls.class_scratch, cls.shared_settings
        )
        cls.class_servers.append(cls.server)
        cls.addClassCleanup(cls.server.dispose)
        try:
            cls.server.start()
        except AssertionError as error:
            raise AssertionError(f"{error}\n{cls.server.log()[-LOG_TAIL_BYTES:]}") from None
        cls.client = cls.server.client()
        cls.addClassCleanup(cls.client.close)

    def setUp(self):
        self.random = seeded(self.id())
        self.servers = []
        self.notes = []
        self.faults = []
        self.scratch = tempfile.mkdtemp(prefix="firstcome-e2e-")
        self.addCleanup(shutil.rmtree, self.scratch, ignore_errors=True)

    def note(self, text):
        """A measured fact that the runner prints beside the test's name."""
        self.notes.append(text)

    def fault(self, name, full=0):
        """A row of the reliability card, which the test fills in as it goes."""
        self.faults.append(Fault(name, full))
        return self.faults[-1]

    def make_server(self, settings=None, data=None, **more):
        """A server of this test's own, not started."""
        data = data or os.path.join(self.scratch, "data")
        server = Server(data, self.scratch, settings, **more)
        self.servers.append(server)
        self.addCleanup(server.dispose)
        return server

    def start_server(self, settings=None, data=None, **more):
        return self.make_server(settings, data, **more).start()

    def diagnostics(self):
        """What somebody needs who has only the failure's text."""
        parts = [f"seed {SEED}; again: FC_SEED={SEED} tests/e2e/run --test {self.id()}"]
        for server in self.class_servers + getattr(self, "servers", []):
            try:
                tail = server.log()[-LOG_TAIL_BYTES:]
            except OSError:
                continue
            state = "not started"
            if server.process is not None:
                code = server.process.poll()
                state = f"pid {server.process.pid}, " + (
                    "running" if code is None else f"exit {code}"
                )
            parts.append(f"server ({state}), end of its log:\n{tail}")
        return "\n".join(parts)

    # Assertions that print the answer.

    def expect(self, response, status, code=None):
        wanted = status if isinstance(status, (tuple, set, frozenset)) else (status,)
        self.assertIn(response.status, wanted, f"answer: {response}")
        if code is not None:
            self.check_problem(response)
            codes = code if isinstance(code, (tuple, set)) else (code,)
            self.assertIn(response.code, codes, f"answer: {response}")
        return response

    def check_problem(self, response):
        """Every problem has RFC 9457's members, the code in one spelling, and a trace id."""
        self.assertEqual(
            (response.header("Content-Type") or "").split(";")[0], "application/problem+json"
        )
        problem = response.json()
        for member in ("type", "title", "status", "detail", "instance", "code", "traceId"):
            self.assertIn(member, problem, f"answer: {response}")
        self.assertEqual(problem["status"], response.status)
        self.assertEqual(problem["type"].rsplit("/problems/", 1)[-1], problem["code"])
        self.assertRegex(problem["code"], r"^[a-z][a-z0-9_]*$")
        self.assertRegex(problem["traceId"], r"^[0-9a-f]{32}$")
        return problem


def body_hash(body):
    """64-bit FNV-1a of an answer's bytes, as 16 hex digits: what a record keeps of the body."""
    value = 0xCBF29CE484222325
    for byte in body:
        value = ((value ^ byte) * 0x100000001B3) & 0xFFFFFFFFFFFFFFFF
    return f"{value:016x}"


def random_text(source, size):
    return base64.b32encode(source.randbytes(size)).decode().rstrip("=").lower()[:size]


if sys.version_info < (3, 9):
    raise SystemExit("Python 3.9 or newer is needed")
