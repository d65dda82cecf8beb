#!/usr/bin/env python3
"""What project context costs over a task of twelve turns, three ways.

The task is real: twelve successive commits of this repository. Before each turn the working tree is at the
commit before; the human's words are the commit's subject. `edge-watch --once` brings the router up to date, the
router injects, and a scripted provider keeps the bytes that it was sent. Beside it, with the same words and answers:

  whole    the client puts the whole changed files into each message (the first turn: those of the first commit)
  system   the same first files, then one diff since the task began, in the system prompt

Billed by the provider's cache rules at the catalogue's prices: what a request shares with the one before it from
the first byte on is read from the cache (from 1,024 tokens on), the rest is written to it or is plain input.
Four bytes are a token. Needs a release build and the repository's history.
"""
import json
import os
import subprocess
import sys
import tempfile
import tomllib
import urllib.request
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tests/clients"))
from provider import Provider  # noqa: E402
from router import Router, binary  # noqa: E402

START = "d328129"
COMMITS = ["2b10653", "d126211", "10d536f", "7a7b032", "4c79177", "85827ca", "564c274", "78c489c", "8e8c8ca",
           "7d4578c", "ca0ecd7", "1f99479"]
MODELS = ["anthropic/claude-sonnet-5-5", "openai/gpt-6.1-sol"]
SYSTEM = "You are a careful engineer. " * 450  # some 3,100 tokens, as a small agent has
ANSWER = "Done; the change is in the files named above, with a test for each behaviour. " * 15
CACHE_FROM = 1024  # tokens


def git(*args, cwd=ROOT):
    return subprocess.run(["git", *args], cwd=cwd, check=True, capture_output=True, text=True).stdout


def changed(before, after):
    names = git("diff", "--name-only", "--diff-filter=AM", before, after, "--", "*.rs", "*.toml", "*.md", "*.py")
    return names.split()


def conversation(turns, system):
    """The request bodies of all turns: `turns` are the human's messages as sent, `system` one prompt per turn."""
    for n in range(len(turns)):
        messages = [{"role": "system", "content": system[n]}]
        for m, text in enumerate(turns[: n + 1]):
            messages.append({"role": "user", "content": text})
            if m < n:
                messages.append({"role": "assistant", "content": ANSWER})
        yield messages


def whole(instructions):
    turns, before = [], START
    for n, words in enumerate(instructions):
        names = changed(START, COMMITS[0]) if n == 0 else changed(before, COMMITS[n - 1])
        at = START if n == 0 else COMMITS[n - 1]
        files = "".join(f"\n\n{name}\n```\n{git('show', f'{at}:{name}')}```" for name in names)
        turns.append(words + files)
        before = at
    return conversation(turns, [SYSTEM] * len(turns))


def in_system(instructions):
    first = "".join(f"\n\n{name}\n```\n{git('show', f'{START}:{name}')}```" for name in changed(START, COMMITS[0]))
    prompts = [SYSTEM + first]
    for at in COMMITS[:-1]:
        prompts.append(SYSTEM + first + "\n\nChanges so far:\n" + git("diff", START, at))
    return conversation(list(instructions), prompts)


def ours(instructions):
    with Provider() as upstream, tempfile.TemporaryDirectory() as work:
        config = f"""
[catalog]
builtin = false
[context]
inject = "always"
[[providers]]
id = "up"
kind = "openai"
base_url = "{upstream.base}"
api_keys = ["x"]
[[models]]
id = "up/m"
provider = "up"
max_tier = "deep"
context_window = 1000000
"""
        tree = Path(work) / "tree"
        git("clone", "--quiet", "--shared", "--no-checkout", str(ROOT), str(tree))
        with Router(config) as router:
            messages = [{"role": "system", "content": SYSTEM}]
            for n, words in enumerate(instructions):
                git("checkout", "--quiet", START if n == 0 else COMMITS[n - 1], cwd=tree)
                watch = binary().with_name("edge-watch")
                subprocess.run([watch, tree, "--once", "--project", "task", "--proxy", router.base], check=True,
                               capture_output=True, env=os.environ | {"XDG_STATE_HOME": work})
                messages.append({"role": "user", "content": words})
                send(router.base, {"model": "up/m", "messages": messages})
                messages.append({"role": "assistant", "content": ANSWER})
        for body in upstream.requests:
            yield body["messages"]


def send(base, body):
    headers = {"content-type": "application/json", "x-project": "task", "x-session-id": "task"}
    request = urllib.request.Request(f"{base}/v1/chat/completions", json.dumps(body).encode(), headers)
    urllib.request.urlopen(request).read()


def flat(messages):
    return "".join(f"{m['role']}\n{m['content']}\n" for m in messages).encode()


def bill(requests, price):
    """USD of input, and tokens sent and read from the cache."""
    fresh = price.get("cache_write_usd_per_mtok", price["input_usd_per_mtok"])
    cost, sent, cached, before = 0.0, 0, 0, b""
    for messages in requests:
        text = flat(messages)
        shared = len(os.path.commonprefix([before, text])) // 4
        hit = shared if shared >= CACHE_FROM else 0
        total = len(text) // 4
        cost += hit * float(price["cache_read_usd_per_mtok"]) + (total - hit) * float(fresh)
        sent, cached, before = sent + total, cached + hit, text
    return cost / 1e6, sent, cached


def main():
    catalogue = tomllib.loads((ROOT / "models/catalog.toml").read_text())
    prices = {model["id"]: model for model in catalogue["models"]}
    instructions = [git("show", "-s", "--format=%s", commit).strip() for commit in COMMITS]
    ways = {"whole files, every turn": list(whole(instructions)),
            "diff in the system prompt": list(in_system(instructions)),
            "edge-router": list(ours(instructions))}
    files = len(git("ls-tree", "-r", "--name-only", START).split())
    print(f"{len(COMMITS)} turns, {files} files")
    print(f"| {'input billed with':26} | tokens sent | from cache | {' | '.join(MODELS)} |")
    for name, requests in ways.items():
        bills = [bill(requests, prices[model]) for model in MODELS]
        costs = " | ".join(f"${cost:.4f}" for cost, _, _ in bills)
        print(f"| {name:26} | {bills[0][1]:,} | {bills[0][2]:,} | {costs} |")


if __name__ == "__main__":
    main()
