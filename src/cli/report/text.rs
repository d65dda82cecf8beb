//! The report for a terminal.

use jiff::tz::TimeZone;

use crate::cli::figures::{Align, Decimals, bar, count, money, percent, ratio, short, table};
use crate::cli::requests::short_id;
use crate::ledger::Group;
use crate::money::NanoUsd;
use crate::report::{Report, Row, share};

/// Cells of a bar where there is room, and where there is little.
const BARS: [usize; 2] = [16, 4];
const ROOMY: usize = 90;

/// Lines of at most `width` columns; `by` shows one table only.
pub(super) fn lines(report: &Report, by: Option<Group>, width: usize) -> Vec<String> {
    let zone = TimeZone::get(&report.timezone).unwrap_or(TimeZone::UTC);
    let moment = |at: jiff::Timestamp| at.to_zoned(zone.clone()).strftime("%Y-%m-%d %H:%M");
    let until = report.until.to_zoned(zone.clone()).strftime("%Z");
    let mut lines = vec![format!("{} to {} {until}", moment(report.since), moment(report.until))];
    lines.push(String::new());
    lines.extend(summary(report, width));
    let groups = match by {
        Some(group) => vec![group],
        None => worth_showing(report),
    };
    for group in groups {
        let rows = report.rows.get(&group).map_or(&[][..], Vec::as_slice);
        lines.push(String::new());
        lines.extend(rows_by(group, rows, report.total.cost_usd, width));
    }
    if by.is_none() {
        lines.extend(days(report, width));
        lines.extend(dearest(report, &zone, width));
        lines.extend(quality(report));
    }
    lines.push(String::new());
    lines.extend(wrap(&format!("Assumed: {}.", report.savings.assumes), width));
    lines
}

/// Keys and projects only where there are several; days are one line.
fn worth_showing(report: &Report) -> Vec<Group> {
    let several = |group: Group| report.rows.get(&group).is_some_and(|rows| rows.len() > 1);
    let mut groups = vec![Group::Model, Group::Tier];
    groups.extend([Group::Key, Group::Project].into_iter().filter(|one| several(*one)));
    groups
}

fn summary(report: &Report, width: usize) -> Vec<String> {
    let mut rows: Vec<[String; 3]> = Vec::new();
    let mut say = |name: &str, value: String, note: String| {
        rows.push([name.to_owned(), value, note]);
    };
    say("Spent", money(report.total.cost_usd), limits(report));
    let savings = &report.savings;
    match (savings.baseline_usd, savings.saved_usd) {
        (Some(baseline), Some(saved)) => {
            let note = format!("the same tokens at {}", savings.baseline);
            say("At the baseline", money(baseline), note);
            let note = match baseline.is_zero() {
                true => "nothing to compare".to_owned(),
                false => format!("{} of it", percent(ratio(saved, baseline))),
            };
            say("Saved by routing", money(saved), note);
        }
        _ => {
            let note =
                format!("the price of {} is not known; set report.baseline", savings.baseline);
            say("Saved by routing", "unknown".to_owned(), note);
        }
    }
    let caching = &report.caching;
    if caching.read_share > 0.0 {
        let share = percent(caching.read_share);
        let note = format!("{share} of the prompt tokens were read from providers' caches");
        say("Saved by caches", money(caching.saved_usd), note);
    }
    let failed = match report.total.failed {
        0 => String::new(),
        failed => format!("{} failed", count(failed)),
    };
    say("Requests", count(report.total.requests), failed);
    let local = &report.local;
    let note = format!("{} of {} answers", count(local.requests), count(local.answered));
    say("Answered locally", percent(local.share), note);
    uncertain(report, &mut say);
    noted(&rows, width)
}

/// Names, values and notes in columns; notes that are too long go on below themselves.
fn noted(rows: &[[String; 3]], width: usize) -> Vec<String> {
    let heads: Vec<Vec<String>> =
        rows.iter().map(|[name, value, _]| vec![name.clone(), value.clone()]).collect();
    let heads = table(&heads, &[Align::Left, Align::Right], usize::MAX);
    let indent = heads.iter().map(|head| head.chars().count()).max().unwrap_or(0) + 2;
    let mut lines = Vec::new();
    for (head, [_, _, note]) in heads.iter().zip(rows) {
        for (index, note) in wrap(note, width.saturating_sub(indent).max(20)).iter().enumerate() {
            let head = if index == 0 { head } else { "" };
            lines.push(format!("{head:<indent$}{note}").trim_end().to_owned());
        }
    }
    lines
}

/// Money that is not what a provider reported.
fn uncertain(report: &Report, say: &mut impl FnMut(&str, String, String)) {
    let total = &report.total;
    if total.estimated > 0 {
        let note = format!("{} without reported usage", several(total.estimated, "request"));
        say("Estimated", money(total.estimated_usd), note);
    }
    if total.unconfirmed > 0 {
        let note = format!("{} that nobody finished", several(total.unconfirmed, "call"));
        say("Unconfirmed", money(total.unconfirmed_usd), note);
    }
}

/// `1 call`, `1,200 calls`.
fn several(number: u64, what: &str) -> String {
    format!("{} {what}{}", count(number), if number == 1 { "" } else { "s" })
}

fn limits(report: &Report) -> String {
    let limit = |limit: Option<NanoUsd>, of: &str| limit.map(|l| format!("{} a {of}", money(l)));
    let limits = [limit(report.limits.daily_usd, "day"), limit(report.limits.monthly_usd, "month")];
    let limits: Vec<String> = limits.into_iter().flatten().collect();
    if limits.is_empty() { "no limit".to_owned() } else { format!("limit {}", limits.join(", ")) }
}

fn rows_by(group: Group, rows: &[Row], total: NanoUsd, width: usize) -> Vec<String> {
    let heading = group.to_string().to_uppercase();
    let known = rows.iter().any(|row| row.baseline_usd.is_some());
    let mut heads = vec![heading, "REQUESTS".into(), "IN".into(), "OUT".into(), "COST".into()];
    if known {
        heads.push("BASELINE".into());
    }
    let of_money = !total.is_zero() && group != Group::Tier;
    heads.push(if of_money { "OF COST".into() } else { "OF REQUESTS".into() });
    let cells_of_bar = BARS[usize::from(width < ROOMY)];
    let requests: u64 = rows.iter().map(|row| row.sums.requests).sum();
    let largest = rows.iter().map(|row| row.sums.cost_usd).max().unwrap_or_default();
    let dearest = rows.iter().filter_map(|row| row.baseline_usd).max().unwrap_or_default();
    let (cost, baseline) = (Decimals::for_up_to(largest), Decimals::for_up_to(dearest));
    let mut lines = vec![heads];
    for row in rows {
        let sums = &row.sums;
        let part = match of_money {
            true => ratio(sums.cost_usd, total),
            false => share(sums.requests, requests),
        };
        let mut cells = vec![
            row.name.clone().unwrap_or_else(|| nobody(group).to_owned()),
            count(sums.requests),
            short(sums.tokens.prompt()),
            short(sums.tokens.output),
            cost.usd(sums.cost_usd),
        ];
        if known {
            cells.push(row.baseline_usd.map_or_else(String::new, |usd| baseline.usd(usd)));
        }
        cells.push(format!("{:>6}  {}", percent(part), bar(part, cells_of_bar)));
        lines.push(cells);
    }
    let mut aligns = vec![Align::Right; lines[0].len()];
    if let [first, .., last] = aligns.as_mut_slice() {
        (*first, *last) = (Align::Left, Align::Left);
    }
    table(&lines, &aligns, width)
}

/// What stands where a row has no name.
pub(super) fn nobody(group: Group) -> &'static str {
    match group {
        Group::Model => "(no model answered)",
        Group::Tier => "(no tier)",
        Group::Key => "(no key)",
        Group::Project => "(no project)",
        Group::Day => "(no day)",
    }
}

/// Spending by day as one line of columns, the last days where not all have room.
fn days(report: &Report, width: usize) -> Vec<String> {
    const COLUMNS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
    let rows = report.rows.get(&Group::Day).map_or(&[][..], Vec::as_slice);
    let rows = &rows[rows.len().saturating_sub(width / 2)..];
    let costs = || rows.iter().map(|row| row.sums.cost_usd);
    let (Some(least), Some(most)) = (costs().min(), costs().max()) else { return Vec::new() };
    if rows.len() < 2 || most.is_zero() {
        return Vec::new();
    }
    // The nth column from an nth of the largest amount on.
    let column = |cost: NanoUsd| {
        let steps = (1..8_i64).filter(|step| cost.0 >= most.0 / 8 * step);
        COLUMNS.get(steps.count()).copied().unwrap_or_default()
    };
    let drawn: String = costs().map(column).collect();
    let decimals = Decimals::for_up_to(most);
    let (least, most) = (decimals.usd(least), decimals.usd(most));
    vec![String::new(), format!("PER DAY  {drawn}  {least} to {most}; --by day lists them")]
}

fn dearest(report: &Report, zone: &TimeZone, width: usize) -> Vec<String> {
    if report.dearest.is_empty() {
        return Vec::new();
    }
    let heads = ["DEAREST REQUESTS", "TIME", "MODEL", "TIER", "IN", "OUT", "COST"];
    let mut rows = vec![heads.map(str::to_owned).to_vec()];
    let largest = report.dearest.first().map_or(NanoUsd::ZERO, |dear| dear.cost_usd);
    let decimals = Decimals::for_up_to(largest);
    for dear in &report.dearest {
        rows.push(vec![
            short_id(&dear.id).to_owned(),
            dear.at.to_zoned(zone.clone()).strftime("%m-%d %H:%M").to_string(),
            dear.model.clone().unwrap_or_default(),
            dear.tier.map_or_else(|| "-".to_owned(), |tier| tier.to_string()),
            short(dear.tokens.prompt()),
            short(dear.tokens.output),
            format!("{}{}", if dear.estimated { "~" } else { "" }, decimals.usd(dear.cost_usd)),
        ]);
    }
    let mut aligns = [Align::Left; 7];
    aligns[4..].fill(Align::Right);
    let mut lines = vec![String::new()];
    lines.extend(table(&rows, &aligns, width));
    lines.push("`edge-router requests ID` explains one.".to_owned());
    lines
}

fn quality(report: &Report) -> Vec<String> {
    let Some(quality) = &report.quality else { return Vec::new() };
    let mut rows = vec![["QUALITY", "RIGHT", "TOO WEAK", "PRICE", ""].map(str::to_owned).to_vec()];
    let (first, last) = (quality.curve.first(), quality.curve.last());
    let mut points = vec![(quality.at_configured, "← classifier.quality")];
    points.extend(first.filter(|point| point.quality < quality.configured).map(|p| (*p, "")));
    points.extend(last.filter(|point| point.quality > quality.configured).map(|p| (*p, "")));
    points.sort_by(|(a, _), (b, _)| a.quality.total_cmp(&b.quality));
    for (point, note) in points {
        let value = point.quality.to_string();
        let mut cells = vec![if value.contains('.') { value } else { value + ".0" }];
        let shares = [point.accuracy, point.too_weak, point.cost];
        cells.extend(shares.map(|share| percent(f64::from(share))));
        cells.push(note.to_owned());
        rows.push(cells);
    }
    let mut aligns = [Align::Right; 5];
    (aligns[0], aligns[4]) = (Align::Left, Align::Left);
    let mut lines = vec![String::new()];
    lines.extend(table(&rows, &aligns, usize::MAX));
    lines.push("Measured on labelled prompts; the price is that of sending all to the hardest tier's model.".to_owned());
    lines
}

/// Words of `text` in lines of at most `width` columns.
fn wrap(text: &str, width: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in text.split_whitespace() {
        let room = lines.last().map_or(0, |line| line.chars().count());
        if room > 0 && room + 1 + word.chars().count() > width {
            lines.push(String::new());
        }
        if let Some(line) = lines.last_mut() {
            if !line.is_empty() {
                line.push(' ');
            }
            line.push_str(word);
        }
    }
    lines
}

#[cfg(test)]
mod tests;
