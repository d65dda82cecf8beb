"""Starts the release binary as a user does and stops it with SIGTERM."""
import json
import os
import signal
import subprocess
import tempfile
import time
import urllib.request
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def binary():
    """The release binary, wherever cargo has put it."""
    target = Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target"))
    return target / "release" / "edge-router"


def free_port():
    import socket

    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


class Router:
    """`config` is the text of edge-router.toml. No provider key is taken from the environment."""

    def __init__(self, config):
        self.config = config

    def __enter__(self):
        self.dir = tempfile.TemporaryDirectory()
        home = Path(self.dir.name)
        (home / "edge-router.toml").write_text(self.config)
        self.port = free_port()
        env = {name: value for name, value in os.environ.items() if not name.endswith("_API_KEY")}
        env |= {"XDG_CONFIG_HOME": str(home), "RUST_LOG": "info"}
        self.log = open(home / "log", "w+")
        self.process = subprocess.Popen(
            [binary(), "serve", "--port", str(self.port)], cwd=home, env=env,
            stdout=subprocess.PIPE, stderr=self.log, text=True)
        self.base = f"http://127.0.0.1:{self.port}"
        self.ready_line = self.process.stdout.readline()
        if "ready" not in self.ready_line:
            self.log.seek(0)
            raise RuntimeError(f"the router did not start: {self.ready_line}{self.log.read()}")
        return self

    def __exit__(self, *_):
        self.process.send_signal(signal.SIGTERM)
        self.exit_code = self.process.wait(timeout=30)
        self.process.stdout.close()
        self.log.close()
        self.dir.cleanup()

    def get(self, path):
        with urllib.request.urlopen(self.base + path) as response:
            return json.load(response)

    def spent(self):
        return self.get("/v1/budget")["daily"]["spent_usd"]

    def wait_for(self, condition, seconds=10):
        end = time.monotonic() + seconds
        while not condition():
            if time.monotonic() > end:
                raise TimeoutError
            time.sleep(0.05)
