# tests/e2e/alertmanager.py - a real Alertmanager, and a webhook that remembers what it was told
import datetime
import http.client
import http.server
import json
import os
import threading

from harness import DEADLINE_S, wait_until
from stores import Program, free_port


class Alertmanager(Program):
    """Tells nobody: the tests ask it what it holds."""

    def __init__(self, scratch):
        port = free_port()
        self.directory = os.path.join(scratch, f"alertmanager-{port}")
        os.makedirs(self.directory)
        config = os.path.join(self.directory, "alertmanager.yml")
        with open(config, "w", encoding="ascii") as file:
            file.write("route: {receiver: nobody}\nreceivers: [{name: nobody}]\n")
        super().__init__(
            ["prometheus-alertmanager", f"--config.file={config}",
             f"--storage.path={self.directory}/data", f"--web.listen-address=127.0.0.1:{port}",
             "--cluster.listen-address=", "--log.level=warn"],
            port, os.path.join(self.directory, "alertmanager.log"),
        )

    @property
    def url(self):
        return f"http://127.0.0.1:{self.port}"

    def start(self, deadline_s=DEADLINE_S):
        super().start(deadline_s)
        wait_until(lambda: self._get("/-/ready")[0] == 200, "Alertmanager is ready", deadline_s)
        return self

    def _get(self, target):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=DEADLINE_S)
        try:
            connection.request("GET", target)
            response = connection.getresponse()
            return response.status, response.read()
        finally:
            connection.close()

    def alerts(self):
        """All it takes for firing, as its API shows them."""
        status, body = self._get("/api/v2/alerts?active=true")
        assert status == 200, body
        now = datetime.datetime.now(datetime.timezone.utc)
        return [
            each for each in json.loads(body)
            if datetime.datetime.fromisoformat(each["endsAt"].replace("Z", "+00:00")) > now
        ]

    def holds(self, name, /, **labels):
        """The alerts of this name that have these labels."""
        wanted = {"alertname": name, **labels}.items()
        return [each for each in self.alerts() if wanted <= each["labels"].items()]

    def names(self):
        return sorted({each["labels"]["alertname"] for each in self.alerts()})


class AlertWebhook:
    """Keeps every body; answers `status`, or hangs while `hangs`."""

    def __init__(self):
        self.bodies = []
        self.status = 200
        self.hangs = threading.Event()
        webhook = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                if webhook.hangs.is_set():
                    webhook.released.wait(60)
                    self.close_connection = True
                    return
                webhook.bodies.append(body)
                self.send_response(webhook.status)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_):
                pass

        class Server(http.server.ThreadingHTTPServer):
            daemon_threads = True

            def handle_error(self, *_):
                pass  # a sender that went away

        self.released = threading.Event()
        self._server = Server(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}/hush-hush"
        self._thread = threading.Thread(
            target=self._server.serve_forever, args=(0.01,), name="alert webhook", daemon=True
        )
        self._thread.start()

    def stop(self):
        self.released.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def told(self):
        """(status, name, item or other subject) of each alert of each call, in order."""
        return [
            (each["status"], each["labels"]["alertname"], each["labels"].get("item"))
            for body in list(self.bodies) for each in body["alerts"]
        ]
