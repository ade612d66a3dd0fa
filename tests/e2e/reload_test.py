# tests/e2e/reload_test.py - SIGHUP: what may change does, what may not is named, nothing stops
import json
import os
import signal
import threading
import unittest

from harness import ConnectionClosed, EndToEnd, wait_until
from issuer import Key, bearer, claims, token_of, write_secret

FIRST = b"the first secret, of 32 bytes or more"
SECOND = b"the second secret, of 32 bytes or more"


class Reload(EndToEnd):
    def setUp(self):
        super().setUp()
        self.file = os.path.join(self.scratch, "firstcome.toml")
        self.write('[log]\nlevel = "info"\n')

    def write(self, text):
        with open(self.file, "w", encoding="utf-8") as file:
            file.write(text)

    def open(self, **settings):
        server = self.start_server(settings, arguments=["--config", self.file])
        client = server.client()
        self.addCleanup(client.close)
        return server, client

    def hang_up(self, server, told):
        """SIGHUP, and waits for one more line that holds `told`."""
        before = server.log().count(told)
        server.process.send_signal(signal.SIGHUP)
        wait_until(lambda: server.log().count(told) > before, f"the log says: {told}")

    def test_what_may_change_does(self):
        server, client = self.open()
        client.set_stock("x", 1)
        wait_until(lambda: server.log().count("stock changed") == 1, "it is logged")
        self.write('[log]\nlevel = "warn"\n')
        server.process.send_signal(signal.SIGHUP)

        def is_silent():
            before = server.log().count("stock changed")
            client.set_stock("x", 2)
            return server.log().count("stock changed") == before

        wait_until(is_silent, "lines of level info end")
        self.write('[log]\nlevel = "info"\n')
        self.hang_up(server, '"changed":"log.level"')
        client.set_stock("x", 3)
        wait_until(lambda: not is_silent(), "lines of level info are back")

    def test_a_rate_limit_changes_and_what_clients_have_used_is_kept(self):
        def limit(rate):
            self.write(f'[rate_limit]\nip = "{rate}"\n')

        def allowed(times):
            statuses = [client.get("/api/v1/orders/count").status for _ in range(times)]
            self.assertLessEqual(set(statuses), {200, 429})
            return statuses.count(200)

        limit("1/h burst 10")
        server, client = self.open(**{"rate_limit.enabled": "true"})
        self.assertEqual(allowed(15), 10)
        limit("1/h burst 12")
        self.hang_up(server, '"changed":"rate_limit.ip"')
        self.assertEqual(allowed(5), 2, "ten of twelve were used")
        limit("100/s burst 10")
        self.hang_up(server, '"changed":"rate_limit.ip"')
        wait_until(lambda: allowed(1) == 1, "nobody waits for hours that are no more")

    def test_what_may_not_is_named_and_all_stays_as_it_was(self):
        server, client = self.open()
        self.write('[log]\nlevel = "error"\n[lane]\ncount = 3\n[webhook]\nurl = "http://s3cret"\n')
        server.process.send_signal(signal.SIGHUP)
        for key in ("lane.count", "webhook.url"):
            wait_until(lambda: f"{key} changes with a restart only" in server.log(), key)
        self.assertNotIn("s3cret", server.log())
        client.set_stock("x", 1)
        wait_until(lambda: "stock changed" in server.log(), "the level is still info")

    def test_a_broken_file_is_told_with_its_mistakes(self):
        server, client = self.open()
        for text, told in (
            ("[log\n", "firstcome.toml:1"),
            ('[log]\nlevel = "loud"\n', "log.level"),
            ('[logs]\nlevel = "info"\n', "logs"),
            ('[auth]\nmode = "jwt"\n', "auth.mode = jwt needs"),
        ):
            with self.subTest(told):
                self.write(text)
                self.hang_up(server, "configuration not reloaded")
                self.assertIn(told, server.log())
                self.expect(client.get("/readyz"), 200)
        os.remove(self.file)
        self.hang_up(server, "cannot be read")
        self.expect(client.get("/readyz"), 200)

    def test_the_environment_and_flags_still_win(self):
        server, client = self.open(**{"log.level": "info"})
        self.write('[log]\nlevel = "off"\n')
        self.hang_up(server, '"changed":""')

    def test_admin_tokens_are_added_and_taken_away(self):
        tokens = write_secret(os.path.join(self.scratch, "tokens"), "a all old-token-0123456789\n")
        server, client = self.open(**{"admin.tokens_file": tokens})

        def status(token):
            return client.get("/api/v1/admin/stats", bearer(token)).status

        self.assertEqual((status("old-token-0123456789"), status("new-token-0123456789")),
                         (200, 401))
        write_secret(tokens, "a all old-token-0123456789\na all new-token-0123456789\n")
        self.hang_up(server, "configuration reloaded")
        self.assertEqual((status("old-token-0123456789"), status("new-token-0123456789")),
                         (200, 200))
        write_secret(tokens, "a all new-token-0123456789\n")
        wait_until(lambda: status("old-token-0123456789") == 401, "without a signal as well")
        self.assertEqual(status("new-token-0123456789"), 200)
        write_secret(tokens, "nonsense\n")
        wait_until(lambda: "line 1" in server.log(), "the mistake is told")
        self.assertEqual(status("new-token-0123456789"), 200, "a broken file changes nothing")
        self.assertEqual(status(server.admin_token()), 200)

    def test_keys_of_tokens_are_replaced(self):
        secret = write_secret(os.path.join(self.scratch, "secret"), FIRST.decode())
        server, client = self.open(**{"auth.mode": "jwt", "auth.secret_file": secret})
        client.set_stock("x", 100)

        def status(key):
            body = {"itemId": "x", "quantity": 1}
            return client.post("/api/v1/orders", body, bearer(token_of(key, claims("u1")))).status

        first = token_of(FIRST, claims("u1"))
        body = {"itemId": "x", "quantity": 1}
        self.expect(client.post("/api/v1/orders", body, bearer(first)), 202)
        self.assertEqual((status(FIRST), status(SECOND)), (202, 401))
        write_secret(secret, SECOND.decode())
        self.hang_up(server, "configuration reloaded")
        self.assertEqual((status(FIRST), status(SECOND)), (401, 202))
        self.expect(client.post("/api/v1/orders", body, bearer(first)), 401)

    def test_a_key_set_that_changes_is_read_again(self):
        old, new = Key(self.scratch, "ES256", "k1"), Key(self.scratch, "EdDSA", "k2")
        path = os.path.join(self.scratch, "keys.json")
        write_secret(path, json.dumps({"keys": [old.jwk()]}))
        server, client = self.open(**{"auth.mode": "jwt", "auth.jwks_file": path})
        client.set_stock("x", 100)
        body = {"itemId": "x", "quantity": 1}

        def status(key):
            return client.post("/api/v1/orders", body, bearer(token_of(key, claims("u1")))).status

        self.assertEqual((status(old), status(new)), (202, 401))
        write_secret(path, json.dumps({"keys": [new.jwk()]}))
        wait_until(lambda: status(new) == 202, "the new key is known")
        self.assertEqual(status(old), 401)

    def test_a_bad_file_is_told_once_and_the_mended_one_taken(self):
        secret = write_secret(os.path.join(self.scratch, "secret"), FIRST.decode())
        server, client = self.open(**{"auth.mode": "jwt", "auth.secret_file": secret})
        client.set_stock("x", 100)
        told = "a credential's file has changed and is not used"

        def status(key):
            body = {"itemId": "x", "quantity": 1}
            return client.post("/api/v1/orders", body, bearer(token_of(key, claims("u1")))).status

        write_secret(secret, "too short")
        wait_until(lambda: told in server.log(), "the mistake is told")
        server.wait_rests(3)
        self.assertEqual(server.log().count(told), 1, "once, not at every look")
        self.assertEqual(status(FIRST), 202, "a bad file changes nothing")
        write_secret(secret, SECOND.decode())
        wait_until(lambda: status(SECOND) == 202, "without a signal")
        self.assertEqual(status(FIRST), 401)
        self.assertEqual(server.log().count("credentials reloaded"), 1)

    def test_a_refused_reload_is_followed_by_no_word_of_success(self):
        """It names another file, which is bad; what is in use has not changed."""
        secret = write_secret(os.path.join(self.scratch, "secret"), FIRST.decode())
        bad = write_secret(os.path.join(self.scratch, "bad"), "too short")
        self.write(f'[auth]\nsecret_file = "{secret}"\n')
        server, client = self.open(**{"auth.mode": "jwt"})
        self.write(f'[auth]\nsecret_file = "{bad}"\n')
        self.hang_up(server, "configuration not reloaded")
        server.wait_rests(2)
        self.assertNotIn("credentials reloaded", server.log(), "nothing has been")

    def test_nothing_stops_while_it_reloads(self):
        server, client = self.open()
        client.set_stock("x", 1_000_000)
        failures, served, stop = [], [0], threading.Event()

        def buy(number):
            one = server.client()
            self.addCleanup(one.close)
            while not stop.is_set():
                try:
                    answer = one.order(f"u{number}", "x")
                    if answer.status != 202:
                        failures.append(answer)
                    served[0] += 1
                except (OSError, ConnectionClosed) as error:
                    failures.append(error)

        threads = [threading.Thread(target=buy, args=(number,)) for number in range(3)]
        for thread in threads:
            thread.start()
        for number in range(50):
            self.write('[log]\nlevel = "info"\n' if number % 2 else "[log\n")
            self.hang_up(
                server, "configuration reloaded" if number % 2 else "configuration not reloaded"
            )
        stop.set()
        for thread in threads:
            thread.join()
        self.assertEqual(failures, [])
        self.assertEqual(client.count("x"), served[0])
        self.note(f"{served[0]} orders during 50 reloads")


if __name__ == "__main__":
    unittest.main()
