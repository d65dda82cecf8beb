//! The model file's own chat template: a conversation in, the prompt text out. Written by others for
//! Jinja in Python, hence the helpers.

use minijinja::syntax::SyntaxConfig;
use minijinja::value::{Serde, Value};
use minijinja::{Environment, Error, ErrorKind, context};

use super::super::InferenceError;
use super::Turn;
use super::tokenizer::ChatTokenizer;

const NAME: &str = "chat";

pub(super) struct ChatTemplate {
    environment: Environment<'static>,
    bos: String,
    eos: String,
}

impl ChatTemplate {
    /// # Errors
    /// `Model` if the template cannot be parsed.
    pub(super) fn new(source: &str, tokenizer: &ChatTokenizer) -> Result<Self, InferenceError> {
        let mut environment = Environment::new();
        let syntax = SyntaxConfig::builder()
            .trim_blocks(true)
            .lstrip_blocks(true)
            .build()
            .map_err(|error| unusable(&error))?;
        environment.set_syntax(syntax);
        environment
            .set_unknown_method_callback(minijinja_contrib::pycompat::unknown_method_callback);
        environment.add_function("raise_exception", |message: String| -> Result<Value, Error> {
            Err(Error::new(ErrorKind::InvalidOperation, message))
        });
        environment
            .add_template_owned(NAME, source.to_owned())
            .map_err(|error| unusable(&error))?;
        Ok(Self { environment, bos: tokenizer.bos_text(), eos: tokenizer.eos_text() })
    }

    /// The prompt up to where the answer begins.
    ///
    /// # Errors
    /// `Model` if the template refuses the conversation.
    pub(super) fn render(&self, turns: &[Turn]) -> Result<String, InferenceError> {
        let values = context! {
            messages => Value::from(Serde(turns)),
            add_generation_prompt => true,
            bos_token => self.bos.as_str(),
            eos_token => self.eos.as_str(),
        };
        self.environment
            .get_template(NAME)
            .and_then(|template| template.render(values))
            .map_err(|error| unusable(&error))
    }
}

fn unusable(error: &Error) -> InferenceError {
    InferenceError::Model(format!("the model's chat template cannot be used: {error}"))
}
