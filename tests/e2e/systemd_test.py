# tests/e2e/systemd_test.py - run as systemd does: told in time, few rights, no secrets out
import base64
import ctypes
import os
import re
import resource
import shutil
import signal
import socket
import struct
import subprocess
import time

from harness import (
    BINARY, ROOT, Connection, EndToEnd, random_text, request_bytes, run_program, wait_until
)
from webhook_receiver import write_secret

UNIT = os.path.join(ROOT, "deploy", "systemd", "firstcome.service")
EXPOSURE_MAX = 1.5  # of 10; what is left is network access, which is what it is for


class Supervisor:
    """The other end of NOTIFY_SOCKET; `address` may be a path or, with an @, abstract."""

    def __init__(self, address):
        self.address = address
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind("\0" + address[1:] if address.startswith("@") else address)
        self.socket.setblocking(False)
        self.heard = []

    def listen(self):
        """All that was said so far, a line each."""
        while True:
            try:
                text = self.socket.recv(4096).decode()
            except BlockingIOError:
                return self.heard
            self.heard += text.split("\n")

    def count(self, line):
        return self.listen().count(line)

    def close(self):
        self.socket.close()


class Notified(EndToEnd):
    def supervisor(self, address):
        made = Supervisor(address)
        self.addCleanup(made.close)
        return made

    def start_under(self, supervisor, settings=None, **environment):
        return self.start_server(settings, environment={
            "NOTIFY_SOCKET": supervisor.address, "WATCHDOG_USEC": "1000000", **environment
        })

    def check_life(self, supervisor):
        server = self.start_under(supervisor)
        wait_until(lambda: supervisor.count("READY=1") == 1, "it says that it is ready")
        status = [line for line in supervisor.listen() if line.startswith("STATUS=")]
        self.assertEqual(status, [f"STATUS=serving on 127.0.0.1:{server.address[1]}"])
        wait_until(lambda: supervisor.count("WATCHDOG=1") >= 4, "it says that it is alive")
        self.assertEqual(supervisor.count("STOPPING=1"), 0)
        server.stop()
        self.assertEqual(supervisor.count("STOPPING=1"), 1)
        self.assertEqual(supervisor.count("READY=1"), 1)

    def test_a_supervisor_on_a_path(self):
        self.check_life(self.supervisor(os.path.join(self.scratch, "notify")))

    def test_a_supervisor_on_an_abstract_address(self):
        self.check_life(self.supervisor("@firstcome-" + random_text(self.random, 16)))

    def test_a_reload_is_told_from_its_beginning_to_its_end(self):
        supervisor = self.supervisor(os.path.join(self.scratch, "notify"))
        server = self.start_under(supervisor)
        wait_until(lambda: supervisor.count("READY=1") == 1, "it is ready")
        began = time.monotonic_ns() // 1000
        for done in (1, 2):
            server.process.send_signal(signal.SIGHUP)
            wait_until(lambda d=done: supervisor.count("READY=1") == 1 + d, "it is ready again")
            told = [line for line in supervisor.listen() if not line.startswith("WATCHDOG")]
            turns = [line for line in told if line in ("READY=1", "RELOADING=1")]
            self.assertEqual(turns, ["READY=1"] + ["RELOADING=1", "READY=1"] * done)
            self.assertEqual(told[-1], f"STATUS=serving on 127.0.0.1:{server.address[1]}")
            times = [int(line.split("=")[1]) for line in told if line.startswith("MONOTONIC_USEC")]
            self.assertEqual(len(times), done)
            self.assertGreaterEqual(times[-1], began, "systemd tells by it which reload is meant")
            began = times[-1] + 1

    def test_it_is_ready_only_after_the_start(self):
        supervisor = self.supervisor(os.path.join(self.scratch, "notify"))
        blocked = socket.create_server(("127.0.0.1", 0))
        self.addCleanup(blocked.close)
        server = self.make_server(
            listen=f"127.0.0.1:{blocked.getsockname()[1]}",
            environment={"NOTIFY_SOCKET": supervisor.address},
        )
        server.launch()
        self.assertEqual(server.wait_exit(), 1)
        self.assertEqual(supervisor.count("READY=1"), 0)

    def test_the_watchdog_hears_nothing_while_a_lane_is_frozen(self):
        supervisor = self.supervisor(os.path.join(self.scratch, "notify"))
        server = self.start_under(supervisor, FIRSTCOME_FAILPOINTS="before_decide=freeze")
        client = server.client()
        client.set_stock("drop", 10)
        wait_until(lambda: supervisor.count("WATCHDOG=1") >= 2, "it is alive")
        self.order_unheard(server)
        wait_until(
            lambda: "STATUS=fc-lane-0 has stopped moving" in supervisor.listen(), "it is said"
        )
        heard = supervisor.count("WATCHDOG=1")
        server.wait_rests(6, "fc-watchdog")
        self.assertEqual(supervisor.count("WATCHDOG=1"), heard, "systemd would start it again")

    def order_unheard(self, server):
        connection = Connection(server.address)
        self.addCleanup(connection.close)
        body = {"userId": "ann", "itemId": "drop", "quantity": 1}
        connection.send(request_bytes("POST", "/api/v1/orders", body))


class Unit(EndToEnd):
    """The unit file itself, by systemd's own tools."""

    def analyze(self, *words):
        if not shutil.which("systemd-analyze"):
            self.skipTest("systemd is not installed: ./dev setup test")
        environment = {**os.environ, "LC_ALL": "C", "SYSTEMD_COLORS": "0", "SYSTEMD_PAGER": ""}
        done = subprocess.run(
            ["systemd-analyze", *words], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, env=environment, timeout=30, check=False
        )
        return done.returncode, done.stdout.decode()

    def directives(self, name):
        """All values of a directive, in their order."""
        with open(UNIT, encoding="utf-8") as file:
            pairs = [line.strip().partition("=") for line in file if "=" in line]
        return [value for key, _, value in pairs if key == name]

    def test_systemd_finds_no_mistake_in_it(self):
        folder = os.path.join(self.scratch, "unit")
        os.makedirs(folder)
        copy = os.path.join(folder, "firstcome.service")
        with open(UNIT, encoding="utf-8") as file:
            text = file.read()
        self.assertIn("ExecStart=/usr/bin/firstcome serve ", text)
        with open(copy, "w", encoding="utf-8") as file:
            file.write(text.replace("/usr/bin/firstcome", BINARY))
        code, said = self.analyze("verify", copy)
        complaints = [line for line in said.splitlines() if "firstcome.service" in line]
        self.assertEqual((code, complaints), (0, []), said)

    def test_its_exposure_is_low(self):
        code, said = self.analyze("security", "--offline=yes", UNIT)
        score = re.search(r"exposure level for firstcome\.service: ([\d.]+)", said)
        self.assertTrue(score, said)
        self.assertEqual(code, 0)
        self.assertLessEqual(float(score[1]), EXPOSURE_MAX, said)
        self.note(f"exposure {score[1]} of 10")

    def test_it_waits_longer_than_a_stop_may_take(self):
        printed = run_program("print-config")[1]
        budget = sum(
            int(re.search(rf'{name} = "(\d+)s"', printed)[1])
            for name in ("settle", "in_flight", "drain")
        )
        self.assertGreater(int(self.directives("TimeoutStopSec")[0].rstrip("s")), budget)
        self.assertGreater(int(self.directives("WatchdogSec")[0].rstrip("s")), 5)

    def test_the_sample_configuration_is_good(self):
        sample = os.path.join(ROOT, "deploy", "systemd", "firstcome.toml")
        code, said = run_program("check-config", "--config", sample)
        self.assertEqual(code, 0, said)

    def allowed_calls(self):
        """Names of the system calls that the unit's filter lets through."""
        allowed = self.members("@default")  # always: systemd.exec(5), SystemCallFilter=
        for value in self.directives("SystemCallFilter"):
            names = set()
            for word in value.lstrip("~").split():
                names |= self.members(word)
            allowed = allowed - names if value.startswith("~") else allowed | names
        return allowed

    def members(self, word):
        if not word.startswith("@"):
            return {word}
        code, said = self.analyze("syscall-filter", word)
        self.assertEqual(code, 0, said)
        names = set()
        for line in said.splitlines()[1:]:
            line = line.strip()
            if line and not line.startswith("#"):
                names |= self.members(line)
        return names

    def test_it_sells_under_its_own_system_call_filter(self):
        if os.uname().machine != "x86_64":
            self.skipTest("the table of call numbers is that of x86-64")
        # Only as root SQLite gives its log to the file's owner; the service is not root.
        as_root = {"fchown"} if os.geteuid() == 0 else set()
        program = seccomp_program(self.allowed_calls() | as_root)
        server = self.start_server({"log.format": "json"}, preexec=lambda: enter(program))
        with open(f"/proc/{server.process.pid}/status", encoding="ascii") as file:
            self.assertRegex(file.read(), r"Seccomp:\t2\n")
        client = server.client()
        client.set_stock("drop", 10)
        order = self.expect(client.order("ann", "drop", key="a"), 202)
        self.expect(client.get(order.header("Location")), 200)
        self.expect(client.get("/metrics"), 200)
        self.expect(client.admin("GET", "/actuator/health"), 200)
        server.stop()


# A filter as systemd makes it, but that a forbidden call kills, so that none goes unnoticed.
BPF_LOAD, BPF_EQUAL, BPF_RETURN = 0x20, 0x15, 0x06
SECCOMP_ALLOW, SECCOMP_KILL = 0x7FFF0000, 0x80000000


def seccomp_program(names):
    numbers = {}
    with open("/usr/include/x86_64-linux-gnu/asm/unistd_64.h", encoding="ascii") as file:
        for line in file:
            if match := re.match(r"#define __NR_(\w+) (\d+)", line):
                numbers[match[1]] = int(match[2])
    steps = [(BPF_LOAD, 0, 0, 0)]  # the call's number
    for number in sorted(numbers[name] for name in names if name in numbers):
        steps += [(BPF_EQUAL, 0, 1, number), (BPF_RETURN, 0, 0, SECCOMP_ALLOW)]
    steps.append((BPF_RETURN, 0, 0, SECCOMP_KILL))
    return b"".join(struct.pack("HBBI", *step) for step in steps)


def enter(program):
    libc = ctypes.CDLL(None, use_errno=True)
    code = ctypes.create_string_buffer(program, len(program))
    header = struct.pack("HxxxxxxQ", len(program) // 8, ctypes.addressof(code))
    if libc.prctl(38, 1, 0, 0, 0) != 0:  # PR_SET_NO_NEW_PRIVS
        raise OSError(ctypes.get_errno(), "no_new_privs")
    if libc.prctl(22, 2, header, 0, 0) != 0:  # PR_SET_SECCOMP, SECCOMP_MODE_FILTER
        raise OSError(ctypes.get_errno(), "seccomp")


class LeastPrivilege(EndToEnd):
    def test_what_it_writes_is_its_users_alone(self):
        server = self.start_server(preexec=lambda: os.umask(0))
        client = server.client()
        client.set_stock("drop", 10)
        self.expect(client.order("ann", "drop"), 202)
        open_paths = []
        for path in [server.data, *(entry.path for entry in os.scandir(server.data))]:
            if os.stat(path).st_mode & 0o077:
                open_paths.append((path, oct(os.stat(path).st_mode)))
        self.assertEqual(open_paths, [])

    def test_a_directory_that_is_open_to_others_is_told(self):
        data = os.path.join(self.scratch, "wide")
        os.mkdir(data)
        os.chmod(data, 0o755)
        server = self.start_server(data=data)
        wait_until(lambda: "make it 0700" in server.log(), "the log tells")

    def dumps_core(self, pid, wait):
        os.kill(pid, signal.SIGABRT)
        return os.WCOREDUMP(wait())

    def test_it_leaves_no_core_dump(self):
        def allow_dumps():
            hard = resource.getrlimit(resource.RLIMIT_CORE)[1]
            resource.setrlimit(resource.RLIMIT_CORE, (hard, hard))

        os.chmod(self.scratch, 0o700)
        plain = subprocess.Popen(["sleep", "60"], preexec_fn=allow_dumps, cwd=self.scratch)
        if not self.dumps_core(plain.pid, lambda: os.waitpid(plain.pid, 0)[1]):
            plain.returncode = -signal.SIGABRT
            self.skipTest("nothing dumps core on this machine")
        plain.returncode = -signal.SIGABRT
        server = self.start_server(preexec=allow_dumps)
        pid = server.process.pid
        self.assertFalse(self.dumps_core(pid, lambda: os.waitpid(pid, 0)[1]))
        server.process.returncode = -signal.SIGABRT

    SECRET = "hush-7f3a91"
    # Each option that `print-config --reference` calls a secret, with a value that holds one.
    SECRETS = {
        "redis.url": f"redis://user:{SECRET}@127.0.0.1:1/0",
        "postgres.url": f"postgresql://user:{SECRET}@127.0.0.1:1/shop",
        "webhook.url": f"http://127.0.0.1:1/{SECRET}?token={SECRET}",
        "alerts.webhook_url": f"http://127.0.0.1:1/{SECRET}",
        "alerts.alertmanager_url": f"http://127.0.0.1:1/{SECRET}",
        "tracing.headers": f"authorization=Bearer {SECRET}",
    }

    def secret_options(self):
        code, reference = run_program("print-config", "--reference")
        self.assertEqual(code, 0, reference)
        options, section, is_secret = set(), "", False
        for line in reference.splitlines():
            if line.startswith("["):
                section = line.strip("[]")
            elif line.startswith("# A secret:"):
                is_secret = True
            elif line.startswith("#") and not line.startswith("# ") and is_secret:
                options.add(f"{section}.{line[1:].split()[0]}")
                is_secret = False
        return options

    def test_every_secret_option_is_masked_and_its_mistakes_are_not_repeated(self):
        self.assertEqual(set(self.SECRETS), self.secret_options(), "these are all there are")
        sets = [word for key, value in self.SECRETS.items() for word in ("--set", f"{key}={value}")]
        code, said = run_program("print-config", *sets)
        self.assertEqual(code, 0, said)
        self.assertNotIn(self.SECRET, said)
        self.assertEqual(said.count("********"), len(self.SECRETS))
        code, said = run_program("check-config", *sets)
        self.assertNotIn(self.SECRET, said)
        for key in self.SECRETS:
            code, said = run_program("check-config", "--set", f"{key}={self.SECRET}\x01://")
            self.assertEqual(code, 2, said)
            self.assertNotIn(self.SECRET, said, key)

    def test_secrets_stay_out_of_the_log(self):
        webhook_secret = os.path.join(self.scratch, "webhook-secret")
        key = base64.b64encode(write_secret(webhook_secret)).decode()
        server = self.start_server({
            "log.level": "trace", **self.SECRETS, "webhook.secret_file": webhook_secret,
            "webhook.allow_private": "true", "health.interval": "100ms", "shutdown.drain": "0s",
        })
        client = server.client()
        client.set_stock("drop", 10)
        self.expect(client.order("ann", "drop"), 202)
        client.request("GET", "/api/v1/admin/stats", headers={
            "Authorization": f"Bearer {self.SECRET}"
        })
        told = wait_until(
            lambda: self.refused_by_webhook(client), "the webhook cannot be reached"
        )
        token = server.admin_token()
        server.terminate()
        server.wait_exit()
        for place, text in (("log", server.log()), ("health", told)):
            for secret in (self.SECRET, token, key):
                self.assertNotIn(secret, text, place)
        self.assertEqual(server.log().count("in the list of processes"), 1, "--set is no place")

    def refused_by_webhook(self, client):
        health = client.admin("GET", "/actuator/health")
        outbox = health.json()["components"]["outbox"]
        return health.body.decode() if outbox["details"]["pending"] > 0 else None

    def test_secrets_of_stores_stay_out_of_the_log(self):
        server = self.make_server({"mode": "distributed", **self.SECRETS})
        server.launch()
        wait_until(lambda: "PostgreSQL" in server.log(), "it has tried to reach a store")
        server.kill()
        self.assertNotIn(self.SECRET, server.log())
