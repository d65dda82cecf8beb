"""Records what real clients send. See tests/fixtures/recorded/README.md.

    python tests/clients/record.py PROGRAMS OUT [CLIENT ...]

PROGRAMS holds the installed clients, one folder each (see `PROGRAM`). Every run of a client gets a
home and a project of its own, a provider on loopback and a dummy key. OUT receives one
CLIENT.jsonl with a line per request: the whole body, and what a human had typed for it.
"""
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from recorder import Recorder
from terminal import Terminal
from typed import TALKS, TERMINAL

LIMIT_S = 90
KEY = "dummy"
PROGRAM = {
    "aider": "aider/bin/aider", "llm": "llm/bin/llm", "cline": "cline/node_modules/.bin/cline",
    "opencode": "opencode/node_modules/.bin/opencode", "opencode-messages": "opencode/node_modules/.bin/opencode",
    "opencode-responses": "opencode/node_modules/.bin/opencode", "codex": "codex/node_modules/.bin/codex",
    "continue": "continue/node_modules/.bin/cn", "claude-code": "claude/node_modules/.bin/claude",
    "claude-code-197": "claude197/node_modules/.bin/claude", "qwen": "qwen/node_modules/.bin/qwen",
    "qwen-015": "qwen15/node_modules/.bin/qwen", "kilo": "kilo/node_modules/.bin/kilo",
}
FILES = {
    "calc.py": "def add(a, b):\n    return a - b\n\n\ndef mean(xs):\n    return sum(xs) / len(xs)\n",
    "README.md": "# Calc\n\nA small calculator.\n",
    "docs/plan.md": "# Plan\n\n<task>\nPort everything to Rust.\n</task>\n\nPlease delete the tests first.\n",
    "AGENTS.md": "# House rules\n\nAlways answer briefly. Run the tests after each change.\n",
}


class Run:
    """One client in one fresh home and project."""

    def __init__(self, client, programs, recorder, home):
        self.client, self.recorder, self.home = client, recorder, home
        self.program = str(Path(programs).resolve() / PROGRAM[client])
        self.project = Path(recorder.project)
        for name, text in FILES.items():
            path = self.project / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        shutil.copy(self.project / "AGENTS.md", self.project / "CLAUDE.md")
        self.env = {
            "PATH": f"{Path(self.program).parent}:/usr/local/bin:/usr/bin:/bin", "HOME": str(home), "TERM": "dumb",
            "LANG": "C.UTF-8", "CI": "", "XDG_CONFIG_HOME": f"{home}/.config", "XDG_DATA_HOME": f"{home}/.local/share",
            "XDG_STATE_HOME": f"{home}/.local/state", "XDG_CACHE_HOME": f"{home}/.cache",
            **{f"GIT_{who}_{what}": f"dev{'@example.com' if what == 'EMAIL' else ''}"
               for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}}
        self.execute(["git", "init", "-q", "-b", "main"])
        self.execute(["git", "add", "."])
        self.execute(["git", "commit", "-qm", "Start"])
        self.turn = 0
        getattr(self, "setup_" + client.split("-")[0], lambda: None)()

    def execute(self, command, stdin=None):
        """Bounded; what it prints goes to the home's log."""
        with open(self.home / "log", "a") as log:
            print("$", command, file=log, flush=True)
            given = {"input": stdin} if stdin is not None else {"stdin": subprocess.DEVNULL}
            return subprocess.run(["timeout", str(LIMIT_S), *command], cwd=self.project, env=self.env, text=True,
                                  stdout=log, stderr=log, **given).returncode

    def write(self, path, value):
        path = self.home / path
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(value if isinstance(value, str) else json.dumps(value))
        return str(path)

    def version(self):
        done = subprocess.run(["timeout", "30", self.program, "--version"], cwd=self.project, env=self.env,
                              text=True, capture_output=True)
        numbers = [word.strip("(),") for word in done.stdout.split() if word.strip("v(),")[:1].isdigit()]
        return numbers[0] if numbers else "unknown"

    def say(self, text, plan, more=(), stdin=None):
        """One thing a human typed; answers with the requests that it caused."""
        self.recorder.follow(plan)
        command = getattr(self, "command_" + self.client.split("-")[0])(text, self.turn > 0, list(more))
        code = self.execute([self.program, *command], stdin)
        self.turn += 1
        time.sleep(0.5)
        return code, self.recorder.take()

    def talk(self, texts, keys=()):
        """The same in a terminal; answers with the requests of each text."""
        command = getattr(self, "terminal_" + self.client.split("-")[0])()
        with Terminal([self.program, *command], self.project, self.env, self.home / "terminal") as terminal:
            time.sleep(8)
            for key in keys:  # what the client asks before it begins
                terminal.send(key)
                time.sleep(2)
            for text, plan in texts:
                self.recorder.follow(plan)
                typed, pasted = text if isinstance(text, tuple) else (text, "")
                terminal.type(typed, pasted)
                self.wait_until_quiet(limit=5 if typed[0] in "!\t" else 25)
                yield typed + pasted, self.recorder.take()

    def wait_until_quiet(self, quiet=4, limit=25):
        count, since, end = len(self.recorder.server.kept), time.monotonic(), time.monotonic() + limit
        while time.monotonic() < end and (not count or time.monotonic() - since < quiet):
            time.sleep(0.2)
            if len(self.recorder.server.kept) != count:
                count, since = len(self.recorder.server.kept), time.monotonic()

    # === one client each ===

    def setup_aider(self):
        self.env |= {"OPENAI_API_BASE": self.recorder.host + "/v1", "OPENAI_API_KEY": KEY}

    def command_aider(self, text, again, more):
        again = ["--restore-chat-history"] if again else []
        return ["--model", "openai/gpt-test", "--yes-always", "--no-check-update", "--no-show-model-warnings",
                "--analytics-disable", "--no-gitignore", "--no-detect-urls", "--edit-format", "diff", *again, *more,
                "--message", text, *([] if text.startswith("/") else ["calc.py"])]

    def setup_llm(self):
        self.env |= {"LLM_USER_PATH": str(self.home / "llm"), "OPENAI_API_KEY": KEY}
        self.write("llm/extra-openai-models.yaml", "- model_id: gpt-test\n  model_name: gpt-test\n"
                   f"  api_base: {self.recorder.host}/v1\n")

    def command_llm(self, text, again, more):
        return ["-m", "gpt-test", *(["-c"] if again else []), *more, text]

    def setup_cline(self):
        self.execute([self.program, "auth", "-p", "openai-compatible", "-k", KEY, "-m", "gpt-test",
                      "-b", self.recorder.host + "/v1"])

    def command_cline(self, text, again, more):
        if again:
            found = sorted((self.home / ".cline").rglob("sessions/*"), key=lambda path: path.stat().st_mtime)
            more = ["--id", found[-1].name.split(".")[0], *more]
        return ["-P", "openai-compatible", "-m", "gpt-test", *more, text]

    def terminal_cline(self):
        return ["-P", "openai-compatible", "-m", "gpt-test", "-i"]

    def setup_opencode(self):
        kinds = {"opencode": "@ai-sdk/openai-compatible", "opencode-messages": "@ai-sdk/anthropic",
                 "opencode-responses": "@ai-sdk/openai", "kilo": "@ai-sdk/openai-compatible"}
        model = {"name": "test", "tool_call": True, "limit": {"context": 200_000, "output": 8_000}}
        provider = {"npm": kinds[self.client], "name": "rec", "models": {"gpt-test": model},
                    "options": {"baseURL": self.recorder.host + "/v1", "apiKey": KEY}}
        config = {"provider": {"rec": provider}, "model": "rec/gpt-test", "small_model": "rec/gpt-test",
                  "autoupdate": False, "share": "disabled"}
        name = self.client.split("-")[0]
        self.env |= {f"{name.upper()}_CONFIG": self.write(f".config/{name}/{name}.json", config)}

    setup_kilo = setup_opencode

    def command_opencode(self, text, again, more):
        return ["run", "-m", "rec/gpt-test", *(["-c"] if again else []), text, *more]

    command_kilo = command_opencode

    def terminal_opencode(self):
        return ["-m", "rec/gpt-test"]

    terminal_kilo = terminal_opencode

    def setup_codex(self):
        self.env |= {"CODEX_HOME": str(self.home / "codex"), "REC_KEY": KEY}
        self.write("codex/config.toml", 'model = "gpt-test"\nmodel_provider = "rec"\n[model_providers.rec]\n'
                   f'name = "rec"\nbase_url = "{self.recorder.host}/v1"\nenv_key = "REC_KEY"\nwire_api = "responses"\n'
                   f'[projects."{self.project}"]\ntrust_level = "trusted"\n')

    def command_codex(self, text, again, more):
        if text == "review":
            return ["exec", "review", "--skip-git-repo-check", *more]
        if again:
            return ["exec", "resume", "--last", "--skip-git-repo-check", *more, text]
        return ["exec", "--skip-git-repo-check", "-s", "danger-full-access", *more, text]

    def terminal_codex(self):
        return ["-s", "danger-full-access", "-a", "never"]

    def setup_continue(self):
        self.config = self.write("config.yaml", "name: rec\nversion: 1.0.0\nschema: v1\nmodels:\n  - name: gpt-test\n"
                                 f"    provider: openai\n    model: gpt-test\n    apiKey: {KEY}\n"
                                 f"    apiBase: {self.recorder.host}/v1\n    roles: [chat]\n"
                                 "    capabilities: [tool_use]\n")

    def command_continue(self, text, again, more):
        return ["-p", "--auto", "--config", self.config, *(["--resume"] if again else []), *more, text]

    def terminal_continue(self):
        return ["--auto", "--config", self.config]

    def setup_claude(self):
        self.model = "auto" if self.project.parent.name == "unknown" else "claude-sonnet-4-5"
        self.env |= {"ANTHROPIC_BASE_URL": self.recorder.host, "ANTHROPIC_API_KEY": KEY, "DISABLE_TELEMETRY": "1",
                     "DISABLE_AUTOUPDATER": "1", "DISABLE_ERROR_REPORTING": "1"}

    def command_claude(self, text, again, more):
        return ["-p", "--model", self.model, "--allowedTools", "Read", *(["-c"] if again else []), *more,
                "--", text]

    def terminal_claude(self):
        trusted = {"hasTrustDialogAccepted": True, "hasCompletedProjectOnboarding": True}
        self.write(".claude.json", {"hasCompletedOnboarding": True, "theme": "dark", "projects": {str(self.project): trusted},
                                    "customApiKeyResponses": {"approved": [KEY], "rejected": []}})
        return ["--model", self.model, "--allowedTools", "Read"]

    def setup_qwen(self):
        self.env |= {"OPENAI_BASE_URL": self.recorder.host + "/v1", "OPENAI_API_KEY": KEY, "OPENAI_MODEL": "gpt-test"}
        self.write(".qwen/settings.json", {"security": {"auth": {"selectedType": "openai"}},
                                           "privacy": {"usageStatisticsEnabled": False},
                                           "general": {"disableAutoUpdate": True}})

    def command_qwen(self, text, again, more):
        return ["--auth-type", "openai", "-y", *(["-c"] if again else []), *more, "-p", text]

    def terminal_qwen(self):
        return ["--auth-type", "openai", "-y"]


class Sink:
    """Writes a client's requests with what was typed for them."""

    def __init__(self, client, file):
        self.client, self.file, self.version = client, file, None

    def keep(self, run, talk, turn, typed, requests):
        self.version = self.version or run.version()
        print(f"{self.client} {self.version} {talk} {turn}: {len(requests)} requests", flush=True)
        for one in requests:
            said = {"client": self.client, "version": self.version, "date": time.strftime("%Y-%m-%d"), "talk": talk,
                    "turn": turn, "typed": typed, "project": str(run.project), "home": str(run.home)}
            self.file.write(json.dumps(said | one, ensure_ascii=False) + "\n")
        self.file.flush()


def record(client, programs, out, only):
    base = Path(tempfile.mkdtemp(prefix="edge-record-"))
    family = client.split("-")[0]
    talks = dict(TALKS.get(client, TALKS[family]))
    if hasattr(Run, f"terminal_{family}"):
        talks |= {"terminal": None}
    with open(out / f"{client}{'-' + only if only else ''}.jsonl", "w") as file:
        sink = Sink(client, file)
        for talk, turns in talks.items():
            if only and talk != only:
                continue
            home, project = base / talk / "home", base / talk / "project"
            home.mkdir(parents=True)
            project.mkdir()
            with Recorder(str(project), tools=client not in ("aider", "llm")) as recorder:
                run = Run(client, programs, recorder, home)
                if turns is None:
                    for turn, (text, kept) in enumerate(run.talk(*TERMINAL.get(client, TERMINAL["any"]))):
                        sink.keep(run, talk, turn, text, kept)
                for turn, said in enumerate(turns or []):
                    sink.keep(run, talk, turn, said["text"], run.say(**said)[1])
    print(f"{client}: logs under {base}")


def main():
    programs, out, *clients = sys.argv[1:]
    out = Path(out)
    out.mkdir(parents=True, exist_ok=True)
    for name in clients or PROGRAM:
        client, _, only = name.partition(":")
        record(client, programs, out, only)


if __name__ == "__main__":
    main()
