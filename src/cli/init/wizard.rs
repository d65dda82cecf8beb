//! The questions, at a terminal.

use std::path::Path;

use super::answers::{Answers, Key, read_amount};

/// Asks, starting from `answers`. `None`: the human does not want the file, or broke the questions
/// off with Escape or Ctrl-C.
pub(super) fn ask(answers: Answers, file: &Path) -> std::io::Result<Option<Answers>> {
    match ask_all(answers, file) {
        Err(error) if error.kind() == std::io::ErrorKind::Interrupted => Ok(None),
        other => other,
    }
}

fn ask_all(mut answers: Answers, file: &Path) -> std::io::Result<Option<Answers>> {
    cliclack::intro("edge-router")?;
    ask_providers(&mut answers)?;
    answers.daily_usd = ask_amount("Most to spend a day, in USD, such as 3.00")?;
    answers.monthly_usd = ask_amount("Most to spend a month, in USD, such as 60.00")?;
    answers.port = cliclack::input("Port to listen on at 127.0.0.1")
        .default_input(&answers.port.to_string())
        .validate(|text: &String| match text.parse::<u16>() {
            Ok(port) if port > 0 => Ok(()),
            _ => Err("a number from 1 to 65535"),
        })
        .interact()?;
    let write =
        cliclack::confirm(format!("Write {}?", file.display())).initial_value(true).interact()?;
    if !write {
        return Ok(None);
    }
    cliclack::outro("That is all.")?;
    Ok(Some(answers))
}

fn ask_providers(answers: &mut Answers) -> std::io::Result<()> {
    let mut question =
        cliclack::multiselect("Cloud providers to use (space selects; none is fine)");
    let mut chosen = Vec::new();
    for (index, provider) in answers.providers.iter().enumerate() {
        let hint = match &provider.key {
            Key::InEnvironment(name) => format!("{name} is set"),
            Key::InFile(_) | Key::Missing => provider.variables.join(" or "),
        };
        if matches!(provider.key, Key::InEnvironment(_)) {
            chosen.push(index);
        }
        question = question.item(index, &provider.id, hint);
    }
    let chosen = question.initial_values(chosen).required(false).interact()?;
    for index in chosen {
        let provider = &mut answers.providers[index];
        if matches!(provider.key, Key::InEnvironment(_)) {
            continue;
        }
        let variable = provider.variables.first().map_or("", String::as_str);
        let key =
            cliclack::password(format!("Key for {} (empty: set {variable} later)", provider.id))
                .allow_empty()
                .interact()?;
        let key = key.trim();
        if !key.is_empty() {
            provider.key = Key::InFile(key.to_owned().into());
        }
    }
    Ok(())
}

fn ask_amount(question: &str) -> std::io::Result<Option<String>> {
    let text: String = cliclack::input(question)
        // What is shown for an empty answer must be what it means.
        .placeholder("no limit")
        .required(false)
        .validate(|text: &String| read_amount(text).map(drop))
        .interact()?;
    Ok(read_amount(&text).unwrap_or_default())
}
