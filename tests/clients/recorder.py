"""A scripted provider that keeps every request: chat completions, Responses and Messages.

What it answers is a plan, one word per request that is the client's main work (the one with tools,
or the streamed one where a client has none): `tool` reads a file, `full` and `tool_full` say that the
context is nearly used up, `edit` and `misfit` are edit blocks for aider, anything else is a sentence.
"""
import itertools
import json
import threading
from http.server import ThreadingHTTPServer

from provider import EDIT, Handler

SUMMARY = "## Objective\n- Add a median function with tests\n\n## Work State\n### Active\n- the tests\n"
SENTENCE = "I have looked at it. Shall I go on?"
READERS = ["read_file", "read_files", "Read", "read", "exec_command", "shell", "run_shell_command", "Bash", "bash"]
KEPT = ("user-agent", "x-codex-turn-metadata", "x-app", "anthropic-beta", "x-initiator")


def functions(body):
    """The offered tools as (name, schema)."""
    for tool in body.get("tools") or []:
        for one in tool.get("tools") or [tool]:
            inner = one.get("function", one)
            if inner.get("name"):
                yield inner["name"], inner.get("parameters") or inner.get("input_schema") or {}


def value(name, schema, project):
    if schema.get("type") == "array":
        return [value(name, schema.get("items", {}), project)]
    if schema.get("type") == "object":
        wanted = schema.get("required") or []
        return {key: value(key, one, project) for key, one in schema["properties"].items() if key in wanted}
    if schema.get("type") in ("integer", "number"):
        return 1
    if schema.get("type") == "boolean":
        return False
    if "path" in name.lower() or "file" in name.lower():
        return f"{project}/calc.py"
    return "cat calc.py" if name in ("cmd", "command", "commands") else "look at it"


def call_for(body, project):
    offered = dict(functions(body))
    name = next(name for name in READERS if name in offered)
    schema = offered[name]
    arguments = value("", {"type": "object", **schema}, project)
    return {"name": name, "arguments": json.dumps(arguments)}


class Recording(Handler):
    def do_HEAD(self):
        self.send_response(200)
        self.end_headers()

    def do_GET(self):
        self.reply({"object": "list", "data": []})

    def do_POST(self):
        body = json.loads(self.rfile.read(int(self.headers.get("content-length") or 0)) or b"{}")
        headers = {name: self.headers[name] for name in KEPT if self.headers[name]}
        path = self.path.split("?")[0]
        with self.server.lock:
            main = bool(list(functions(body))) or not self.server.tools and body.get("stream", False)
            step = self.server.plan.pop(0) if main and self.server.plan else "text"
            self.server.kept.append({"path": path, "headers": headers, "main": main, "body": body})
        text, call = {"edit": EDIT, "misfit": EDIT.replace("a - b", "a * b")}.get(step, SENTENCE), None
        if not main and "## Objective" in json.dumps(body):
            text = SUMMARY
        if step.startswith("tool"):
            text, call = None, call_for(body, self.server.project)
        used = 9_000_000 if step.endswith("full") else 900
        if path.endswith("count_tokens"):
            self.reply({"input_tokens": 900})
        elif path.endswith("/messages"):
            self.as_messages(body, text, call, used)
        elif path.endswith("/responses"):
            self.as_responses(body, text, call, used)
        elif path.endswith("/chat/completions"):
            usage = {"prompt_tokens": used, "completion_tokens": 17, "total_tokens": used + 17}
            (self.stream if body.get("stream") else self.whole)(body, text, call, usage)
        else:
            self.reply({})

    def reply(self, value):
        data = json.dumps(value).encode()
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def events(self, events):
        self.send_response(200)
        self.send_header("content-type", "text/event-stream")
        self.send_header("connection", "close")
        self.end_headers()
        self.close_connection = True
        for event in events:
            self.wfile.write(f"event: {event['type']}\ndata: {json.dumps(event)}\n\n".encode())

    def as_messages(self, body, text, call, used):
        usage = {"input_tokens": used, "output_tokens": 17}
        stop = "tool_use" if call else "end_turn"
        whole = {"type": "text", "text": text}
        empty, delta = {"type": "text", "text": ""}, {"type": "text_delta", "text": text}
        if call:
            whole = {"type": "tool_use", "id": f"toolu_{next(self.server.ids)}", "name": call["name"],
                     "input": json.loads(call["arguments"])}
            empty, delta = whole | {"input": {}}, {"type": "input_json_delta", "partial_json": call["arguments"]}
        message = {"id": f"msg_{next(self.server.ids)}", "type": "message", "role": "assistant", "model": body["model"],
                   "content": [whole], "stop_reason": stop, "stop_sequence": None, "usage": usage}
        if not body.get("stream"):
            self.reply(message)
            return
        self.events([
            {"type": "message_start", "message": message | {"content": [], "stop_reason": None}},
            {"type": "content_block_start", "index": 0, "content_block": empty},
            {"type": "content_block_delta", "index": 0, "delta": delta},
            {"type": "content_block_stop", "index": 0},
            {"type": "message_delta", "delta": {"stop_reason": stop, "stop_sequence": None}, "usage": usage},
            {"type": "message_stop"}])

    def as_responses(self, body, text, call, used):
        number = next(self.server.ids)
        if call:
            item = {"type": "function_call", "id": f"fc_{number}", "call_id": f"call_{number}",
                    "status": "completed", **call}
        else:
            item = {"type": "message", "id": f"msg_{number}", "role": "assistant", "status": "completed",
                    "content": [{"type": "output_text", "text": text, "annotations": []}]}
        usage = {"input_tokens": used, "output_tokens": 17, "total_tokens": used + 17,
                 "input_tokens_details": {"cached_tokens": 0}, "output_tokens_details": {"reasoning_tokens": 0}}
        response = {"id": f"resp_{number}", "object": "response", "created_at": 1, "model": body["model"],
                    "status": "completed", "output": [item], "usage": usage}
        if not body.get("stream"):
            self.reply(response)
            return
        events = [{"type": "response.created", "response": response | {"status": "in_progress", "output": []}},
                  {"type": "response.output_item.added", "output_index": 0,
                   "item": item | ({"arguments": ""} if call else {"content": []})}]
        if call:
            events.append({"type": "response.function_call_arguments.done", "item_id": item["id"],
                           "output_index": 0, "arguments": call["arguments"]})
        else:
            where = {"item_id": item["id"], "output_index": 0, "content_index": 0}
            part = {"type": "output_text", "text": "", "annotations": []}
            events += [{"type": "response.content_part.added", **where, "part": part},
                       {"type": "response.output_text.delta", **where, "delta": text},
                       {"type": "response.output_text.done", **where, "text": text},
                       {"type": "response.content_part.done", **where, "part": part | {"text": text}}]
        events += [{"type": "response.output_item.done", "output_index": 0, "item": item},
                   {"type": "response.completed", "response": response}]
        self.events(event | {"sequence_number": at} for at, event in enumerate(events))


class Recorder:
    """Runs until the `with` block ends. `project` is the folder whose files it reads by tools."""

    def __init__(self, project, tools=True):
        self.project, self.tools = project, tools

    def __enter__(self):
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Recording)
        self.server.stopped, self.server.lock = False, threading.Lock()
        self.server.plan, self.server.kept, self.server.ids = [], [], itertools.count(1)
        self.server.project, self.server.tools = self.project, self.tools
        self.host = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_):
        self.server.stopped = True
        self.server.shutdown()
        self.server.server_close()

    def follow(self, plan):
        """Answers by `plan` from now on."""
        with self.server.lock:
            self.server.plan = list(plan)

    def take(self):
        """The requests since the last call."""
        with self.server.lock:
            kept, self.server.kept = self.server.kept, []
        return kept
