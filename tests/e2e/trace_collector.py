# tests/e2e/trace_collector.py - a collector that keeps what it is sent and answers as it is told
import http.server
import ssl
import threading
import time

from trace_decoder import decode

PATHS = {"otlp": "/v1/traces", "zipkin": "/api/v2/spans"}
TYPES = {"otlp": "application/x-protobuf", "zipkin": "application/json"}


class Post:
    def __init__(self, path, headers, body):
        self.path = path
        self.headers = headers
        self.body = body
        self.at = time.monotonic()
        self.status = 0  # that it was answered with


class Collector:
    """May come late and go on the same port. `answer(post)` gives (status, headers); `hold`: an
    event that answers wait for. `certificate`: (file, key) for one that speaks TLS."""

    def __init__(self, format_, certificate=None):
        self.format = format_
        self.certificate = certificate
        self.port = 0
        self.posts = []
        self.answer = lambda post: (200, {})
        self.hold = None
        self._server = None
        self._lock = threading.Lock()

    @property
    def base(self):
        return f"http{'s' if self.certificate else ''}://127.0.0.1:{self.port}"

    @property
    def url(self):
        return self.base + PATHS[self.format]

    def start(self):
        collector = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True

            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                post = Post(self.path, self.headers, body)
                with collector._lock:
                    collector.posts.append(post)
                    if collector.answer:
                        post.status, fields = collector.answer(post)
                if collector.hold:
                    collector.hold.wait()
                self.send_response(post.status)
                for name, value in fields.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_):
                pass

        class Server(http.server.ThreadingHTTPServer):
            daemon_threads = True
            allow_reuse_address = True

            def handle_error(self, *_):
                pass  # whoever asked has gone

        self._server = Server(("127.0.0.1", self.port), Handler)
        self.port = self._server.server_address[1]
        if self.certificate:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(*self.certificate)
            self._server.socket = context.wrap_socket(
                self._server.socket, server_side=True, do_handshake_on_connect=False
            )
        threading.Thread(
            target=self._server.serve_forever, args=(0.01,), name="collector", daemon=True
        ).start()
        return self

    def stop(self):
        if self.hold:
            self.hold.set()
        if self._server is None:
            return
        self._server.shutdown()
        self._server.server_close()
        self._server = None

    def taken(self):
        """Posts answered with 200, in order."""
        with self._lock:
            return [post for post in self.posts if post.status == 200]

    def count(self):
        with self._lock:
            return len(self.posts)

    def spans(self):
        """All spans taken, read by the independent decoder."""
        return decode(self.format, [post.body for post in self.taken()])

    def faults(self):
        """What no exporter may do."""
        with self._lock:
            return [
                f"{post.path} {post.headers['Content-Type']}" for post in self.posts
                if post.path != PATHS[self.format]
                or post.headers["Content-Type"] != TYPES[self.format]
            ]
