//! How hard is what the human asks? Finds the human's current words in a client's envelope and
//! turns class probabilities into a verdict. Pure: the model that gives the probabilities is
//! `inference`'s; prices and models are unknown here.

mod verdict;

pub use verdict::{LossMatrix, Scores, Source, Verdict};
