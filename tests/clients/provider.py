"""A scripted OpenAI-compatible provider, written after the documented shapes of the API.

It answers by what it is asked: a tool call where tools are offered, an edit block where a coding
client shows it a file with a mistake, else a fixed sentence. It counts what it would charge.
"""
import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

EDIT = """calc.py
```python
<<<<<<< SEARCH
    return a - b
=======
    return a + b
>>>>>>> REPLACE
```
"""


def answer(body):
    """The text or the tool call that this request gets."""
    said = json.dumps(body["messages"])
    if body.get("tools") and body["messages"][-1]["role"] != "tool":
        name = body["tools"][0]["function"]["name"]
        return None, {"name": name, "arguments": '{"city": "Oslo"}'}
    if "return a - b" in said and "SEARCH" in said:
        return EDIT, None
    if "commit message" in said:
        return "fix: add instead of subtract", None
    return f"This is {body['model']} speaking.", None


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def do_POST(self):
        if self.server.stopped:  # a connection that was kept open ends too
            self.close_connection = True
            return
        received = self.rfile.read(int(self.headers["content-length"]))
        self.server.bodies.append(received)
        body = json.loads(received)
        self.server.requests.append(body)
        text, call = answer(body)
        usage = {"prompt_tokens": len(json.dumps(body["messages"])) // 4, "completion_tokens": 17,
                 "prompt_tokens_details": {"cached_tokens": 0}}
        usage["total_tokens"] = usage["prompt_tokens"] + 17
        self.server.used.append((body["model"], usage))
        if body.get("stream"):
            self.stream(body, text, call, usage)
        else:
            self.whole(body, text, call, usage)

    def whole(self, body, text, call, usage):
        message = {"role": "assistant", "content": text}
        if call:
            message["tool_calls"] = [{"id": "call_1", "type": "function", "function": call}]
        choice = {"index": 0, "message": message, "finish_reason": "tool_calls" if call else "stop"}
        reply = {"id": "chatcmpl-1", "object": "chat.completion", "created": 1,
                 "model": body["model"], "choices": [choice], "usage": usage}
        data = json.dumps(reply).encode()
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def stream(self, body, text, call, usage):
        self.send_response(200)
        self.send_header("content-type", "text/event-stream")
        self.send_header("connection", "close")
        self.end_headers()
        self.close_connection = True

        def send(delta, finish=None, **more):
            choices = [] if delta is None else [{"index": 0, "delta": delta, "finish_reason": finish}]
            chunk = {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1,
                     "model": body["model"], "choices": choices, **more}
            self.wfile.write(f"data: {json.dumps(chunk)}\n\n".encode())
            self.wfile.flush()

        send({"role": "assistant", "content": ""})
        if call:
            head = {"index": 0, "id": "call_1", "type": "function",
                    "function": {"name": call["name"], "arguments": ""}}
            send({"tool_calls": [head]})
            for piece in (call["arguments"][:5], call["arguments"][5:]):
                send({"tool_calls": [{"index": 0, "function": {"arguments": piece}}]})
        else:
            for word in text.split(" "):
                send({"content": word + " "})
        send({}, "tool_calls" if call else "stop")
        if body.get("stream_options", {}).get("include_usage"):
            send(None, usage=usage)
        self.wfile.write(b"data: [DONE]\n\n")


class Provider:
    """Runs until the `with` block ends."""

    def __enter__(self):
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.requests, self.server.used, self.server.bodies = [], [], []
        self.server.stopped = False
        self.base = f"http://127.0.0.1:{self.server.server_port}/v1"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_):
        self.server.stopped = True
        self.server.shutdown()
        self.server.server_close()

    @property
    def requests(self):
        return self.server.requests

    @property
    def bodies(self):
        """The requests byte for byte."""
        return self.server.bodies

    @property
    def used(self):
        return self.server.used
