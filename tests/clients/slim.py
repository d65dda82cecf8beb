"""Makes small fixtures from recordings: python tests/clients/slim.py OUT tests/fixtures/recorded [--whole]

Keeps the structure and what stands on the user's side; cuts the middle of program texts, tool
schemas, ids and paths. Expectations come from what was typed and from `EXPECTED`: look at
what changes after recording anew. `--whole` cuts nothing: for a check, since a cut can hide a mistake.
"""
import json
import re
import sys
from pathlib import Path

from typed import BRACKETS, PASTED, PIPED

CUT = "[cut]"
WHOLE = "--whole" in sys.argv
# What a human wants is what was typed last, except (client/talk/turn, or with the request's number):
EXPECTED = {
    "aider/architect/0/1": "I have looked at it. Shall I go on?",  # the architect's plan is all there is
    "aider/no_file/0": "how are the modules connected?",
    "aider/no_file/1": BRACKETS,
    "claude-code/piped/0": "What is wrong with this?\n" + PIPED,
    "claude-code/terminal/2": PASTED,  # a shell command asks nothing
    "claude-code/terminal/4": "Why does this happen? \n\n" + PASTED,
    "codex/review/0": "Review the current code changes (staged, unstaged, and untracked files) and provide "
                      "prioritized findings.",
    "continue/prompt/0": "Keep it short.\n\nAdd a test for add",
    "llm/piped/0": PIPED + " Explain this code",
}
# Not what a human would cause: the client does not know pasting.
SKIPPED = {"continue/terminal/1", "continue/terminal/2"}
# First words of requests that a client makes on its own though it offers tools or streams.
OWN = ("Managed memory ", "[SUGGESTION MODE:", "CRITICAL: Respond with TEXT ONLY")
DROPPED = {"metadata", "client_metadata", "prompt_cache_key", "include", "reasoning", "thinking", "text",
           "context_management", "output_config", "stream_options", "temperature", "store", "top_p", "user",
           "parallel_tool_calls", "diagnostics"}
# Program texts on the user's side whose middle says nothing.
LONG = re.compile(r"<system-reminder>|# \*SEARCH/REPLACE block\* Rules:|# File editing rules:"
                  r"|<environment_details>|This is (?:the )?Qwen Code|" + "|".join(map(re.escape, OWN)))


def middle(text, head, tail):
    return text if WHOLE or len(text) <= head + tail + 40 else text[:head] + CUT + text[-tail:]


def user_text(text):
    found = LONG.search(text)
    if not found:
        return text
    head, tail = (400, 60) if found.group().endswith(OWN) else (45, 35)
    return text[:found.start()] + middle(text[found.start():], head, tail)


def tool(one):
    if "function" in one:
        return {"type": "function", "function": {"name": one["function"]["name"], "parameters": {"type": "object"}}}
    kept = {key: one[key] for key in ("type", "name") if key in one}
    schema = next((key for key in ("input_schema", "parameters") if key in one), None)
    return kept | ({schema: {"type": "object"}} if schema else {}) | ({"tools": []} if "tools" in one else {})


def part(role, one):
    """`role` is `program` for a system prompt that says what the request is for."""
    if isinstance(one, str):
        head = {"program": 380, "system": 60, "developer": 60, "assistant": 120}.get(role)
        return middle(one, head, 30) if head else user_text(one) if role == "user" else one
    one = {key: value for key, value in one.items() if key != "cache_control"}
    if isinstance(one.get("text"), str):
        one["text"] = part(role, one["text"])
    if one.get("type") == "tool_result":
        one["content"] = content("tool", one.get("content"))
    return one


def content(role, value):
    return [part(role, one) for one in value] if isinstance(value, list) else part(role, value) if value else value


def message(one, bare):
    one = {key: value for key, value in one.items() if key not in ("cache_control", "internal_chat_message_metadata")}
    if "content" in one:
        role = "program" if bare and one.get("role") in ("system", "developer") else one.get("role")
        one["content"] = content(role, one["content"])
    if one.get("type") in ("function_call_output", "reasoning"):
        one = {key: value for key, value in one.items() if key != "encrypted_content"}
    return one


def slim(body):
    kept, bare = {}, not body.get("tools")
    for key, value in body.items():
        if key in DROPPED:
            continue
        if key == "tools":
            value = [tool(one) for one in value[:2]]
        elif key in ("messages", "input") and isinstance(value, list):
            value = [message(one, bare) for one in value]
        elif key in ("system", "instructions"):
            value = content("program" if bare else "system", value)
        kept[key] = value
    return kept


def clean(text, record):
    """No trace of the machine."""
    for path, name in ((record["project"], "/project"), (record["home"], "/home/dev")):
        text = text.replace(path, name)
        text = text.replace(re.sub(r"[^A-Za-z0-9]", "-", path), name.replace("/", "-"))
    text = re.sub(r"Linux \d+\.\d+[\w.-]*", "Linux", text)
    text = re.sub(r"http://127\.0\.0\.1:\d+", "http://127.0.0.1", text)
    return re.sub(r"\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b", "id", text)


def latest(source):
    """The records of each client's talk, from the newest file that has it."""
    talks = {}
    for file in sorted(source.glob("*.jsonl"), key=lambda path: path.stat().st_mtime):
        fresh = {}
        for line in file.open():
            record = json.loads(line)
            fresh.setdefault((record["client"], record["talk"]), []).append(record)
        talks |= fresh
    return talks


def last_words(body):
    """The last text that stands on the user's side."""
    for one in reversed(body.get("messages") or body.get("input") or []):
        if one.get("role") == "user":
            texts = [one["content"]] if isinstance(one["content"], str) else [
                part["text"] for part in one["content"] if "text" in part]
            if texts:
                return texts[-1]
    return ""


def repeats(client, talk, turn, number):
    """Turns after a tool result that show nothing that another fixture does not."""
    return number > 0 and (talk == "foreign" or talk == "tool" and turn == 1 and client != "claude-code")


def fixtures(client, talk, records):
    numbers, seen = {}, {}
    for record in records:
        turn = f"{client}/{talk}/{record['turn']}"
        number = numbers[turn] = numbers.get(turn, -1) + 1
        words = last_words(record["body"]).strip()
        own = not record["main"] or words.startswith(OWN)
        typed = EXPECTED.get(f"{turn}/{number}", EXPECTED.get(turn, record["typed"]))
        said = None if own else typed
        alike = own and seen.get(words[:40], 0)
        seen[words[:40]] = seen.get(words[:40], 0) + 1
        if turn in SKIPPED or repeats(client, talk, record["turn"], number) or not record["body"] or alike:
            continue
        api = {"messages": "messages", "responses": "responses"}.get(record["path"].rsplit("/", 1)[-1], "chat")
        fixture = {"id": f"{turn}/{number}", "client": client, "version": record["version"], "date": record["date"],
                   "api": api, "instruction": said, "side_request": said is None, "body": slim(json.loads(clean(json.dumps(record["body"], ensure_ascii=False), record)))}
        yield json.dumps(fixture, ensure_ascii=False, separators=(",", ":"))


def main():
    source, target = map(Path, sys.argv[1:3])
    target.mkdir(parents=True, exist_ok=True)
    files = {}
    for (client, talk), records in sorted(latest(source).items()):
        family = re.sub(r"-\d+$", "", client)
        files.setdefault(family, []).extend(fixtures(client, talk, records))
    for family, lines in files.items():
        (target / f"{family}.jsonl").write_text("".join(line + "\n" for line in lines))


if __name__ == "__main__":
    main()
