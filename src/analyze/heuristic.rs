//! stub
use super::verdict::Scores;
/// stub
pub fn heuristic(_text: &str) -> Scores {
    [0.2; 5]
}
