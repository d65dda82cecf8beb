"""What the human types in each recorded talk, and the provider's plan for the answers."""


def say(text, *plan, more=(), stdin=None):
    return {"text": text, "plan": plan, "more": more, "stdin": stdin}


PASTED = """mean() dies on an empty list:

```python
>>> mean([])
ZeroDivisionError: division by zero
```

Return 0.0 there, and "keep the signature" please."""
BRACKETS = "Write a function parse_tag(s) that turns '<task>x</task>' into (\"task\", \"x\"); reject <a></b>."
PIPED = "def f(x):\n    return x << 1\n"
GERMAN = "Bitte erkläre mir kurz, was calc.py macht – und warum add() falsch rechnet."
JAPANESE = "calc.py の add 関数が間違っています。直してください。"
LISTED = "Three things:\n1. rename add to plus\n2. add type hints\n3. update README.md\n\n# Note\nno new dependencies"

AGENT = {
    "tool": [say("add() subtracts. Repair it in calc.py.", "tool"),
             say("Now rename mean to average, also in its callers", "tool"),
             say("yes")],
    "pasted": [say(PASTED), say(LISTED)],
    "brackets": [say(BRACKETS)],
    "foreign": [say(GERMAN, "tool"), say(JAPANESE)],
    "quoted": [say('"add" and "mean" need doctests')],
    "full": [say("Add a median function with tests", "full"), say("and a mode function too"),
             say("what did we change so far?")],
}
MENTION = {"mention": [say("Summarise @docs/plan.md in one sentence"), say("thanks, now list its open points")]}

TALKS = {
    "aider": {
        "edit": [say("add() subtracts: repair it", "edit"), say("Explain what mean does", "text")],
        "misfit": [say("Please repair add.\n\nIt subtracts, see:\n\n    >>> add(1, 2)\n    -1", "misfit", "edit")],
        "whole": [say(LISTED, more=["--edit-format", "whole"])],
        "udiff": [say(PASTED, more=["--edit-format", "udiff"])],
        "ask": [say(GERMAN, more=["--chat-mode", "ask"])],
        "no_file": [say("/ask how are the modules connected?"), say("/ask " + BRACKETS)],
        "architect": [say(JAPANESE, more=["--chat-mode", "architect"])],
        "brackets": [say(BRACKETS)],
        "mention": [say("Summarise docs/plan.md in one sentence", more=["--read", "docs/plan.md"])],
        "lint": [say("repair add", "edit", more=["--auto-test", "--test-cmd", "python3 -c 'import calc; calc.nope'"])],
        "language": [say("Is mean() right?", more=["--chat-mode", "ask", "--chat-language", "French"]),
                     say("und für leere Listen?", more=["--chat-language", "German"])],
        "long": [say("repair add " + "and look twice " * 40, "edit"),
                 say("add a docstring to mean", more=["--max-chat-history-tokens", "50"])],
    },
    "llm": {
        "talk": [say("What is a monad, in one line?"), say(PASTED), say("und auf Deutsch?")],
        "piped": [say("Explain this code", stdin=PIPED)],
        "system": [say("SELECT * FROM users WHERE id = 1", more=["-s", "Explain the query"])],
    },
    "opencode-messages": {"tool": AGENT["tool"], "full": AGENT["full"]},
    "opencode-responses": {"tool": AGENT["tool"]},
    "claude-code-197": {"tool": AGENT["tool"], "brackets": AGENT["brackets"]},
    "qwen-015": {"tool": AGENT["tool"], "pasted": AGENT["pasted"]},
    "claude": {**AGENT, **MENTION,
               "unknown": [say("Why is @docs/plan.md so short?", "tool"), say(BRACKETS)],
               "compact": [say("Explain calc.py", "tool"), say("/compact"), say("Add a README section about it")],
               "piped": [say("What is wrong with this?", stdin=PIPED)]},
    "codex": {**AGENT, **MENTION, "task": [say("Port calc.py to Go, with tests", "tool_full", "tool")],
              "review": [say("review", more=["--uncommitted"])],
              "piped": [say("What is wrong with this?", stdin=PIPED)]},
    "cline": {**AGENT, **MENTION, "plan": [say("How would you split calc.py into modules?", more=["-p"])]},
    "opencode": {**AGENT, **MENTION, "file": [say("Summarise the plan", more=["-f", "docs/plan.md"])]},
    "kilo": {**AGENT, **MENTION},
    "qwen": {**AGENT, **MENTION},
    "continue": {**AGENT, **MENTION,
                 "prompt": [say("Add a test for add", more=["--rule", "Prefer pytest.", "--prompt", "Keep it short."])]},
}

# In a terminal; a pair is typed and pasted. Then the keys that answer the client's first questions.
SPOKEN = [("add() subtracts. Repair it in calc.py.", ["tool"]), (PASTED, []), ("ok, and in German?", [])]
SHELL = [("!echo hello", []), ("Explain that output", [])]
MIXED = [(("Why does this happen? ", PASTED), [])]
AT = [("Summarise @docs/plan.md in one sentence", [])]
TERMINAL = {"any": (SPOKEN, []), "kilo": (SPOKEN + AT, [b"\x1b"]),
            "cline": (SPOKEN + AT + [("\t", []), ("How would you split calc.py?", [])], [b"x"]),
            "claude-code": (SPOKEN[:2] + SHELL + MIXED + AT, []), "codex": (SPOKEN[:2] + SHELL + AT, []),
            "opencode": (SPOKEN + SHELL + AT, []), "qwen": (SPOKEN + MIXED + AT, [])}
