//! The ledger beside a provider's own export: what each says of every UTC day and model, and how far
//! they differ. Pure: knows neither files nor the ledger's tables.

mod amount;
mod columns;
mod csv;
mod export;

use std::collections::{BTreeMap, BTreeSet, HashMap};

use jiff::civil::Date;

use crate::money::{NanoUsd, dollars};
use amount::Fine;

pub use export::{BadLine, Export, ExportError};

/// What the ledger has of one UTC day and model.
#[derive(Clone, Debug)]
pub struct Ours {
    pub day: Date,
    /// Id of the model.
    pub model: String,
    /// Its name at the provider.
    pub upstream: String,
    pub cost: NanoUsd,
    /// Of `cost`: charged because nobody could say what a call cost.
    pub unconfirmed: NanoUsd,
    /// Of `cost`: of answers whose usage was not reported.
    pub estimated: NanoUsd,
}

/// One day and model, or everything.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    pub day: Date,
    /// Our ids, else the name in the file; empty where models are not told apart.
    pub model: String,
    /// `None`: not in the ledger.
    pub ours: Option<NanoUsd>,
    /// `None`: not in the file.
    pub theirs: Option<NanoUsd>,
    pub unconfirmed: NanoUsd,
    pub estimated: NanoUsd,
}

/// How far two totals may differ, in millionths of the provider's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tolerance(u32);

/// What the two say.
#[derive(Clone, Debug)]
pub struct Comparison {
    /// By day and model.
    pub rows: Vec<Row>,
    /// Of all rows; its day is the first one.
    pub total: Row,
}

impl Tolerance {
    /// Reads a percentage from 0 to 100 with up to four decimals, with or without `%`.
    pub fn read(text: &str) -> Option<Self> {
        let text = text.trim();
        let text = text.strip_suffix('%').map_or(text, str::trim_end);
        let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
        let digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
        if whole.is_empty() || fraction.len() > 4 || !digits(whole) || !digits(fraction) {
            return None;
        }
        let millionths: u32 = format!("{whole}{fraction:0<4}").parse().ok()?;
        (millionths <= 1_000_000).then_some(Self(millionths))
    }

    /// In percent.
    pub fn percent(self) -> f64 {
        f64::from(self.0) / 10_000.0
    }
}

impl Row {
    /// Ours less theirs.
    pub fn difference(&self) -> NanoUsd {
        self.ours.unwrap_or_default() - self.theirs.unwrap_or_default()
    }

    /// The difference in percent of theirs; `None` where they have nothing.
    pub fn percent(&self) -> Option<f64> {
        let theirs = self.theirs.filter(|theirs| theirs.0 != 0)?;
        Some(self.difference().to_usd_f64() / theirs.to_usd_f64() * 100.0)
    }

    pub fn is_within(&self, tolerance: Tolerance) -> bool {
        let difference = i128::from(self.difference().0).abs();
        let theirs = i128::from(self.theirs.unwrap_or_default().0).abs();
        difference * 1_000_000 <= theirs * i128::from(tolerance.0)
    }

    /// What may have caused the difference; empty where nothing is known or needed.
    pub fn cause(&self) -> String {
        let difference = self.difference();
        if difference == NanoUsd::ZERO {
            return String::new();
        }
        let mut causes = Vec::new();
        match (self.ours, self.theirs) {
            (None, _) => causes.push("not in the ledger: sent past the router?".to_owned()),
            (_, None) => causes.push("not in the file".to_owned()),
            (Some(_), Some(_)) => {}
        }
        for (amount, what) in [(self.unconfirmed, "unconfirmed"), (self.estimated, "estimated")] {
            if !amount.is_zero() {
                causes.push(format!("{} is {what}", dollars(amount)));
            }
        }
        causes.join("; ")
    }
}

/// What makes two names of a model the same: its words in any order, its numbers in theirs. The date
/// of a snapshot is left out.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
struct Name(Vec<String>, Vec<String>);

impl Name {
    fn of(text: &str) -> Self {
        let lower = text.to_lowercase();
        let parts = lower.split(|c: char| !c.is_alphanumeric()).filter(|part| !part.is_empty());
        let mut parts: Vec<&str> = parts.collect();
        let is_number = |part: &&str| part.bytes().all(|byte| byte.is_ascii_digit());
        let year = |part: &str| part.len() == 4 && part.starts_with("20");
        let two = |part: &&str| part.len() == 2 && is_number(part);
        let dated = match parts.as_slice() {
            [_, .., y, m, d] if year(y) && two(m) && two(d) => 3,
            [_, .., "latest"] => 1,
            [_, .., date] if date.len() == 8 && date.starts_with("20") && is_number(date) => 1,
            _ => 0,
        };
        parts.truncate(parts.len() - dated);
        let (numbers, words): (Vec<&str>, Vec<&str>) = parts.into_iter().partition(is_number);
        let owned = |parts: Vec<&str>| parts.into_iter().map(str::to_owned).collect::<Vec<_>>();
        let mut words = owned(words);
        words.sort_unstable();
        Self(words, owned(numbers))
    }
}

/// One row in the making.
#[derive(Default)]
struct Sum {
    ids: BTreeSet<String>,
    written: BTreeSet<String>,
    ours: Option<NanoUsd>,
    theirs: Option<Fine>,
    unconfirmed: NanoUsd,
    estimated: NanoUsd,
}

/// Puts both side by side; models are told apart where the file names any. What cost nothing on
/// either side is left out. `None`: an amount is too large to be counted.
pub fn compare(ours: &[Ours], export: &Export) -> Option<Comparison> {
    let by_model = export.names_models();
    let mut known: HashMap<Name, Name> = HashMap::new();
    for one in ours {
        let name = Name::of(&one.upstream);
        known.insert(Name::of(&one.model), name.clone());
        known.insert(name.clone(), name);
    }
    let name_of = |text: &str| {
        let name = if by_model { Name::of(text) } else { Name::default() };
        known.get(&name).cloned().unwrap_or(name)
    };
    let mut sums: BTreeMap<(Date, Name), Sum> = BTreeMap::new();
    for one in ours {
        let sum = sums.entry((one.day, name_of(&one.upstream))).or_default();
        sum.ids.insert(one.model.clone());
        sum.ours = Some(sum.ours.unwrap_or_default() + one.cost);
        sum.unconfirmed += one.unconfirmed;
        sum.estimated += one.estimated;
    }
    for ((day, written), amount) in &export.sums {
        let sum = sums.entry((*day, name_of(written))).or_default();
        sum.written.insert(written.clone());
        sum.theirs = Some(sum.theirs.unwrap_or_default().plus(*amount)?);
    }
    let mut total = Sum::default();
    for sum in sums.values() {
        total.ours = Some(total.ours.unwrap_or_default() + sum.ours.unwrap_or_default());
        let theirs = total.theirs.unwrap_or_default().plus(sum.theirs.unwrap_or_default())?;
        total.theirs = Some(theirs);
        total.unconfirmed += sum.unconfirmed;
        total.estimated += sum.estimated;
    }
    let first = sums.keys().next().map_or(Date::ZERO, |(day, _)| *day);
    let total = total.row(first, false)?;
    let rows = sums.into_iter().map(|((day, _), sum)| sum.row(day, by_model));
    let mut rows: Vec<Row> = rows.collect::<Option<_>>()?;
    let nothing = |amount: Option<NanoUsd>| amount.is_none_or(|amount| amount == NanoUsd::ZERO);
    rows.retain(|row| !(nothing(row.ours) && nothing(row.theirs)));
    rows.sort_by(|a, b| (a.day, &a.model).cmp(&(b.day, &b.model)));
    Some(Comparison { rows, total })
}

impl Sum {
    fn row(self, day: Date, by_model: bool) -> Option<Row> {
        let names = if self.ids.is_empty() { self.written } else { self.ids };
        let names: Vec<String> = names.into_iter().filter(|_| by_model).collect();
        let theirs = match self.theirs {
            None => None,
            Some(theirs) => Some(theirs.rounded()?),
        };
        Some(Row {
            day,
            model: names.join(" + "),
            ours: self.ours,
            theirs,
            unconfirmed: self.unconfirmed,
            estimated: self.estimated,
        })
    }
}

#[cfg(test)]
mod tests;
