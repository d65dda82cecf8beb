#!/usr/bin/env python3
"""Writes models/catalog.toml from the facts files.

    python3 scripts/build-catalog.py --facts models/facts --date 2026-11-21 > models/catalog.toml

`--facts DIR` holds models-DATE.json and providers-DATE.json, or models.json and providers.json; `--date`
is the day of the facts and stands at the head of the catalogue. The same facts give the same bytes.
To run it on newer facts, put them beside the old ones and name their date; what is new and not
understood (a provider without an endpoint here, a model without a class) is told on stderr.

The facts say what models cost and can do; this script adds what the router decides about them:

* `max_tier`, the hardest work a model is trusted with (rule in `max_tier` below);
* which requests a model refuses (`refuses`), from the facts' `params`;
* which capabilities it is offered with: a capability that the facts do not confirm is left out, and
  `tools` is left out for OpenAI models that take tools only on `/v1/responses`;
* models that were removed stay as `active = false` with what replaces them; a date on which a model
  ends is carried, and the router refuses it from then on;
* what the providers' facts say in words: the price of a search, the surcharge of a region.
"""

import argparse
import datetime
import json
import os
import re
import sys

# The endpoint of each provider that is used, and the kind that speaks its protocol. Google is
# called through its OpenAI-compatible endpoint.
ENDPOINTS = {
    "anthropic": ("anthropic", "https://api.anthropic.com"),
    "openai": ("openai", "https://api.openai.com/v1"),
    "google": ("openai", "https://generativelanguage.googleapis.com/v1beta/openai"),
    "deepseek": ("openai", "https://api.deepseek.com/v1"),
    "groq": ("openai", "https://api.groq.com/openai/v1"),
    "openrouter": ("openai", "https://openrouter.ai/api/v1"),
    "mistral": ("openai", "https://api.mistral.ai/v1"),
    "together": ("openai", "https://api.together.ai/v1"),
    "fireworks": ("openai", "https://api.fireworks.ai/inference/v1"),
    "cerebras": ("openai", "https://api.cerebras.ai/v1"),
    "ollama": ("ollama", "http://127.0.0.1:11434"),
}
TIERS = ["trivial", "operational", "standard", "complex", "deep"]

# A local model's size in billions of parameters says what it can be trusted with: 1 to 4 B trivial,
# up to 14 B (and sparse 20 B) operational. `e4b` is an 8 B model that runs like a 4 B one.
LOCAL = [
    (r"^(phi3:3\.8b|.*:([0-4](\.\d+)?)b)$", "trivial"),
    (r".", "operational"),
]

# Class by name, first match wins; used where no benchmark aggregate is known.
NAMES = [
    (r"ministral-3b|llama-3\.1-8b", "trivial"),
    (r"haiku-4|nano|mini$|flash-lite|gemini-2\.5-flash|mistral-small|ministral|codestral|gpt-oss-20b|[:-]9b", "operational"),
    (r"llama-3[.p]3-70b|zai-glm-4", "operational"),
    (r"haiku|luna|gemini-3\.\d-flash|flash|gpt-4\.1|devstral|mistral-medium|mistral-large-2|gpt-oss-120b|27b|deepseek-chat", "standard"),
    (r"sonnet|v4-pro|glm-5|kimi-k3|qwen3p8-max|mistral-large-4|gemini-\d\.\d-pro", "complex"),
    (r"fable|mythos|opus|astra|-sol|terra|argon|-r1|reasoner", "deep"),
]


# Names of one model at different providers (facts, notes of the DeepSeek records).
SAME_AS = {
    "deepseek-v4-1-flash": "deepseek-flash",
    "deepseek-v4p1-flash-1017": "deepseek-flash",
    "deepseek-v4-flash": "deepseek-flash",
}


def plain_name(model):
    """`anthropic/claude-opus-5.5` and `claude-opus-5-5` are the same model."""
    name = model.split("/")[-1].lower().replace(".", "-")
    return SAME_AS.get(name, name)


def max_tier(record, scores):
    """The rubric asks for the weakest class of model that a careful engineer would still trust.

    1. Local models: by size.
    2. Where a benchmark aggregate is known (`capability_hint`, also for the same model at another
       provider): 79 and more deep (Opus and reasoning class), 76 complex (top Sonnet, Gemini Pro
       class), 70 standard, below that operational.
    3. Sonnet class is complex, whatever the benchmarks say: its single answers are not checked the
       way that the `deep` tier needs. Haiku, Flash and Luna class is standard at most, unless the
       aggregate puts it at 76 and more.
    4. Else by name.
    """
    name = record["model"]
    if record["kind"] != "chat":
        return "trivial"
    if record["provider"] == "ollama":
        return next(tier for pattern, tier in LOCAL if re.search(pattern, name))
    score = scores.get(plain_name(name))
    if "sonnet" in name:
        return "complex"
    if score is not None:
        return "deep" if score >= 79 else "complex" if score >= 76 else "standard" if score >= 70 else "operational"
    for pattern, tier in NAMES:
        if re.search(pattern, name.lower()):
            return tier
    print(f"no class for {record['provider']}/{name}: taken as operational; add it to NAMES", file=sys.stderr)
    return "operational"


def refuses(record):
    params = record["params"]
    out = []
    # `only_with_reasoning_none` is a 400 for every request that does not switch reasoning off.
    if params["sampling_params"] in ("rejected", "only_with_reasoning_none"):
        out.append("sampling")
    if params["forced_tool_choice"] is False and record["kind"] == "chat":
        out.append("forced_tool_choice")
    # OpenAI's reasoning models (all but gpt-4.1 in the facts) take only max_completion_tokens.
    if record["provider"] == "openai" and record["kind"] == "chat" and not record["model"].startswith("gpt-4"):
        out.append("max_tokens")
    # Elsewhere a last message from the assistant is plain history, not an error.
    if params["assistant_prefill"] is False and "claude" in record["model"]:
        out.append("prefill")
    return out


def capabilities(record):
    if record["kind"] == "embedding":
        return ["embeddings"]
    if record["kind"] == "transcription":
        return ["transcription"]
    facts = record["capabilities"]
    out = ["chat"] + [c for c in ("tools", "vision", "json_schema", "reasoning", "fim") if facts[c]]
    # Tools on /v1/chat/completions are a 400 unless reasoning is off; the router does not call
    # /v1/responses, so these models are offered for requests without tools only.
    if record["params"].get("tools_on_chat_completions", "yes") != "yes":
        out.remove("tools")
    return out


def text(value):
    return json.dumps(value, ensure_ascii=False)


PRICES = [
    ("input", "input_usd_per_mtok"),
    ("output", "output_usd_per_mtok"),
    ("cache_read", "cache_read_usd_per_mtok"),
    ("cache_write_default", "cache_write_usd_per_mtok"),
    ("cache_write_1h", "cache_write_1h_usd_per_mtok"),
    ("cache_write_over_12h", "cache_write_over_12h_usd_per_mtok"),
    ("audio_input", "audio_input_usd_per_mtok"),
    ("audio_hour", "audio_hour_usd"),
]


def batch(record):
    """Carried for the record; the router sends no batches."""
    return [("multiplier", record["multiplier"])] + [(key, record[key]) for key, _ in PRICES if record.get(key) is not None]


def prices(record):
    return [(name, record[key]) for key, name in PRICES if record.get(key) is not None]


def surcharges(provider, record):
    """Prices that the facts of the provider hold in words: `web_search` in its usage mapping, and the
    quirk on inference in one region that a request can ask for."""
    if record["kind"] != "chat" or not record["price"] or not record["price"].get("input"):
        return []
    out = []
    search = re.search(r"\((\d+(?:\.\d+)?) USD per 1000\)", provider["usage_mapping"]["value"].get("web_search", ""))
    if search:
        out.append(("web_search_usd_per_1k", search.group(1)))
    for quirk in provider["quirks"]:
        region = re.search(r"US-only inference costs (\d\.\d+)x on current models", quirk["value"])
        if region and record["generation"] == "current":
            out.append(("regional_multiplier", region.group(1)))
    return out


def inline(pairs):
    return "{ " + ", ".join(f"{key} = {text(value)}" for key, value in pairs) + " }"


def window(record):
    if record["context_window"]:
        return record["context_window"]
    return 8192  # audio: no window in tokens is published


def longest_answer(record):
    if record["max_output_tokens"]:
        return min(record["max_output_tokens"], window(record))
    return min(8192, window(record))


def model_entry(record, scores, by_name, owner):
    provider, name = record["provider"], record["model"]
    lines = ["[[models]]", f"id = {text(f'{provider}/{name}')}", f"provider = {text(provider)}", f"upstream = {text(name)}"]
    lines.append(f"max_tier = {text(max_tier(record, scores))}")
    lines += [f"{key} = {text(value)}" for key, value in prices(record["price"] or {})]
    lines += [f"{key} = {text(value)}" for key, value in surcharges(owner, record)]
    if record["long_context"]:
        tiers = [
            inline([("above_input_tokens", tier["above_input_tokens"])] + prices(tier)) for tier in record["long_context"]
        ]
        lines.append("long_context = [" + ", ".join(tiers) + "]")
    if record["time_of_day"]:
        hours = record["time_of_day"]
        assert hours["base_price_is"] == "peak" and hours["timezone"] == "UTC"
        assert hours["peak_days"].startswith("Monday to Friday")
        # Holidays are not in the facts: on them the peak price is reckoned, which is never too low.
        lines.append(
            f"time_of_day = {{ peak_windows = {text(hours['peak_windows'])}, "
            f'peak_days = ["mon", "tue", "wed", "thu", "fri"], off_peak = {inline(prices(hours["off_peak"]))} }}'
        )
    if record["scheduled_prices"]:
        changes = [inline([("from", change["from"])] + prices(change)) for change in record["scheduled_prices"]]
        lines.append("scheduled_prices = [" + ", ".join(changes) + "]")
    if record["service_tiers"]:
        tiers = [f"{text(key)} = {inline(prices(tier))}" for key, tier in sorted(record["service_tiers"].items())]
        lines.append("service_tiers = { " + ", ".join(tiers) + " }")
    if record["batch"]:
        lines.append(f"batch = {inline(batch(record['batch']))}")
    lines.append(f"context_window = {window(record)}")
    lines.append(f"max_output_tokens = {longest_answer(record)}")
    lines.append(f"capabilities = {text(capabilities(record))}")
    if refuses(record):
        lines.append(f"refuses = {text(refuses(record))}")
    if record["status"] == "removed":
        lines.append("active = false")
    if record["replacement"] and (provider, record["replacement"]) in by_name:
        replacement = f"{provider}/{record['replacement']}"
        lines.append(f"replacement = {text(replacement)}")
    if record["deprecation_date"]:
        lines.append(f"deprecation_date = {text(record['deprecation_date'])}")
    return "\n".join(lines)


def address(record):
    """Of a provider that this script does not know: its OpenAI-compatible endpoint, if it has one."""
    stated = record.get("base_url_openai_compatible")
    return stated.get("value") if isinstance(stated, dict) else stated


def provider_entry(record):
    name = record["provider"]
    kind, url = ENDPOINTS.get(name) or ("openai", address(record))
    lines = ["[[providers]]", f"id = {text(name)}", f"kind = {text(kind)}", f"base_url = {text(url)}"]
    keys = re.findall(r"[A-Z]+_API_KEY", record["env_key"])
    if kind != "ollama":
        lines.append(f"api_keys = {text(['${%s}' % key for key in keys])}")
    return "\n".join(lines)


EMBEDDED = """\
# The engine inside the router.
[[providers]]
id = "embedded"
kind = "embedded"

# Its window ends at 4,096 tokens by a constant of the engine; it is weak, and the last resort.
[[models]]
id = "embedded/smollm2-135m"
provider = "embedded"
upstream = "smollm2-135m"
max_tier = "trivial"
input_usd_per_mtok = "0"
output_usd_per_mtok = "0"
context_window = 4096
max_output_tokens = 2048
capabilities = ["chat"]
"""


def read(folder, name, date):
    """`name-DATE.json` in the folder, or `name.json`."""
    for file in (f"{name}-{date}.json", f"{name}.json"):
        path = os.path.join(folder, file)
        if os.path.isfile(path):
            with open(path, encoding="utf-8") as opened:
                return json.load(opened)
    raise SystemExit(f"{folder} has neither {name}-{date}.json nor {name}.json")


def main():
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--facts", required=True, metavar="DIR", help="folder of the facts files")
    arguments.add_argument("--date", required=True, type=datetime.date.fromisoformat, help="the facts' day, YYYY-MM-DD")
    given = arguments.parse_args()
    models = read(given.facts, "models", given.date)
    providers = read(given.facts, "providers", given.date)
    scores = {
        plain_name(m["model"]): float(m["capability_hint"]["score"]) for m in models if m["capability_hint"]
    }
    by_name = {(m["provider"], m["model"]): m for m in models}
    out = [
        f"# The built-in catalogue: providers, models, prices. Facts of {given.date}. Written by\n"
        "# scripts/build-catalog.py from models/facts/; change those or the script, not this file.\n"
        "# Override any field in edge-router.toml. A provider is enabled by its key in the environment;\n"
        "# models of ollama are facts only, those exist that its server lists. Prices: USD per million\n"
        "# tokens."
    ]
    for provider in providers:
        name = provider["provider"]
        if name not in ENDPOINTS:
            print(f"no endpoint for {name}: taken from the facts; add it to ENDPOINTS", file=sys.stderr)
            if not address(provider):
                continue
        out.append(provider_entry(provider))
        out += [model_entry(m, scores, by_name, provider) for m in models if m["provider"] == name]
    out.append(EMBEDDED)
    sys.stdout.write("\n\n".join(out))


if __name__ == "__main__":
    main()
