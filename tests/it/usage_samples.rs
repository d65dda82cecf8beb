//! What providers report, after their documentation, and what it costs, worked out by hand. Each file
//! of `tests/fixtures/usage` is one answer, whole and as a stream where there is one, read by the same
//! code that reads real ones and charged at the price that the file states.

use std::path::Path;

use bytes::Bytes;
use edge_router::catalog::{Catalog, Price};
use edge_router::chat::{ChatRequest, Dialect, Usage};
use edge_router::config::{self, Environment};
use edge_router::money::NanoUsd;
use edge_router::wire::{self, Answer, StreamRelay};
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::{Value, json};

#[derive(Deserialize)]
struct Sample {
    provider: String,
    model: String,
    form: String,
    /// The moment of the request.
    at: Timestamp,
    /// Fields of the request that matter.
    asked: Option<Value>,
    whole: Value,
    stream: Option<Vec<Value>>,
    /// The price that the arithmetic uses, in the form of the facts file.
    price: Value,
    arithmetic: String,
    /// The kinds whose price is assumed, as they are recorded.
    assumed: String,
    cost_nano_usd: i64,
}

fn samples() -> Vec<(String, Sample)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/usage");
    let mut all: Vec<_> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|kind| kind == "json"))
        .map(|path| {
            let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
            let text = std::fs::read_to_string(&path).unwrap();
            let sample = serde_json::from_str(&text).unwrap_or_else(|why| panic!("{name}: {why}"));
            (name, sample)
        })
        .collect();
    all.sort_by(|a: &(String, Sample), b| a.0.cmp(&b.0));
    all
}

impl Sample {
    /// The stated price, read as a configuration is.
    fn price(&self) -> Price {
        let id = format!("{}/{}", self.provider, self.model);
        let mut model = self.price.clone();
        model["id"] = Value::from(id.as_str());
        let config = json!({
            "catalog": {"builtin": false},
            "providers": [{"id": self.provider, "kind": "openai", "base_url": "http://provider"}],
            "models": [model],
        });
        let text = toml::to_string(&config).unwrap();
        catalog(&text).get(&id).unwrap().price.clone().unwrap()
    }

    /// The client's request, in the protocol of `dialect`.
    fn request(&self, dialect: Dialect) -> ChatRequest {
        let mut body = match dialect {
            Dialect::Responses => json!({"model": self.model, "input": "hi", "stream": true}),
            _ => json!({
                "model": self.model,
                "messages": [{"role": "user", "content": "hi"}],
                "stream": true,
                "stream_options": {"include_usage": true},
            }),
        };
        for (name, value) in self.asked.iter().flat_map(|asked| asked.as_object().unwrap()) {
            body[name] = value.clone();
        }
        wire::decode_request(dialect, Bytes::from(body.to_string())).unwrap()
    }

    fn dialect(&self) -> Option<Dialect> {
        Some(match self.form.as_str() {
            "openai" => Dialect::OpenAi,
            "anthropic" => Dialect::Anthropic,
            "ollama" => Dialect::Ollama,
            "gemini" | "responses" => return None,
            other => panic!("{other} is no form"),
        })
    }

    /// What every reader of the answer makes of it, and the name of the reader.
    fn readings(&self) -> Vec<(&'static str, Usage)> {
        let whole = self.whole.to_string();
        let Some(from) = self.dialect() else {
            let read = match self.form.as_str() {
                "gemini" => wire::gemini_usage,
                _ => wire::responses_usage,
            };
            let chunks = self.stream.iter().flatten().map(Value::to_string);
            let last = chunks.filter_map(|chunk| read(chunk.as_bytes())).next_back();
            let mut all = vec![("whole", read(whole.as_bytes()).unwrap())];
            all.extend(last.map(|usage| ("stream", usage)));
            return all;
        };
        let read = |to| {
            let answer = Answer::read(from, to, Bytes::from(whole.clone())).unwrap();
            assert!(answer.observed().usage_complete);
            answer.observed().usage.unwrap()
        };
        let mut all =
            vec![("whole", read(Dialect::OpenAi)), ("converted", read(Dialect::Anthropic))];
        if let Some(stream) = &self.stream {
            all.push(("stream", self.streamed(from, Dialect::OpenAi, stream)));
            all.push(("converted stream", self.streamed(from, Dialect::Responses, stream)));
        }
        all
    }

    fn streamed(&self, from: Dialect, to: Dialect, events: &[Value]) -> Usage {
        let mut text: String = events
            .iter()
            .map(|event| match from {
                Dialect::Ollama => format!("{event}\n"),
                Dialect::Anthropic => {
                    format!("event: {}\ndata: {event}\n\n", event["type"].as_str().unwrap())
                }
                Dialect::OpenAi | Dialect::Responses => format!("data: {event}\n\n"),
            })
            .collect();
        if from == Dialect::OpenAi {
            text.push_str("data: [DONE]\n\n");
        }
        let mut relay = StreamRelay::new(from, &self.request(to), "req_1", "provider/model");
        let mut out = Vec::new();
        // Cut where a network might.
        for piece in text.as_bytes().chunks(37) {
            relay.bytes(piece, &mut out).unwrap();
        }
        relay.end().unwrap();
        assert!(relay.observed().usage_complete);
        relay.observed().usage.unwrap()
    }
}

fn catalog(text: &str) -> Catalog {
    config::load_text(text, &Environment::new("/nowhere", [("NO_KEY", "")])).unwrap().catalog
}

#[test]
fn every_sample_costs_what_was_worked_out_by_hand() {
    let samples = samples();
    assert!(samples.len() >= 45, "{}", samples.len());
    for (name, sample) in &samples {
        let price = sample.price();
        let asked = sample.request(Dialect::OpenAi).surcharges;
        for (reader, usage) in sample.readings() {
            let charge = price.charge(sample.at, &asked.complete(usage));
            let why = format!("{name}, {reader}: {} {usage:?}", sample.arithmetic);
            assert_eq!(charge.cost, NanoUsd(sample.cost_nano_usd), "{why}");
            assert_eq!(charge.assumed.to_string(), sample.assumed, "{why}");
        }
    }
}

#[test]
fn every_provider_of_the_catalogue_has_samples() {
    let samples = samples();
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("models/catalog.toml");
    let built_in: toml::Table = std::fs::read_to_string(file).unwrap().parse().unwrap();
    for provider in built_in["providers"].as_array().unwrap() {
        let id = provider["id"].as_str().unwrap();
        let known = samples.iter().any(|(_, sample)| sample.provider == id);
        // The engine inside reports to nobody and is free.
        assert!(known || id == "embedded", "{id} has no sample");
    }
}

/// The day of the facts that the samples' prices were taken from; a newer catalogue may differ.
const FACTS: &str = "Facts of 2026-11-21.";

#[test]
fn the_prices_of_the_samples_are_those_of_the_catalogue() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("models/catalog.toml");
    if !std::fs::read_to_string(file).unwrap().contains(FACTS) {
        return;
    }
    let built_in = catalog("");
    for (name, sample) in samples() {
        let known = built_in
            .get(&format!("{}/{}", sample.provider, sample.model))
            .or_else(|| built_in.known_local(&sample.provider, &sample.model))
            .unwrap_or_else(|| panic!("{name}: no such model"));
        assert_eq!(known.price.as_ref(), Some(&sample.price()), "{name}");
    }
}
