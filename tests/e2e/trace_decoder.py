#!/usr/bin/env python3
# tests/e2e/trace_decoder.py - installs the decoder of the tracing suite, and asks it
"""Called as a program it installs only: ./dev setup does so. What it installs is pinned by
tests/e2e/decoder/package-lock.json and lies in .cache/decoder; a suite that finds nothing there
installs it itself, and fails when it cannot."""

import base64
import json
import os
import shutil
import subprocess

HERE = os.path.dirname(os.path.abspath(__file__))
SOURCE = os.path.join(HERE, "decoder")
INSTALLED = os.path.join(os.path.dirname(os.path.dirname(HERE)), ".cache", "decoder")
INSTALL_S = 180


def _same(name):
    try:
        with open(os.path.join(SOURCE, name), "rb") as wanted:
            with open(os.path.join(INSTALLED, name), "rb") as there:
                return wanted.read() == there.read()
    except FileNotFoundError:
        return False


def install():
    """Nothing when it is there already; an AssertionError says why it could not be."""
    whole = os.path.exists(os.path.join(INSTALLED, "node_modules", ".package-lock.json"))
    if whole and _same("package-lock.json") and _same("package.json"):
        return
    for program in ("node", "npm"):
        assert shutil.which(program), f"{program} is not installed: ./dev setup test"
    shutil.rmtree(INSTALLED, ignore_errors=True)
    os.makedirs(INSTALLED)
    for name in ("package.json", "package-lock.json"):
        shutil.copy(os.path.join(SOURCE, name), os.path.join(INSTALLED, name))
    done = subprocess.run(
        ["npm", "ci", "--no-audit", "--no-fund", "--ignore-scripts"], cwd=INSTALLED,
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False,
        timeout=INSTALL_S,
    )
    if done.returncode != 0:
        shutil.rmtree(INSTALLED, ignore_errors=True)
        output = done.stdout.decode(errors="replace")[-2000:]
        raise AssertionError(
            f"the decoder of traces cannot be installed (is the npm registry reached?):\n{output}"
        )


def decode(format_, bodies):
    """The spans of these requests, each a dict; see decoder/decode.js. Faults are raised."""
    lines = b"".join(base64.b64encode(body) + b"\n" for body in bodies)
    done = subprocess.run(
        ["node", os.path.join(SOURCE, "decode.js"), format_], cwd=INSTALLED, input=lines,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, check=False, timeout=60,
    )
    assert done.returncode == 0, done.stderr.decode(errors="replace")
    spans = []
    for line in done.stdout.decode().splitlines():
        answer = json.loads(line)
        assert not answer["faults"], f"{format_}: {answer['faults']}"
        spans += answer["spans"]
    return spans


if __name__ == "__main__":
    try:
        install()
    except (AssertionError, OSError, subprocess.SubprocessError) as error:
        raise SystemExit(f"tests/e2e/trace_decoder.py: {error}") from None
