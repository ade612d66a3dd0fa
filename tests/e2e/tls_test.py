# tests/e2e/tls_test.py - TLS on the listeners: who is let in, what is refused, and what is reloaded
import json
import os
import shutil
import signal
import socket
import ssl
import subprocess
import threading
import time
import unittest

from harness import (
    Client, Connection, ConnectionClosed, EndToEnd, request_bytes, run_program, wait_until,
)
from issuer import Authority, bearer


def client_context(authority, certificate=None, **limits):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.load_verify_locations(authority.path)
    if certificate:
        context.load_cert_chain(*certificate)
    for name, value in limits.items():
        setattr(context, name, value)
    return context


class TlsConnection(Connection):
    def __init__(self, address, context, session=None):
        super().__init__(address)
        plain = self.socket
        try:
            self.socket = context.wrap_socket(
                plain, server_hostname="127.0.0.1", session=session
            )
        except (ssl.SSLError, OSError):
            plain.close()
            raise


class TlsClient(Client):
    def __init__(self, server, context, address=None):
        super().__init__(server)
        self.context = context
        self.address = address or server.address

    def request(self, method, target, body=None, headers=None):
        if self.connection is None:
            self.connection = TlsConnection(self.address, self.context)
        self.connection.send(request_bytes(method, target, body, headers))
        response = self.connection.read(head_only=method == "HEAD")
        if response.closes:
            self.close()
        return response


class TlsCase(EndToEnd):
    def setUp(self):
        super().setUp()
        self.authority = Authority(self.scratch)
        self.certificate, self.key = self.authority.issue("server")
        self.settings = {"server.tls_certificate": self.certificate, "server.tls_key": self.key}

    def open(self, **settings):
        server = self.start_server({**self.settings, **settings})
        return server, self.client_of(server)

    def client_of(self, server, certificate=None, address=None, **limits):
        context = client_context(self.authority, certificate, **limits)
        client = TlsClient(server, context, address)
        self.addCleanup(client.close)
        return client

    def admin_address(self, server):
        line = next(line for line in server.log().splitlines() if "admin_address" in line)
        host, port = json.loads(line)["admin_address"].rsplit(":", 1)
        return host, int(port)


class Tls(TlsCase):
    def test_orders_go_through_with_both_versions(self):
        server, client = self.open()
        client.set_stock("x", 1000)
        for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
            with self.subTest(version.name):
                one = self.client_of(server, maximum_version=version, minimum_version=version)
                self.expect(one.order("u1", "x"), 202)
                self.assertEqual(one.connection.socket.version(), version.name.replace("_", "."))
                batch = {"orders": [{"userId": "u1", "itemId": "x", "quantity": 1}] * 200}
                answer = self.expect(one.post("/api/v1/orders:batch", batch), 200)
                self.assertEqual(len(answer.json()["outcomes"]), 200, "an answer of many records")
        self.assertEqual(client.count("x"), 402)

    def test_pipelined_requests_are_answered_in_order(self):
        server, client = self.open()
        client.set_stock("x", 50)
        with TlsConnection(server.address, client.context) as connection:
            body = {"userId": "u1", "itemId": "x", "quantity": 1}
            one = request_bytes("POST", "/api/v1/orders", body)
            connection.send(one * 50)
            places = [connection.read().json()["sequence"] for _ in range(50)]
        self.assertEqual(places, list(range(1, 51)))

    def test_a_request_may_come_byte_by_byte(self):
        server, client = self.open()
        client.set_stock("x", 1)
        body = {"userId": "u1", "itemId": "x", "quantity": 1}
        with TlsConnection(server.address, client.context) as connection:
            for byte in request_bytes("POST", "/api/v1/orders", body):
                connection.send(bytes([byte]))
            self.expect(connection.read(), 202)

    def test_old_protocols_and_weak_ciphers_are_refused(self):
        server, _ = self.open()
        refused = [
            ("-tls1_1", "-cipher", "DEFAULT@SECLEVEL=0"),
            ("-tls1_2", "-cipher", "AES128-GCM-SHA256"),
            ("-tls1_2", "-cipher", "ECDHE-ECDSA-AES128-SHA"),
            ("-alpn", "h2"),
        ]
        for options in refused:
            with self.subTest(options):
                code, output = self.s_client(server, *options)
                self.assertNotEqual(code, 0, output)
                self.assertIn("alert", output)
        code, output = self.s_client(server, "-alpn", "h2,http/1.1")
        self.assertEqual(code, 0, output)
        self.assertIn("ALPN protocol: http/1.1", output)

    def s_client(self, server, *options, data=b"Q\n"):
        address = f"{server.address[0]}:{server.address[1]}"
        done = subprocess.run(
            ["openssl", "s_client", "-connect", address, "-CAfile", self.authority.path,
             "-verify_return_error", *options],
            input=data, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=20, check=False
        )
        return done.returncode, done.stdout.decode(errors="replace")

    def test_renegotiation_is_refused(self):
        server, client = self.open()
        code, output = self.s_client(server, "-tls1_2", data=b"R\n")
        self.assertIn("RENEGOTIATING", output)
        self.assertIn("no renegotiation", output)
        self.assertNotEqual(code, 0, output)
        self.expect(client.get("/livez"), 200)

    def test_a_session_is_resumed(self):
        server, client = self.open()
        version = ssl.TLSVersion.TLSv1_2
        context = client_context(self.authority, maximum_version=version)
        with TlsConnection(server.address, context) as first:
            first.send(request_bytes("GET", "/livez"))
            self.expect(first.read(), 200)
            session = first.socket.session
        with TlsConnection(server.address, context, session) as second:
            self.assertTrue(second.socket.session_reused)
            second.send(request_bytes("GET", "/livez"))
            self.expect(second.read(), 200)

    def test_plain_http_is_told_so_and_nothing_is_ordered(self):
        server, client = self.open()
        client.set_stock("x", 1)
        with Connection(server.address) as plain:
            body = {"userId": "u1", "itemId": "x", "quantity": 1}
            plain.send(request_bytes("POST", "/api/v1/orders", body))
            answer = self.expect(plain.read(), 400, "malformed_request")
            self.assertTrue(answer.closes)
            self.assertTrue(plain.is_closed())
        self.assertEqual(client.count("x"), 0)

    def test_garbage_ends_the_connection_and_nothing_else(self):
        server, client = self.open()
        for garbage in (b"\x16\x03\x01\xff\xff" + b"\0" * 100, b"\0" * 64, b"\x80\x2e\x01\0\x02"):
            with Connection(server.address) as connection:
                connection.send(garbage)
                connection.socket.shutdown(socket.SHUT_WR)
                with self.assertRaises(ConnectionClosed):
                    connection.read()
        self.expect(client.get("/livez"), 200)

    def test_a_slow_handshake_is_cut(self):
        server, client = self.open(**{"server.header_timeout": "300ms"})
        with Connection(server.address) as connection:
            connection.send(b"\x16\x03\x01\x02\x00\x01\x00")  # the beginning of a hello
            self.assertTrue(connection.is_closed())
        with Connection(server.address) as silent:
            self.assertTrue(silent.is_closed())
        self.expect(client.get("/livez"), 200)

    def test_slow_headers_inside_tls_are_cut_too(self):
        server, client = self.open(**{"server.header_timeout": "300ms"})
        with TlsConnection(server.address, client.context) as connection:
            connection.send(b"GET /livez HTTP/1.1\r\nHos")
            self.expect(connection.read(), 408, "request_timeout")
            self.assertTrue(connection.is_closed())

    def test_sigterm_lets_requests_finish_and_says_goodbye(self):
        server, client = self.open()
        self.expect(client.get("/livez"), 200)
        began = time.monotonic()
        server.stop()
        self.note(f"stopped with an idle TLS connection in {time.monotonic() - began:.2f} s")
        self.assertEqual(client.connection.socket.recv(1), b"", "closed, and not by a reset")

    def test_the_command_line_speaks_it(self):
        server, client = self.open()
        client.set_stock("x", 7)
        url = f"https://127.0.0.1:{server.address[1]}"
        token = os.path.join(server.data, "admin.token")
        code, output = run_program(
            "stats", "--url", url, "--ca-file", self.authority.path, "--token-file", token
        )
        self.assertEqual(code, 0, output)
        code, output = run_program("stats", "--url", url, "--token-file", token)
        self.assertEqual(code, 3, f"an unknown authority must not get the token: {output}")
        code, output = run_program("healthcheck", "--url", url, "--ca-file", self.authority.path)
        self.assertEqual(code, 0, output)

    def test_files_that_cannot_serve_are_refused_at_start(self):
        other_certificate, other_key = self.authority.issue("other")
        open_key = os.path.join(self.scratch, "open.key")
        shutil.copy(self.key, open_key)
        os.chmod(open_key, 0o644)
        for settings, told in (
            ({"server.tls_key": other_key}, "not the certificate's"),
            ({"server.tls_certificate": self.key}, "no chain of PEM certificates"),
            ({"server.tls_key": "/no/such.key"}, "server.tls_key /no/such.key"),
            ({"server.tls_key": open_key}, "open to other users"),
            ({"admin.client_ca_file": self.key}, "admin.client_ca_file"),
        ):
            with self.subTest(told):
                server = self.make_server({**self.settings, **settings}).launch()
                self.assertEqual(server.wait_exit(), 1)
                self.assertIn(told, server.log())


class Renewal(TlsCase):
    def replace(self, name="renewed"):
        certificate, key = self.authority.issue(name, subject=name)
        os.replace(key, self.key)
        os.replace(certificate, self.certificate)

    def subject(self, server):
        with TlsConnection(server.address, client_context(self.authority)) as connection:
            return dict(pair[0] for pair in connection.socket.getpeercert()["subject"])

    def test_a_new_certificate_is_for_new_connections(self):
        server, client = self.open()
        client.set_stock("x", 10)
        self.assertEqual(self.subject(server)["commonName"], "localhost")
        old = client.connection
        self.replace()
        server.process.send_signal(signal.SIGHUP)
        wait_until(lambda: self.subject(server)["commonName"] == "renewed", "the new certificate")
        self.expect(client.order("u1", "x"), 202)
        self.assertIs(client.connection, old, "the open connection was dropped")

    def test_a_changed_file_is_seen_without_a_signal(self):
        server, _ = self.open()
        self.replace()
        wait_until(lambda: self.subject(server)["commonName"] == "renewed", "the new certificate")

    def test_a_broken_one_changes_nothing_and_is_told(self):
        server, client = self.open()
        with open(self.certificate, "w", encoding="ascii") as file:
            file.write("-----BEGIN CERTIFICATE-----\nhalf")
        server.process.send_signal(signal.SIGHUP)
        wait_until(lambda: "no chain of PEM certificates" in server.log(), "a word about it")
        self.assertEqual(self.subject(server)["commonName"], "localhost")
        self.expect(client.get("/livez"), 200)

    def test_no_request_fails_while_certificates_change(self):
        server, client = self.open()
        client.set_stock("x", 100_000)
        failures, served, stop = [], [0], threading.Event()

        def buy(number):
            one = self.client_of(server)
            while not stop.is_set():
                try:
                    answer = one.order(f"u{number}", "x")
                    if answer.status != 202:
                        failures.append(answer)
                    served[0] += 1
                    if served[0] % 7 == 0:
                        one.close()
                except (OSError, ConnectionClosed) as error:
                    failures.append(error)
                    one.close()

        threads = [threading.Thread(target=buy, args=(number,)) for number in range(3)]
        for thread in threads:
            thread.start()
        for number in range(5):
            self.replace(f"renewed-{number}")
            server.process.send_signal(signal.SIGHUP)
            wait_until(
                lambda: server.log().count("configuration reloaded") >= 1
                and self.subject(server)["commonName"] == f"renewed-{number}", "the new one"
            )
        stop.set()
        for thread in threads:
            thread.join()
        self.assertEqual(failures, [])
        self.note(f"{served[0]} orders during 5 renewals")


class ClientCertificates(TlsCase):
    def setUp(self):
        super().setUp()
        self.admins = Authority(self.scratch, "admins")
        self.settings["admin.client_ca_file"] = self.admins.path
        self.admin_certificate = self.admins.issue("ops", subject="ops")

    def test_admin_routes_need_one_beside_the_token(self):
        server, client = self.open()
        token = bearer(server.admin_token())
        self.expect(client.get("/api/v1/admin/stats", token), 403, "forbidden")
        self.expect(client.get("/api/v1/orders/count"), 200)
        admin = self.client_of(server, self.admin_certificate)
        self.expect(admin.get("/api/v1/admin/stats", token), 200)
        self.expect(admin.get("/api/v1/admin/stats"), 401, "unauthorized")

    def test_one_of_another_authority_lets_nobody_in(self):
        server, _ = self.open()
        impostor = self.client_of(server, self.authority.issue("impostor"))
        with self.assertRaises((ssl.SSLError, ConnectionClosed, OSError)):
            impostor.get("/api/v1/orders/count")

    def test_the_admin_listener_talks_to_nobody_without_one(self):
        server, client = self.open(**{"admin.listen": "127.0.0.1:0"})
        address = self.admin_address(server)
        token = bearer(server.admin_token())
        self.expect(client.get("/api/v1/orders/count"), 200)
        self.expect(client.get("/api/v1/admin/stats", token), 404, "not_found")
        with self.assertRaises((ssl.SSLError, ConnectionClosed, OSError)):
            self.client_of(server, address=address).get("/livez")
        admin = self.client_of(server, self.admin_certificate, address)
        self.expect(admin.get("/api/v1/admin/stats", token), 200)

    def test_the_command_line_sends_one(self):
        server, _ = self.open()
        listens = self.start_server(
            {**self.settings, "admin.listen": "127.0.0.1:0"},
            data=os.path.join(self.scratch, "listens"),
        )
        certificate, key = self.admin_certificate
        places = (
            (server, server.address, "403 forbidden"),
            (listens, self.admin_address(listens), "wants a client certificate: name one with"),
        )
        for one, address, told in places:
            common = (
                "--url", f"https://{address[0]}:{address[1]}", "--ca-file", self.authority.path,
                "--token-file", os.path.join(one.data, "admin.token"),
            )
            with self.subTest(told):
                code, output = run_program("stock", "set", "x", "7", *common)
                self.assertEqual(code, 4, output)
                self.assertIn(told, output)
                self.assertNotIn("unknown whether", output)
                own = ("--cert-file", certificate, "--key-file", key)
                code, output = run_program("stock", "set", "x", "7", *common, *own)
                self.assertEqual(code, 0, output)
                code, output = run_program("stats", *common, *own)
                self.assertEqual(code, 0, output)
                _, other_key = self.admins.issue("other", subject="other")
                wrong = ("--cert-file", certificate, "--key-file", other_key)
                code, output = run_program("stats", *common, *wrong)
                self.assertEqual(code, 2, output)
                self.assertIn("--cert-file and --key-file cannot be used", output)


class Healthcheck(TlsCase):
    def test_asks_where_no_certificate_is_in_the_way(self):
        certificate, key = self.authority.issue("shop", names="DNS:shop.example")
        probes = socket.create_server(("127.0.0.1", 0))
        port = probes.getsockname()[1]
        probes.close()
        settings = {
            "server.tls_certificate": certificate, "server.tls_key": key,
            "health.listen": f"127.0.0.1:{port}",
        }
        server = self.start_server(settings)
        listen = f"{server.address[0]}:{server.address[1]}"
        own = [f"--set={name}={value}" for name, value in settings.items()]
        code, output = run_program("healthcheck", "--listen", listen, *own)
        self.assertEqual(code, 0, output)
        url = f"https://{listen}"
        code, output = run_program("healthcheck", "--url", url, "--ca-file", self.authority.path)
        self.assertEqual(code, 3, f"a certificate for another name: {output}")


class AdminListener(TlsCase):
    def test_what_operators_need_is_there_and_nowhere_else(self):
        server = self.start_server({"admin.listen": "127.0.0.1:0"})
        public = server.client()
        self.addCleanup(public.close)
        admin = server.client()
        self.addCleanup(admin.close)
        admin.server = type("Other", (), {
            "address": self.admin_address(server), "admin_token": server.admin_token
        })
        admin.set_stock("x", 5)
        self.expect(public.order("u1", "x"), 202)
        for target in ("/metrics", "/api/v1/admin/stats", "/api/v1/admin/audit"):
            self.expect(public.admin("GET", target), 404, "not_found")
            self.expect(admin.admin("GET", target), 200)
        self.expect(public.admin("POST", "/api/v1/admin/stock", {}), 404, "not_found")
        self.expect(admin.order("u1", "x"), 404, "not_found")
        for client in (public, admin):
            self.expect(client.get("/readyz"), 200)
        metrics = admin.get("/metrics").body.decode()
        rows = [line for line in metrics.splitlines() if 'uri="/readyz"' in line]
        names = [line.rsplit(" ", 1)[0] for line in rows]
        self.assertEqual(len(names), len(set(names)), "a series twice")
        self.assertTrue(any('uri="/api/v1/orders"' in line for line in metrics.splitlines()))
        server.stop()


if __name__ == "__main__":
    unittest.main()
