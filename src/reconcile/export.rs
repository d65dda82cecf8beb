//! A provider's export as sums by UTC day and model. A line that cannot be read is named and left out.

use std::collections::BTreeMap;

use jiff::civil::{Date, DateTime};
use jiff::tz::TimeZone;
use jiff::{Timestamp, Zoned};

use super::amount::{self, Fine};
use super::columns::{self, Columns};
use super::csv;

/// Lines that cannot be read are named up to this number, and counted beyond.
const NAMED: usize = 100;

/// What a file says.
#[derive(Debug)]
pub struct Export {
    /// The form that was recognised, for people.
    pub form: &'static str,
    /// The id of the provider that writes this form; `None`: any.
    pub provider: Option<&'static str>,
    /// Lines that were read.
    pub lines: usize,
    /// The first of the lines that cannot be read.
    pub bad: Vec<BadLine>,
    pub bad_count: usize,
    /// By day and model as written, empty where a line names none.
    pub(super) sums: BTreeMap<(Date, String), Fine>,
}

/// A line that cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct BadLine {
    /// Counts from 1.
    pub line: usize,
    pub problem: String,
}

/// Why a whole file cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ExportError {
    #[error("it is not UTF-8 text: wrong byte in line {0}")]
    NotText(usize),
    #[error("it is empty")]
    Empty,
    #[error("line {0}: {1}")]
    Headings(usize, String),
}

impl Export {
    /// Reads a CSV file.
    ///
    /// # Errors
    /// It is no table whose columns are known.
    pub fn read(bytes: &[u8]) -> Result<Self, ExportError> {
        let text = std::str::from_utf8(bytes).map_err(|error| {
            let before = bytes.get(..error.valid_up_to()).unwrap_or_default();
            ExportError::NotText(before.iter().filter(|byte| **byte == b'\n').count() + 1)
        })?;
        let mut records = csv::records(text);
        let headings = match records.next() {
            None => return Err(ExportError::Empty),
            Some(Err((line, what))) => return Err(ExportError::Headings(line, what.to_owned())),
            Some(Ok(headings)) => headings,
        };
        let columns = columns::find(&headings.fields)
            .map_err(|what| ExportError::Headings(headings.line, what))?;
        let width = headings.fields.len();
        let mut export = Self {
            form: columns.form.name,
            provider: columns.form.provider,
            lines: 0,
            bad: Vec::new(),
            bad_count: 0,
            sums: BTreeMap::new(),
        };
        for record in records {
            let (line, added) = match record {
                Err((line, what)) => (line, Err(what.to_owned())),
                Ok(record) => {
                    let entry = entry(&record.fields, width, columns);
                    (record.line, entry.and_then(|entry| export.add(entry)))
                }
            };
            match added {
                Ok(()) => export.lines += 1,
                Err(problem) => export.is_bad(line, problem),
            }
        }
        Ok(export)
    }

    /// The first and the last day with a line; `None` without any.
    pub fn days(&self) -> Option<(Date, Date)> {
        let (first, _) = self.sums.keys().next()?;
        let (last, _) = self.sums.keys().next_back()?;
        Some((*first, *last))
    }

    /// Whether any line names a model.
    pub fn names_models(&self) -> bool {
        self.sums.keys().any(|(_, model)| !model.is_empty())
    }

    fn add(&mut self, (day, model, amount): (Date, &str, Fine)) -> Result<(), String> {
        let sum = self.sums.entry((day, model.to_owned())).or_default();
        *sum = sum.plus(amount).ok_or("the sum of the amounts is too large")?;
        Ok(())
    }

    fn is_bad(&mut self, line: usize, problem: String) {
        self.bad_count += 1;
        if self.bad.len() < NAMED {
            self.bad.push(BadLine { line, problem });
        }
    }
}

/// Day, model and amount of a record.
fn entry(fields: &[String], width: usize, columns: Columns) -> Result<(Date, &str, Fine), String> {
    if fields.len() != width {
        return Err(format!("has {} fields, the headings are {width}", fields.len()));
    }
    let field = |index: usize| fields.get(index).map_or("", |field| field.trim());
    let written = field(columns.date);
    let day = day(written).ok_or_else(|| {
        format!("the date `{}` cannot be read; allowed: 2026-11-21", shown(written))
    })?;
    let currency = columns.currency.map_or("usd", field);
    let cost = field(columns.cost);
    // A day without costs, as OpenAI writes it.
    let nothing = cost.is_empty() && currency.is_empty();
    if !nothing && !currency.is_empty() && !currency.eq_ignore_ascii_case("usd") {
        return Err(format!("the amount is in `{}`, not in USD", shown(currency)));
    }
    let amount = match nothing {
        true => Fine::default(),
        false => amount::read(cost).map_err(|error| format!("`{}` {error}", shown(cost)))?,
    };
    // Line items go on with what was billed: `gpt-4.1-2025-04-14, input`.
    let model = columns.model.map_or("", field);
    let model = model.split_once(", ").map_or(model, |(model, _)| model);
    Ok((day, model, amount))
}

/// The UTC day of a date, a moment, or seconds or milliseconds since 1970. A time of day without a
/// zone is UTC.
fn day(text: &str) -> Option<Date> {
    let of = |moment: Timestamp| Zoned::new(moment, TimeZone::UTC).date();
    if text.bytes().all(|byte| byte.is_ascii_digit()) {
        let number: i64 = text.parse().ok()?;
        return match text.len() {
            10 => Timestamp::from_second(number).ok().map(of),
            13 => Timestamp::from_millisecond(number).ok().map(of),
            _ => None,
        };
    }
    if !text.starts_with(|c: char| c.is_ascii_digit()) {
        return None;
    }
    let text = text.strip_suffix("UTC").map_or(text, str::trim_end);
    if text.len() == "2026-11-21".len() {
        return text.parse().ok();
    }
    text.parse::<Timestamp>().ok().map(of).or_else(|| Some(text.parse::<DateTime>().ok()?.date()))
}

/// A field as a message may repeat it.
fn shown(field: &str) -> String {
    field.chars().filter(|c| !c.is_control()).take(40).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case("2026-11-21", Some("2026-11-21"))]
    #[case("2026-11-21T23:30:00Z", Some("2026-11-21"))]
    #[case("2026-11-21T23:30:00-02:00", Some("2026-11-22"))]
    #[case("2025-10-05T00:00:00+00:00", Some("2025-10-05"))]
    #[case("2026-02-24 21:19:33.705", Some("2026-02-24"))]
    #[case("2026-02-24 21:19:33 UTC", Some("2026-02-24"))]
    #[case("1759622400", Some("2025-10-05"))]
    #[case("1759622400000", Some("2025-10-05"))]
    #[case("11/21/2026", None)]
    #[case("21.11.2026", None)]
    #[case("20261121", None)]
    #[case("2026-13-01", None)]
    #[case("Total", None)]
    #[case("", None)]
    fn a_day_is_that_of_utc_and_never_guessed(#[case] text: &str, #[case] expected: Option<&str>) {
        assert_eq!(day(text), expected.map(|day| day.parse().unwrap()));
    }

    fn sums(export: &Export) -> Vec<String> {
        let line = |((day, model), sum): (&(Date, String), &Fine)| {
            format!("{day} {model} {}", sum.rounded().unwrap())
        };
        export.sums.iter().map(line).collect()
    }

    #[test]
    fn lines_of_a_day_and_model_are_summed_before_they_are_rounded() {
        let text = "\u{feff}start_time,start_time_iso,amount_value,amount_currency,line_item\r\n\
            1759622400,2025-10-05T00:00:00+00:00,0.0000000004,usd,\"gpt-x, input\"\r\n\
            1759622400,2025-10-05T00:00:00+00:00,0.0000000004,usd,\"gpt-x, output\"\r\n\
            1759708800,2025-10-06T00:00:00+00:00,,,\r\n";
        let export = Export::read(text.as_bytes()).unwrap();
        assert_eq!(sums(&export), ["2025-10-05 gpt-x 0.000000001", "2025-10-06  0"]);
        assert_eq!((export.lines, export.bad_count), (3, 0));
        assert_eq!(export.provider, Some("openai"));
    }

    #[test]
    fn a_line_that_cannot_be_read_is_named_and_the_others_count() {
        let text = "date,model,cost,currency\n\
            2026-11-21,m,\"$1,000.25\",USD\n\
            2026-11-21,m\n\
            yesterday,m,1,USD\n\
            2026-11-21,m,1.5,EUR\n\
            2026-11-21,m,\"1,5\",USD\n\
            2026-11-21,m,,USD\n\
            2026-11-21,\"m\"x,1,USD\n\
            2026-11-22,m,1,USD\n";
        let export = Export::read(text.as_bytes()).unwrap();
        assert_eq!(sums(&export), ["2026-11-21 m 1000.25", "2026-11-22 m 1"]);
        let lines: Vec<usize> = export.bad.iter().map(|bad| bad.line).collect();
        assert_eq!(lines, [3, 4, 5, 6, 7, 8]);
        assert!(export.bad[2].problem.contains("`EUR`"), "{:?}", export.bad);
    }

    #[test]
    fn a_file_that_is_no_export_is_refused_as_a_whole() {
        assert!(matches!(Export::read(b""), Err(ExportError::Empty)));
        assert!(matches!(Export::read(b"a\nb\xff"), Err(ExportError::NotText(2))));
        assert!(matches!(Export::read(b"\nname,x\n"), Err(ExportError::Headings(2, _))));
    }
}
