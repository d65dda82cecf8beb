//! How hard is what the human asks? Finds the human's current words in a client's envelope and
//! turns class probabilities into a verdict. Pure: the model that gives the probabilities is
//! `inference`'s; prices and models are unknown here.

pub mod curve;
mod elements;
mod envelope;
mod features;
mod followup;
mod heuristic;
mod instruction;
mod lexicon;
mod quoting;
mod replies;
mod rounds;
mod side;
mod verdict;
mod wrappers;

pub use heuristic::heuristic;
pub use instruction::{Instruction, find_instruction, first_human_text, human_words};
pub use verdict::{ABSTAIN, LossMatrix, Scores, Source, Verdict, combine, decide};
