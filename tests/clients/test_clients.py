"""Real clients against the running release binary: the OpenAI SDK and aider.

Run by scripts/test.sh, which installs the clients.
"""
import json
import math
import subprocess
import sys
import threading
import unittest
import urllib.error
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from openai import OpenAI, BadRequestError, NotFoundError

from provider import Provider
from router import Router

CONFIG = """
[catalog]
builtin = false
[[providers]]
id = "fake"
kind = "openai"
base_url = "{base}"
api_keys = ["sk-fake"]
"""
MODEL = """
[[models]]
id = "fake/{name}"
provider = "fake"
max_tier = "{tier}"
input_usd_per_mtok = {input}
output_usd_per_mtok = {output}
context_window = 128000
max_output_tokens = 8192
capabilities = ["chat", "tools"]
"""
PRICES = {"small": (1, 2), "middle": (10, 20), "large": (100, 200)}

TOOL = {"type": "function", "function": {"name": "weather", "description": "weather of a city",
        "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}}}


def three_prices(base):
    tiers = {"small": "operational", "middle": "complex", "large": "deep"}
    models = [MODEL.format(name=name, tier=tiers[name], input=PRICES[name][0], output=PRICES[name][1])
              for name in PRICES]
    return CONFIG.format(base=base) + "".join(models)


class Sdk(unittest.TestCase):
    def setUp(self):
        self.provider = self.enterContext(Provider())
        self.router = self.enterContext(Router(three_prices(self.provider.base)))
        self.client = OpenAI(base_url=self.router.base + "/v1", api_key="unused", max_retries=0)

    def test_chat_answers_and_carries_proxy(self):
        answer = self.client.chat.completions.create(
            model="auto", messages=[{"role": "user", "content": "thanks!"}])
        self.assertIn("speaking", answer.choices[0].message.content)
        self.assertEqual(answer.model_extra["_proxy"]["model_id"], "fake/small")

    def test_stream_arrives_in_pieces_with_usage(self):
        chunks = list(self.client.chat.completions.create(
            model="auto", stream=True, stream_options={"include_usage": True},
            messages=[{"role": "user", "content": "hello"}]))
        text = "".join(c.choices[0].delta.content or "" for c in chunks if c.choices)
        self.assertIn("speaking.", text)
        self.assertGreater(len(chunks), 4)
        self.assertEqual(chunks[-1].usage.completion_tokens, 17)
        self.assertIn("cost_usd", chunks[-1].model_extra["_proxy"])

    def test_tools_go_there_and_back(self):
        messages = [{"role": "user", "content": "what is the weather in Oslo?"}]
        for stream in (False, True):
            if stream:
                call, arguments = None, ""
                for chunk in self.client.chat.completions.create(
                        model="auto", messages=messages, tools=[TOOL], stream=True):
                    for delta in chunk.choices[0].delta.tool_calls or []:
                        call = call or delta
                        arguments += delta.function.arguments or ""
            else:
                answer = self.client.chat.completions.create(model="auto", messages=messages, tools=[TOOL])
                call = answer.choices[0].message.tool_calls[0]
                arguments = call.function.arguments
            self.assertEqual((call.function.name, arguments), ("weather", '{"city": "Oslo"}'))

    def test_errors_are_the_sdks_own_kinds(self):
        with self.assertRaises(NotFoundError):
            self.client.chat.completions.create(model="fake/huge", messages=[{"role": "user", "content": "x"}])
        with self.assertRaises(BadRequestError):
            self.client.chat.completions.create(
                model="auto", messages=[{"role": "user", "content": "x"}],
                extra_headers={"X-Task-Tier": "enormous"})

    def test_ten_prompts_go_where_they_belong_and_the_ledger_is_exact(self):
        prompts = [
            "thanks, that's all",
            "rename the variable `tmp` to `total`",
            "fix the typo: recieve",
            "what does `git stash pop` do?",
            "write a docstring for this function: def area(r): return 3.14159 * r * r",
            "Write a REST endpoint POST /users in Express with validation of email and password, "
            "duplicate check and proper status codes",
            "Our three services (orders, billing, shipping) must move from a shared Postgres schema to one "
            "database each without downtime; plan and implement the migration with dual writes, backfill and rollback",
            "Refactor the authentication across all our modules from sessions to JWT, keep old clients working, "
            "update the tests and the API documentation",
            "Prove or disprove: this lock-free queue with relaxed loads on the tail can never lose an element "
            "under the C++11 memory model; give the interleaving or the invariant",
            "Design an algorithm that maintains the median of a sliding window over a stream in O(log k) worst case "
            "with adversarial deletions, and prove the bound is tight",
        ]
        chosen = []
        for prompt in prompts:
            answer = self.client.chat.completions.create(
                model="auto", messages=[{"role": "user", "content": prompt}])
            proxy = answer.model_extra["_proxy"]
            chosen.append(proxy["model_id"])
            self.assertGreater(len(proxy["routing_reason"]), 30)
        print("chosen:", chosen)
        self.assertGreaterEqual(len(set(chosen)), 2)
        self.assertEqual(set(chosen[:3]), {"fake/small"})
        self.assertNotIn("fake/small", chosen[-2:])
        nanos = sum(math.ceil((usage["prompt_tokens"] * PRICES[model][0] + usage["completion_tokens"] * PRICES[model][1])
                              * 1_000_000_000 / 1_000_000) for model, usage in self.provider.used)
        self.assertEqual(round(self.router.spent() * 1e9), nanos)


class Promises(unittest.TestCase):
    """What README says, seen from outside."""

    def post(self, router, body):
        request = urllib.request.Request(
            router.base + "/v1/chat/completions", json.dumps(body).encode(),
            {"content-type": "application/json"})
        try:
            with urllib.request.urlopen(request, timeout=60) as answer:
                return answer.status, answer.headers, json.load(answer)
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.headers, json.load(error)

    def test_a_provider_that_stops_is_replaced_by_the_next(self):
        cheap, solid = Provider().__enter__(), self.enterContext(Provider())
        config = three_prices(solid.base) + (
            f'[[providers]]\nid = "cheap"\nkind = "openai"\nbase_url = "{cheap.base}"\n'
            '[[models]]\nid = "cheap/tiny"\nprovider = "cheap"\nmax_tier = "deep"\n'
            "input_usd_per_mtok = 0.1\noutput_usd_per_mtok = 0.1\ncontext_window = 128000\n")
        router = self.enterContext(Router(config))
        ask = {"model": "auto", "messages": [{"role": "user", "content": "rename x to y"}]}
        self.assertEqual(self.post(router, ask)[1]["x-edge-model"], "cheap/tiny")
        cheap.__exit__()
        for _ in range(2):
            status, headers, answer = self.post(router, ask)
            self.assertEqual((status, headers["x-edge-fallback-index"]), (200, "1"))
            self.assertEqual(answer["_proxy"]["attempts"][0]["model_id"], "cheap/tiny")
            self.assertEqual(headers["x-edge-model"], "fake/small")

    def test_unknown_fields_reach_the_provider_unchanged_and_in_order(self):
        provider = self.enterContext(Provider())
        sent = ('{"x_custom":{"a":[1,2],"f":1.0,"big":12345678901234567890123},"model":"fake/small",'
                '"reasoning_effort":"low","messages":[{"role":"user","content":[{"type":"text",'
                '"text":"caf\\u00e9","cache_control":{"type":"ephemeral"}}],"x_inner":null}],'
                '"max_tokens":50,"temperature":1e0,"x_last":"\\/"}')
        config = three_prices(provider.base).replace('["chat", "tools"]', '["chat", "tools", "reasoning"]')
        router = self.enterContext(Router(config))
        request = urllib.request.Request(
            router.base + "/v1/chat/completions", sent.encode(), {"content-type": "application/json"})
        with urllib.request.urlopen(request) as answer:
            self.assertEqual(answer.status, 200)
        self.assertEqual(provider.bodies[-1].decode(), sent.replace("fake/small", "small"))

    def test_two_hundred_requests_at_once_stay_under_one_cent(self):
        provider = self.enterContext(Provider())
        router = self.enterContext(Router("[budget]\ndaily_usd = 0.01\n" + three_prices(provider.base)))
        ask = {"model": "fake/middle", "max_tokens": 100, "messages": [{"role": "user", "content": "hi"}]}
        highest, over = 0, threading.Event()

        def watch():
            nonlocal highest
            while not over.is_set():
                day = router.get("/v1/budget")["daily"]
                highest = max(highest, round((day["spent_usd"] + day["reserved_usd"]) * 1e9))

        watcher = threading.Thread(target=watch)
        watcher.start()
        with ThreadPoolExecutor(64) as pool:
            statuses = [status for status, _, _ in pool.map(lambda _: self.post(router, ask), range(200))]
        over.set()
        watcher.join()
        self.assertEqual(set(statuses), {200, 402})
        self.assertLessEqual(highest, 10_000_000)
        self.assertLessEqual(round(router.spent() * 1e9), 10_000_000)
        self.assertEqual(len(provider.used), statuses.count(200))


class Aider(unittest.TestCase):
    def test_aider_edits_a_file_through_the_router(self):
        provider = self.enterContext(Provider())
        router = self.enterContext(Router(three_prices(provider.base)))
        repository = Path(router.dir.name) / "project"
        repository.mkdir()

        def git(*arguments):
            subprocess.run(["git", "-c", "user.name=t", "-c", "user.email=t@example.com", *arguments],
                           cwd=repository, check=True, capture_output=True)

        git("init", "-q")
        (repository / "calc.py").write_text("def add(a, b):\n    return a - b\n")
        git("add", "calc.py")
        git("commit", "-qm", "start")
        env = {"PATH": f"{Path(sys.executable).parent}:/usr/bin:/bin", "HOME": router.dir.name,
               "OPENAI_API_BASE": router.base + "/v1", "OPENAI_API_KEY": "unused",
               "GIT_AUTHOR_NAME": "t", "GIT_AUTHOR_EMAIL": "t@example.com",
               "GIT_COMMITTER_NAME": "t", "GIT_COMMITTER_EMAIL": "t@example.com"}
        done = subprocess.run(
            [str(Path(sys.executable).parent / "aider"), "--model", "openai/auto", "--edit-format", "diff",
             "--yes-always", "--no-check-update", "--no-show-model-warnings", "--analytics-disable",
             "--no-gitignore", "--no-detect-urls", "--message", "add subtracts: fix it", "calc.py"],
            cwd=repository, env=env, capture_output=True, text=True, timeout=300)
        self.assertIn("return a + b", (repository / "calc.py").read_text(), done.stdout + done.stderr)
        log = subprocess.run(["git", "log", "--oneline"], cwd=repository, capture_output=True, text=True)
        self.assertEqual(len(log.stdout.splitlines()), 2, log.stdout)
        self.assertGreater(router.spent(), 0)


class Embedded(unittest.TestCase):
    """The small model inside the router, with no key and no other server."""

    def test_the_sdk_talks_to_the_embedded_model(self):
        # The first start fetches the model by itself.
        with Router("") as router:
            client = OpenAI(base_url=router.base + "/v1", api_key="unused", timeout=120)
            answer = client.chat.completions.create(
                model="auto", max_tokens=24, messages=[{"role": "user", "content": "Say hello."}])
            self.assertTrue(answer.choices[0].message.content.strip())
            self.assertEqual(answer.model_extra["_proxy"]["model_id"], "embedded/smollm2-135m")
            self.assertGreater(answer.usage.prompt_tokens, 0)
            pieces = [c.choices[0].delta.content for c in client.chat.completions.create(
                model="local", max_tokens=12, stream=True,
                messages=[{"role": "user", "content": "Count to five."}]) if c.choices]
            self.assertGreater(len([piece for piece in pieces if piece]), 2)


if __name__ == "__main__":
    unittest.main(verbosity=2)
