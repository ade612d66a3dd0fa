# tests/e2e/config_test.py - who wins, and every mistake told at once
import json
import os
import re
import socket
import time
import unittest

from harness import EndToEnd, run_program


class Config(EndToEnd):
    def write(self, text):
        path = os.path.join(self.scratch, "firstcome.toml")
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)
        return path

    def refused(self, *arguments, expected, environment=None):
        data = os.path.join(self.scratch, "data")
        code, output = run_program("serve", "--data", data, *arguments, environment=environment)
        self.assertGreater(code, 0, output)
        for text in expected:
            self.assertIn(text, output)
        self.assertFalse(
            os.path.exists(os.path.join(data, "lane-00.db")), "a refused start made a database"
        )
        return output

    def test_unknown_keys_are_all_told(self):
        path = self.write('[server]\nlistne = "127.0.0.1:0"\n\n[lanes]\ncount = 2\n')
        self.refused(
            "--config", path, "--set", "idempotency.require=true",
            environment={"FIRSTCOME_LANE_COUNTS": "3"},
            expected=[
                "server.listne", "lanes", "idempotency.require", "FIRSTCOME_LANE_COUNTS",
                "firstcome.toml:2"
            ],
        )

    def test_all_mistakes_come_at_once(self):
        path = self.write(
            '[lane]\ncount = 0\nbatch_size_max = "many"\n[idempotency]\nttl = "1 fortnight"\n'
        )
        self.refused(
            "--config", path, "--set", "server.listen=here", "--set", "log.level=loud", "--set",
            "rate_limit.ip=fast",
            expected=[
                "lane.count", "lane.batch_size_max", "idempotency.ttl", "server.listen",
                "log.level", "rate_limit.ip"
            ],
        )

    def test_broken_toml_is_told_with_its_line(self):
        path = self.write('[server]\nlisten = "127.0.0.1:0"\nio_threads = = 2\n')
        output = self.refused("--config", path, expected=["firstcome.toml:3"])
        self.assertNotIn("terminate", output)

    def test_a_missing_file_is_told(self):
        self.refused(
            "--config", os.path.join(self.scratch, "nothing.toml"), expected=["nothing.toml"]
        )

    def test_bad_addresses(self):
        for address in (
            "here", "127.0.0.1", "127.0.0.1:", "127.0.0.1:99999", "127.0.0.1:-1", "localhost:80",
            ":80", "256.0.0.1:80", "[::1", "127.0.0.1:8o"
        ):
            with self.subTest(address):
                self.refused("--listen", address, expected=[address])

    def test_an_address_of_nobody(self):
        code, output = run_program(
            "serve", "--data", os.path.join(self.scratch, "data"), "--listen", "192.0.2.1:0"
        )
        self.assertGreater(code, 0)
        self.assertIn("192.0.2.1", output)

    def test_a_port_in_use(self):
        with socket.create_server(("127.0.0.1", 0)) as other:
            address = "127.0.0.1:%d" % other.getsockname()[1]
            code, output = run_program(
                "serve", "--data", os.path.join(self.scratch, "data"), "--listen", address
            )
        self.assertGreater(code, 0)
        self.assertIn(address, output)
        self.assertRegex(output, "(?i)in use|already")

    def test_the_later_source_wins(self):
        path = self.write('[server]\nlisten = "127.0.0.1:0"\n[orders]\nquantity_max = 10\n')

        def most(settings, environment, expected):
            server = self.start_server(
                settings, data=os.path.join(self.scratch, f"d{expected}"),
                arguments=["--config", path],
                environment=environment,
            )
            client = server.client()
            client.set_stock("x", 10_000)
            self.expect(client.order(1, "x", expected), 202)
            self.expect(client.order(1, "x", expected + 1), 400, "validation_failed")
            client.close()
            server.stop()

        most({}, {}, 10)
        most({}, {"FIRSTCOME_ORDERS_QUANTITY_MAX": "20"}, 20)
        most({"orders.quantity_max": "30"}, {"FIRSTCOME_ORDERS_QUANTITY_MAX": "20"}, 30)

    def test_flags_win_over_all(self):
        path = self.write('[server]\nlisten = "127.0.0.1:1"\n')
        server = self.start_server(
            {"server.listen": "127.0.0.1:2"}, arguments=["--config", path],
            environment={"FIRSTCOME_SERVER_LISTEN": "127.0.0.1:3"},
        )
        self.assertGreater(server.address[1], 3)
        server.stop()

    def test_check_config(self):
        good = self.write('[lane]\ncount = 2\n')
        code, output = run_program("check-config", "--config", good)
        self.assertEqual(code, 0, output)
        bad = self.write('[lane]\ncount = 2\nsize = 3\n')
        code, output = run_program("check-config", "--config", bad)
        self.assertGreater(code, 0)
        self.assertIn("lane.size", output)

    def test_check_config_reads_the_files_that_are_named(self):
        def file(name, text, mode=0o600):
            path = os.path.join(self.scratch, name)
            with open(path, "w", encoding="utf-8") as out:
                out.write(text)
            os.chmod(path, mode)
            return path

        data = os.path.join(self.scratch, "data")
        short = file("short", "s3cret-too-short")
        bad = {
            "auth.mode": "jwt",
            "auth.secret_file": short,
            "admin.tokens_file": file("tokens", "nonsense-s3cret\n"),
            "admin.token_file": file("token", "a-s3cret-others-may-read", 0o644),
            "server.tls_certificate": file("cert.pem", "s3cret"),
            "server.tls_key": os.path.join(self.scratch, "missing.pem"),
            "webhook.url": "https://example.com/hook",
            "webhook.secret_file": short,
        }
        flags = [word for name, value in bad.items() for word in ("--set", f"{name}={value}")]
        code, output = run_program("check-config", "--data", data, *flags)
        self.assertEqual(code, 2, output)
        for told in (
            f"auth.secret_file {short}: must hold a secret of at least 32 bytes", "line 1",
            "admin token file", "server.tls_key", "missing.pem", "webhook secret 1",
        ):
            self.assertIn(told, output)
        self.assertNotIn("s3cret", output)

        redis = os.path.join(self.scratch, "no-password")
        code, output = run_program(
            "check-config", "--data", data, "--set", "mode=distributed", "--set",
            f"redis.password_file={redis}", "--set", "redis.url=rediss://127.0.0.1:1/0"
        )
        self.assertEqual(code, 2, output)
        self.assertIn(redis, output)

        good = file("good", "a secret of 32 bytes or more, really")
        code, output = run_program(
            "check-config", "--data", data, "--set", "auth.mode=jwt", "--set",
            f"auth.secret_file={good}"
        )
        self.assertEqual(code, 0, output)
        self.assertFalse(os.path.exists(data), "nothing is started, so nothing is made")

    def test_listening_to_the_world_is_warned_about(self):
        server = self.start_server(listen="0.0.0.0:0", settings={"log.format": "json"})
        server.stop()
        warnings = [
            entry for entry in map(
                json.loads, server.log().splitlines()
            ) if entry["level"].startswith("warn")
        ]
        self.assertTrue(
            [entry for entry in warnings if re.search("(?i)tls|loopback", json.dumps(entry))],
            server.log()
        )

    def test_ipv6(self):
        try:
            socket.create_server(("::1", 0), family=socket.AF_INET6).close()
        except OSError:
            self.skipTest("this machine has no IPv6")
        server = self.start_server(listen="[::1]:0")
        self.assertEqual(server.address[0], "::1")
        self.expect(server.client().get("/livez"), 200)
        server.stop()

    def test_help_and_version(self):
        for arguments in (("--help",), ("serve", "--help"), ("bench", "--help")):
            code, output = run_program(*arguments)
            self.assertEqual(code, 0, output)
            self.assertIn("--", output)
        code, output = run_program("version")
        self.assertEqual(code, 0)
        self.assertRegex(output, r"\d+\.\d+\.\d+")
        code, output = run_program("sevre")
        self.assertGreater(code, 0)
        self.assertIn("--help", output)

    def test_a_start_is_quick(self):
        server = self.start_server()
        self.note(f"ready after {server.ready_s * 1000:.0f} ms")
        self.assertLess(server.ready_s, 1.0)
        server.stop()

    def test_an_idle_server_costs_nothing(self):
        server = self.start_server()
        ticks = os.sysconf("SC_CLK_TCK")

        def used():
            with open(f"/proc/{server.process.pid}/stat", encoding="ascii") as file:
                fields = file.read().rsplit(")", 1)[1].split()
            return (int(fields[11]) + int(fields[12])) / ticks

        begin, start = used(), time.monotonic()
        while time.monotonic() - start < 1.0:
            time.sleep(0.05)
        self.assertLess(used() - begin, 0.1, "seconds of processor time in one idle second")
        server.stop()


if __name__ == "__main__":
    unittest.main()
