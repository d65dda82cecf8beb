//! Reads the Prometheus text that our own recorder writes, so that JSON shows the same figures.

use serde_json::{Map, Value, json};

/// One line of the text.
pub(super) struct Sample<'a> {
    pub(super) name: &'a str,
    /// As written between the braces; empty if there are none.
    labels: &'a str,
    pub(super) value: &'a str,
}

/// Every sample; comments are passed over.
pub(super) fn samples(text: &str) -> impl Iterator<Item = Sample<'_>> {
    text.lines().filter(|line| !line.starts_with('#')).filter_map(|line| {
        let (series, value) = line.rsplit_once(' ')?;
        let (name, labels) = match series.split_once('{') {
            Some((name, rest)) => (name, rest.strip_suffix('}')?),
            None => (series, ""),
        };
        Some(Sample { name, labels, value })
    })
}

/// Groups the samples by name. Histogram buckets are left out.
pub(super) fn to_json(text: &str) -> Value {
    let mut all = Map::new();
    for sample in samples(text).filter(|sample| !sample.name.ends_with("_bucket")) {
        let value = match sample.value.parse::<u64>() {
            Ok(whole) => json!(whole),
            Err(_) => json!(sample.value.parse::<f64>().ok()),
        };
        let entry = json!({"labels": labels(sample.labels), "value": value});
        match all.get_mut(sample.name) {
            Some(Value::Array(entries)) => entries.push(entry),
            Some(_) | None => {
                all.insert(sample.name.to_owned(), Value::Array(vec![entry]));
            }
        }
    }
    Value::Object(all)
}

/// `a="1",b="two"` with `\"`, `\\` and `\n` escaped inside the values.
fn labels(text: &str) -> Map<String, Value> {
    let mut found = Map::new();
    let mut rest = text;
    while let Some((name, after)) = rest.split_once("=\"") {
        let mut value = String::new();
        let mut chars = after.char_indices();
        let mut end = after.len();
        while let Some((at, c)) = chars.next() {
            match c {
                '"' => {
                    end = at + 1;
                    break;
                }
                '\\' => match chars.next() {
                    Some((_, 'n')) => value.push('\n'),
                    Some((_, escaped)) => value.push(escaped),
                    None => {}
                },
                c => value.push(c),
            }
        }
        found.insert(name.trim_start_matches(',').to_owned(), Value::String(value));
        rest = after.get(end..).unwrap_or("");
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_are_read_with_their_escapes() {
        let text = "# TYPE a counter\na{model=\"x/y\",why=\"say \\\"no\\\", then\"} 3\na 0.5\n";
        assert_eq!(
            to_json(text),
            json!({"a": [
                {"labels": {"model": "x/y", "why": "say \"no\", then"}, "value": 3},
                {"labels": {}, "value": 0.5},
            ]})
        );
    }

    #[test]
    fn buckets_are_left_out_and_count_and_sum_stay() {
        let text = "h_bucket{le=\"1\"} 2\nh_sum 0.7\nh_count 2\n";
        assert_eq!(
            to_json(text),
            json!({"h_sum": [{"labels": {}, "value": 0.7}], "h_count": [{"labels": {}, "value": 2}]})
        );
    }
}
