# tests/e2e/prometheus.py - a real Prometheus that scrapes a test's nodes, and its text format read
import collections
import http.client
import json
import math
import os
import re
import subprocess
import urllib.parse

from harness import DEADLINE_S, ROOT, wait_until
from stores import Program, free_port

DEPLOY = os.path.join(ROOT, "deploy", "prometheus")
RULES = os.path.join(DEPLOY, "firstcome.rules.yml")
JOB = "firstcome"

Sample = collections.namedtuple("Sample", "name labels value")


class Prometheus(Program):
    """Scrapes `targets` (host, port) as the job `firstcome`, twice a second."""

    def __init__(self, scratch, targets, rules=(), alertmanager=None):
        port = free_port()
        self.directory = os.path.join(scratch, f"prometheus-{port}")
        os.makedirs(self.directory)
        config = os.path.join(self.directory, "prometheus.yml")
        addresses = ", ".join(f'"{host}:{at}"' for host, at in targets)
        with open(config, "w", encoding="utf-8") as file:
            file.write(
                "global: {scrape_interval: 500ms, scrape_timeout: 500ms, evaluation_interval: 1s}\n"
                f"rule_files: {json.dumps(list(rules))}\n"
                f"scrape_configs:\n- job_name: {JOB}\n"
                f"  static_configs: [{{targets: [{addresses}]}}]\n"
            )
            if alertmanager:
                file.write(
                    "alerting:\n  alertmanagers:\n"
                    f'  - static_configs: [{{targets: ["127.0.0.1:{alertmanager}"]}}]\n'
                )
        super().__init__(
            ["prometheus", f"--config.file={config}", f"--web.listen-address=127.0.0.1:{port}",
             f"--storage.tsdb.path={self.directory}/data", "--log.level=warn"],
            port, os.path.join(self.directory, "prometheus.log"),
        )

    def start(self, deadline_s=DEADLINE_S):
        super().start(deadline_s)
        wait_until(lambda: self._get("/-/ready")[0] == 200, "Prometheus is ready", deadline_s)
        return self

    def _get(self, target):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=DEADLINE_S)
        try:
            connection.request("GET", target)
            response = connection.getresponse()
            return response.status, response.read()
        finally:
            connection.close()

    def query(self, expression):
        """The result now: (labels, number) of each series."""
        status, body = self._get("/api/v1/query?" + urllib.parse.urlencode({"query": expression}))
        answer = json.loads(body)
        assert status == 200 and answer["status"] == "success", f"{expression}: {body!r}"
        result = answer["data"]["result"]
        if answer["data"]["resultType"] == "scalar":
            return [({}, float(result[1]))]
        return [(each["metric"], float(each["value"][1])) for each in result]

    def value(self, expression):
        """Of the only series there is; None: there is none, or it is no number."""
        result = self.query(expression)
        assert len(result) <= 1, f"{expression}: {result}"
        return result[0][1] if result and not math.isnan(result[0][1]) else None

    def alerts(self):
        """Those that fire: (name, item or other subject)."""
        answer = json.loads(self._get("/api/v1/alerts")[1])["data"]["alerts"]
        return [each["labels"] for each in answer if each["state"] == "firing"]


def promtool(*arguments, text=None, cwd=None):
    """(exit code, everything it said)"""
    done = subprocess.run(
        ["promtool", *arguments], input=text, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        cwd=cwd, check=False, timeout=120,
    )
    return done.returncode, done.stdout.decode(errors="replace")


def read_samples(text):
    """Every sample of an exposition in Prometheus' text format."""
    samples = []
    for line in text.splitlines():
        if not line or line.startswith("#"):
            continue
        match = re.fullmatch(r'(\w+)(?:\{(.*)\})? (\S+)', line)
        assert match, f"not a sample: {line}"
        labels = dict(re.findall(r'(\w+)="((?:[^"\\]|\\.)*)"', match[2] or ""))
        samples.append(Sample(match[1], labels, float(match[3])))
    return samples


def read_families(text):
    """Family -> (type, help)."""
    helps = dict(re.findall(r"(?m)^# HELP (\S+) (.*)$", text))
    return {name: (kind, helps.get(name)) for name, kind in
            re.findall(r"(?m)^# TYPE (\S+) (\S+)$", text)}
