# tests/e2e/scarcity_test.py - memory ends, the core is taken, ten times too many come: no lies
import collections
import contextlib
import json
import os
import re
import resource
import socket
import subprocess
import sys
import time
import unittest

import auditor
from harness import BINARY, FULL, ConnectionClosed, EndToEnd, body_hash, estimated, wait_until
from load import Load, bench_command, mixed_wishes
from many_nodes import Distributed

ROUNDS = 20 if FULL else 2
ROOM_KIB_MAX = 4096  # for a node to grow by before its memory ends
CROWD_MAX = 700  # half requests of 8 KiB: more than the room
LEAN_S = 0.3  # for the first refusal to become more
THIEVES = 4  # so the node has a fifth of its core
THEFT_S = 1.0
# A commit takes 10 ms and carries 4 orders: so little that one machine can offer ten times it.
SLOW = {
    "settings": {"lane.batch_size_max": "4"},
    "environment": {"FIRSTCOME_FAILPOINTS": "before_reply=10ms"},
}
NO_MEMORY = r"bad_alloc|out of memory"


class Scarcity:
    """What either mode is put through: `self.node` serves, judge() compares answers and store."""

    def sell(self):
        load = Load(
            self.node.address, mixed_wishes(self.random, "drop", user_limit=2), clients=64
        ).start()
        self.addCleanup(load.abandon)
        return load

    def more_are_told(self, load, count=300):
        target = load.definite + count
        wait_until(lambda: load.definite >= target, "orders get answers", 60)

    def selling_again(self, load, since, orders=20):
        """Seconds from `since` (of a monotonic clock) until some more are accepted."""
        target = load.accepted + orders
        wait_until(lambda: load.accepted >= target, "selling goes on", 60)
        return time.monotonic() - since

    def of_status(self, name):
        """Of /proc: KiB."""
        with open(f"/proc/{self.node.process.pid}/status", encoding="ascii") as file:
            return next(int(line.split()[1]) for line in file if line.startswith(name + ":"))

    def cpu_s(self):
        with open(f"/proc/{self.node.process.pid}/stat", encoding="ascii") as file:
            fields = file.read().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def check_idle(self):
        before = self.cpu_s()
        time.sleep(1)
        self.assertLess(self.cpu_s() - before, 0.5, "CPU seconds in a second of nothing to do")

    # Memory.

    def run_out_of_memory(self, mode):
        """It may refuse or end itself; it may not lie, and it may not stay and serve nobody."""
        row = self.fault(f"memory ceiling, {mode}")
        load, ended = self.sell(), 0
        for _ in range(ROUNDS):
            self.more_are_told(load)
            self.take_memory()
            ended += not self.node.running
            lifted = time.monotonic()
            if self.node.running:
                self.set_ceiling(resource.RLIM_INFINITY)
                self.check_newcomers()
                row.survived(self.selling_again(load, lifted))
                self.node.kill()  # the next finds no memory that this one had before
                self.node.restart()
            else:
                self.assertEqual(self.node.process.returncode, -6, "it ended itself, by abort()")
                self.node.restart()
                row.survived(self.selling_again(load, lifted))
        load.stop()
        answers = load.join()
        self.check_idle()
        self.judge(answers)
        row.remarks.append(f"{ended} times it ended itself, else it refused")
        self.note(f"{ended} of {ROUNDS} times it ended itself")

    def take_memory(self):
        """Lets it have a little more than it has, and waits until that was too little."""
        length = len(self.node.log())
        room = self.random.randrange(ROOM_KIB_MAX)
        self.set_ceiling((self.of_status("VmData") + room) << 10)
        crowd = []

        def felt():
            self.come_and_stay(crowd)
            return not self.node.running or re.search(NO_MEMORY, self.node.log()[length:])
        wait_until(felt, f"{room} KiB more are too little", 60)
        lean_until = time.monotonic() + LEAN_S
        wait_until(lambda: not self.node.running or time.monotonic() > lean_until, "a lean time")
        for each in crowd:
            each.close()

    def come_and_stay(self, crowd):
        """Clients with half a request each, which takes the node some memory to keep."""
        with contextlib.suppress(OSError):  # it does not take them, or is gone
            for _ in range(min(20, CROWD_MAX - len(crowd))):
                each = socket.create_connection(self.node.address, timeout=1)
                crowd.append(each)
                each.send(b"GET /livez HTTP/1.1\r\nX-Long: " + 8_000 * b"x")

    def set_ceiling(self, size):
        pid = self.node.process.pid
        try:
            _, hard = resource.prlimit(pid, resource.RLIMIT_DATA)
            resource.prlimit(pid, resource.RLIMIT_DATA, (size, hard))
        except ProcessLookupError:
            pass  # it ended meanwhile

    def check_newcomers(self):
        """Who was connected may be served by luck; new ones must be taken too, by each thread."""
        try:
            for _ in range(16):
                client = self.node.client()
                client.get("/livez")
                client.close()
        except (OSError, ConnectionClosed):
            self.assertNotEqual(self.node.wait_exit(), 0, "it lives, and takes no connection")
            self.node.restart()

    # The core.

    def steal_the_core(self, mode, core):
        row = self.fault(f"its one core stolen by {THIEVES} others for {THEFT_S:g} s, {mode}")
        load, least = self.sell(), None
        for _ in range(ROUNDS):
            self.more_are_told(load)
            told, began = load.definite, time.monotonic()
            thieves = [self.start_thief(core) for _ in range(THIEVES)]
            wait_until(lambda: time.monotonic() - began > THEFT_S, "a while", 60)
            self.more_are_told(load, 1)
            told = load.definite - told
            least = told if least is None else min(least, told)
            for thief in thieves:
                thief.kill()
                thief.wait()
            row.survived(self.selling_again(load, time.monotonic()))
        load.stop()
        answers = load.join()
        self.check_idle()
        self.judge(answers)
        row.remarks.append(f"at least {least} orders answered in each theft")
        self.note(f"at least {least} answers in each of {ROUNDS} thefts")

    def start_thief(self, core):
        thief = subprocess.Popen(
            [sys.executable, "-c", "while True: pass"], stdin=subprocess.DEVNULL,
            preexec_fn=lambda: os.sched_setaffinity(0, {core})
        )
        self.addCleanup(thief.wait)
        self.addCleanup(thief.kill)
        return thief

    # Ten times too much, in an open loop: who is taken is served as ever, the others hear so.

    def carry_ten_times(self, mode):
        row = self.fault(f"10x the load it can carry (open loop), {mode}")
        self.answers, self.runs = [], 0
        self.set_stock("after")
        goodput, refusals = [], []
        for _ in range(5 if FULL else 1):
            alone = self.offer("--connections", "12")
            rate = str(int(10 * alone["acceptedPerSecond"]))
            rush = self.offer("--connections", "500", "--rate", rate)
            ended = time.monotonic()
            self.check_normal()
            row.survived(time.monotonic() - ended)
            goodput.append(rush["acceptedPerSecond"] / alone["acceptedPerSecond"])
            refusals.append(rush["refusalLatencyUs"]["p99"] / 1000)
        row.remarks.append(
            f"of what it carries alone {100 * min(goodput):.0f} % are accepted, at least; refusals"
            f" in {max(refusals):.1f} ms (p99 of the worst run); time: until 21 orders, one after"
            " the other, were accepted"
        )
        self.note(row.remarks[0])
        self.check_all_told()
        self.judge(self.answers)
        if FULL:
            self.assertGreaterEqual(min(goodput), 0.9, "goodput as a share of the peak")

    def set_stock(self, item):
        client = self.node.client()
        self.expect(client.change_stock(item, "set", 10_000_000), 200)
        client.close()

    def offer(self, *options):
        """One run of bench on an item of its own: what it measured. Its answers are kept."""
        self.runs += 1
        item, record = f"rush-{self.runs}", os.path.join(self.scratch, f"record-{self.runs}.txt")
        self.set_stock(item)
        done = subprocess.run(
            bench_command(
                BINARY, self.node, record, "--item", item, "--no-audit", "--json", "-",
                "--duration", "4s" if FULL else "1500ms", "--warm-up", "500ms", *options
            ), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            timeout=120, check=False
        )
        self.assertEqual(done.returncode, 0, done.stderr.decode(errors="replace")[-2000:])
        self.answers += auditor.read_record(record)
        return json.loads(done.stdout)

    def check_normal(self):
        """As before: orders one after the other are all taken, the first as soon as it may be."""
        client = self.node.client()
        first = f"after-{self.runs}"
        wait_until(lambda: self.ask_after(client, first).status == 202, "it is over")
        for number in range(20):
            self.expect(self.ask_after(client, f"{first}-{number}"), 202)
        client.close()

    def ask_after(self, client, user):
        response = client.order(user, "after")
        body = response.json()
        self.answers.append(auditor.Answer(
            user, "", "after", 1, response.status, code=body.get("code", ""),
            order_id=body.get("orderId", ""), sequence=body.get("sequence", 0),
            body_hash=body_hash(response.body),
        ))
        return response

    def check_all_told(self):
        statuses = collections.Counter(answer.status for answer in self.answers)
        self.assertEqual(set(statuses), {202, 503}, "all are answered, by yes or please wait")
        self.assertGreater(statuses[503], statuses[202], "it was too much")
        self.note(f"answers: {dict(statuses)}")


def a_core():
    return min(os.sched_getaffinity(0))


class Embedded(Scarcity, EndToEnd):
    def serve(self, settings=None, **more):
        self.node = self.start_server(settings or {"lane.count": "2"}, **more)
        client = self.node.client()
        client.set_stock("drop", 400 * ROUNDS, perUserLimit=2)
        client.set_stock("more", 10_000_000)
        client.close()

    def sell(self):
        """What sells out, and beside it what does not, so that something is accepted to the end."""
        drop = mixed_wishes(self.random, "drop", prefix="d", user_limit=2)
        more = mixed_wishes(self.random, "more", prefix="m")
        wishes = (next(more if number % 2 else drop) for number in range(sys.maxsize))
        load = Load(self.node.address, wishes, clients=64).start()
        self.addCleanup(load.abandon)
        return load

    def judge(self, answers):
        client = self.node.client()
        stocks = [client.stock("drop"), client.stock("more")]
        client.close()
        self.node.stop()
        auditor.assert_clean(answers, self.node.data, stocks=stocks)

    @estimated(minutes=1)
    def test_memory_ends(self):
        self.serve()
        self.run_out_of_memory("embedded")

    @estimated(minutes=1)
    def test_its_core_is_stolen(self):
        core = a_core()
        self.serve(preexec=lambda: os.sched_setaffinity(0, {core}))
        self.steal_the_core("embedded", core)

    @estimated(minutes=1)
    def test_ten_times_what_it_can_carry(self):
        self.serve(**SLOW)
        self.carry_ten_times("embedded")


class InDistributed(Scarcity, Distributed):
    def serve(self, settings=None, **more):
        self.node = self.start_node(settings, **more)
        self.sells("drop", 10_000_000, perUserLimit=2)

    def judge(self, answers):
        self.audit(answers, "drop")
        self.node.stop()

    @estimated(minutes=2)
    def test_memory_ends(self):
        self.serve()
        self.run_out_of_memory("distributed")

    @estimated(minutes=2)
    def test_its_core_is_stolen(self):
        core = a_core()
        self.serve(preexec=lambda: os.sched_setaffinity(0, {core}))
        self.steal_the_core("distributed", core)

    @estimated(minutes=1)
    def test_ten_times_what_it_can_carry(self):
        self.serve(**SLOW)
        self.carry_ten_times("distributed")


if __name__ == "__main__":
    unittest.main()
