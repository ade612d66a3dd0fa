# tests/e2e/proxies.py - nginx and HAProxy in front of a server, which say what they passed on
"""Both keep connections to the server open and share them between clients: if front and server
ever disagree on where a message ends, the next client gets somebody else's answer."""

import os
import re

from stores import Program, free_port

NGINX = """
daemon off; master_process off; pid {directory}/nginx.pid; error_log {directory}/error.log warn;
events {{ worker_connections 4096; }}
http {{
  log_format passed '$upstream_status';
  access_log {log} passed;
  client_body_temp_path {directory}/body; proxy_temp_path {directory}/proxy;
  fastcgi_temp_path {directory}/fastcgi; uwsgi_temp_path {directory}/uwsgi;
  scgi_temp_path {directory}/scgi;
  client_header_timeout 2s; client_body_timeout 2s; lingering_time 1s;
  upstream firstcome {{ server 127.0.0.1:{server_port}; keepalive 8; }}
  server {{
    listen 127.0.0.1:{port};
    location / {{
      proxy_pass http://firstcome; proxy_http_version 1.1; proxy_set_header Connection "";
      proxy_next_upstream off; proxy_read_timeout 5s; proxy_request_buffering {buffering};
    }}
  }}
}}
"""

HAPROXY = """
global
  maxconn 4096
  log stdout format raw local0 info
defaults
  mode http
  timeout connect 2s
  timeout client 3s
  timeout server 5s
  timeout http-request 2s
  option http-keep-alive
  http-reuse always
  retries 0
frontend front
  bind 127.0.0.1:{port}
  log global
  log-format "%s"
  default_backend firstcome
backend firstcome
  server firstcome 127.0.0.1:{server_port}
"""


class Proxy(Program):
    """`passed()` is how many requests it has handed to the server, by its own log."""

    def __init__(self, name, command, port, log, passed_log, is_passed):
        super().__init__(command, port, log)
        self.name = name
        self.passed_log = passed_log
        self.is_passed = is_passed

    @property
    def address(self):
        return "127.0.0.1", self.port

    def passed(self):
        with open(self.passed_log, encoding="utf-8", errors="replace") as log:
            return sum(1 for line in log if self.is_passed(line.strip()))


def _room(scratch, name):
    directory = os.path.join(scratch, name)
    os.makedirs(directory)
    os.chmod(scratch, 0o755)  # nginx as root works as another user
    os.chmod(directory, 0o777)
    return directory


def _write(path, text):
    with open(path, "w", encoding="utf-8") as out:
        out.write(text)
    return path


def nginx(scratch, server_port, buffering="on"):
    name = "nginx" if buffering == "on" else "nginx, unbuffered"
    directory = _room(scratch, f"nginx-{buffering}")
    log = os.path.join(directory, "passed.log")
    port = free_port()
    configuration = _write(os.path.join(directory, "nginx.conf"), NGINX.format(
        directory=directory, log=log, port=port, server_port=server_port, buffering=buffering
    ))
    # The -e keeps it from complaining about a log it may not write before it has read its own.
    command = ["nginx", "-e", os.path.join(directory, "error.log"), "-c", configuration]
    return Proxy(
        name, command, port, os.path.join(directory, "output.log"), log,
        lambda line: re.match(r"\d", line) is not None
    )


def haproxy(scratch, server_port):
    directory = _room(scratch, "haproxy")
    log = os.path.join(directory, "output.log")
    port = free_port()
    configuration = _write(
        os.path.join(directory, "haproxy.cfg"), HAPROXY.format(port=port, server_port=server_port)
    )
    return Proxy(
        "HAProxy", ["haproxy", "-db", "-f", configuration], port, log, log,
        lambda line: line == "firstcome"
    )
