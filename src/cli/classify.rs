//! `edge-router classify`: the tier of a prompt, always by the model.

use std::io::{BufRead, IsTerminal, Read};
use std::path::PathBuf;

use anyhow::Context;
use clap::Args;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::{CliError, ConfigArg, output};
use crate::analyze::{LossMatrix, Scores, Verdict, decide};
use crate::catalog::Tier;
use crate::config::{self, ConfigSource, Environment, Overrides};
use crate::inference::TierModel;

const EXAMPLES: &str = "\
Examples:
  edge-router classify \"rename usrCnt to userCount\"
  git log -1 --format=%B | edge-router classify --json
  edge-router classify --jsonl < prompts.jsonl > tiers.jsonl
  edge-router classify --quality 0.8 \"why does this queue lose elements?\"

--jsonl reads one {\"id\",\"prompt\"} object per line and writes one
{\"id\",\"tier\",\"difficulty\",\"confidence\",\"scores\"} line for each, in order. A line that cannot be
read gets no answer line: it is named on stderr, the rest is judged, and the exit code is 1.";

/// `edge-router classify [TEXT]`
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct Classify {
    /// The prompt (default: standard input)
    #[arg(value_name = "TEXT", conflicts_with = "jsonl")]
    text: Option<String>,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
    /// Judge {"id","prompt"} lines from standard input
    #[arg(long)]
    jsonl: bool,
    /// Folder whose tier-classifier/ replaces the built-in model
    #[arg(long, value_name = "DIR", env = "EDGE_ROUTER_MODELS_DIR", hide_env_values = true)]
    models_dir: Option<PathBuf>,
    #[command(flatten)]
    config: ConfigArg,
    /// Between cost (0) and quality (1), instead of classifier.quality
    #[arg(long, value_name = "Q")]
    quality: Option<f32>,
}

#[derive(Serialize)]
struct Judged<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<&'a RawValue>,
    tier: Tier,
    difficulty: f32,
    confidence: f32,
    scores: Scores,
}

#[derive(Deserialize)]
struct Asked<'a> {
    #[serde(borrow)]
    id: Option<&'a RawValue>,
    prompt: String,
}

impl<'a> Judged<'a> {
    fn new(id: Option<&'a RawValue>, verdict: Verdict) -> Self {
        let Verdict { tier, difficulty, confidence, scores, .. } = verdict;
        Self { id, tier, difficulty, confidence, scores }
    }
}

impl Classify {
    pub fn run(self) -> Result<(), CliError> {
        let loss = loss(self.config, self.quality)?;
        // An empty variable means none.
        let dir = self.models_dir.filter(|dir| !dir.as_os_str().is_empty());
        let model = TierModel::open(dir.as_deref()).context("loading the tier model")?;
        let judge = Judge { model, loss };
        if self.jsonl {
            return judge_lines(&judge, std::io::stdin().lock());
        }
        let text = match self.text {
            Some(text) => text,
            None => read_stdin()?,
        };
        let verdict = judge.verdict(&text)?;
        if self.json {
            return output::json(&Judged::new(None, verdict));
        }
        let Verdict { tier, difficulty, confidence, .. } = verdict;
        output::line(&format!("{tier} (difficulty {difficulty:.2}, confidence {confidence:.2})"));
        Ok(())
    }
}

fn read_stdin() -> Result<String, CliError> {
    let mut stdin = std::io::stdin().lock();
    if stdin.is_terminal() {
        let message = "error: no TEXT given and standard input is a terminal\n\
            try: edge-router classify \"what the model is asked\"";
        return Err(CliError::Usage(message.into()));
    }
    let mut bytes = Vec::new();
    stdin.read_to_end(&mut bytes).context("reading standard input")?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// The loss matrix of the configuration that the router would use.
fn loss(file: ConfigArg, quality: Option<f32>) -> Result<LossMatrix, CliError> {
    let overrides = Overrides { quality, ..Overrides::default() };
    let source = ConfigSource { path: file.config, overrides };
    let config = config::load(&source, &Environment::of_process())
        .map_err(|errors| CliError::Usage(errors.to_string()))?;
    Ok(config.classifier.loss)
}

struct Judge {
    model: TierModel,
    loss: LossMatrix,
}

impl Judge {
    fn verdict(&self, text: &str) -> anyhow::Result<Verdict> {
        let scores = self.model.scores(text).context("judging the prompt")?;
        Ok(decide(&scores, &self.loss))
    }
}

/// Answers each line as it comes.
fn judge_lines(judge: &Judge, mut input: impl BufRead) -> Result<(), CliError> {
    let (mut line, mut number, mut failed) = (Vec::new(), 0_u64, 0_u64);
    while !output::closed() {
        line.clear();
        if input.read_until(b'\n', &mut line).context("reading standard input")? == 0 {
            break;
        }
        number += 1;
        let content = line.strip_prefix("\u{feff}".as_bytes()).unwrap_or(&line).trim_ascii();
        if content.is_empty() {
            continue;
        }
        match judge_line(judge, content) {
            Ok(answer) => output::line(&answer),
            Err(error) => {
                failed += 1;
                output::error(&format!("line {number}: {error:#}"));
            }
        }
    }
    if failed > 0 {
        return Err(anyhow::anyhow!("{failed} of {number} lines could not be judged").into());
    }
    Ok(())
}

fn judge_line(judge: &Judge, line: &[u8]) -> anyhow::Result<String> {
    let asked: Asked<'_> =
        serde_json::from_slice(line).map_err(|error| anyhow::anyhow!(explain(&error)))?;
    Ok(serde_json::to_string(&Judged::new(asked.id, judge.verdict(&asked.prompt)?))?)
}

/// The parser counts lines inside the line that it was given; only its column helps.
fn explain(error: &serde_json::Error) -> String {
    let text = error.to_string();
    let what = text.split(" at line ").next().unwrap_or(&text);
    format!("column {}: {what}; expected {{\"id\": …, \"prompt\": \"…\"}}", error.column())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judge() -> Judge {
        Judge { model: TierModel::embedded().unwrap(), loss: LossMatrix::default() }
    }

    fn line(text: &str) -> Result<serde_json::Value, String> {
        let answer = judge_line(&judge(), text.as_bytes()).map_err(|error| error.to_string())?;
        Ok(serde_json::from_str(&answer).unwrap())
    }

    #[test]
    fn a_line_is_answered_with_its_id_whatever_type_it_has() {
        for id in ["7", "\"a b\"", "12345678901234567890123"] {
            let answer =
                line(&format!("{{\"id\": {id}, \"prompt\": \"hi\", \"more\": 1}}")).unwrap();
            assert_eq!(
                answer["id"].to_string(),
                id.parse::<serde_json::Value>().unwrap().to_string()
            );
            assert_eq!(answer["scores"].as_array().unwrap().len(), 5);
        }
    }

    #[test]
    fn a_line_without_an_id_is_answered_without_one() {
        let answer = line(r#"{"prompt": "hi"}"#).unwrap();
        let keys: Vec<_> = answer.as_object().unwrap().keys().collect();
        assert_eq!(keys, ["tier", "difficulty", "confidence", "scores"]);
    }

    #[test]
    fn a_malformed_line_says_where_and_what() {
        let error = line(r#"{"id": 1, "prompt": }"#).unwrap_err();
        assert_eq!(error, "column 21: expected value; expected {\"id\": …, \"prompt\": \"…\"}");
        let error = line(r#"{"id": 1}"#).unwrap_err();
        assert!(error.contains("missing field `prompt`"), "{error}");
        let error = line(r#"{"id": 1, "prompt": 5}"#).unwrap_err();
        assert!(error.contains("invalid type: integer `5`, expected a string"), "{error}");
    }

    #[test]
    fn other_lines_are_judged_after_a_malformed_one() {
        let input =
            "\u{feff}{\"id\":1,\"prompt\":\"hi\"}\r\n\nnonsense\n{\"id\":2,\"prompt\":\"\"}";
        let error = judge_lines(&judge(), input.as_bytes()).unwrap_err();
        let CliError::Failed(error) = error else { panic!("{error:?}") };
        assert_eq!(error.to_string(), "1 of 4 lines could not be judged");
    }
}
