//! The report as one HTML page that needs nothing else: styles and pictures are inside, there is no
//! script, and nothing is fetched. Light and dark by the reader's setting, fit for printing.

use std::collections::HashMap;
use std::fmt::Write;

use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan};

use super::charts::{self, Day};
use super::text::nobody;
use crate::catalog::Tier;
use crate::cli::figures::{Decimals, count, money, percent, ratio, short};
use crate::cli::requests::short_id;
use crate::ledger::Group;
use crate::money::NanoUsd;
use crate::report::{Quality, Report, Row, share};

const STYLE: &str = include_str!("page.css");

/// Bars that a picture holds; the table below it has every row.
const MOST_BARS: usize = 12;
/// Rows that a table shows before the rest is folded away.
const MOST_ROWS: usize = 100;

pub(super) fn page(report: &Report) -> String {
    let zone = TimeZone::get(&report.timezone).unwrap_or(TimeZone::UTC);
    let day = |at: Timestamp| at.to_zoned(zone.clone()).strftime("%-d %B %Y").to_string();
    let (since, until) = (day(report.since), day(report.until));
    let written = report.until.to_zoned(zone.clone()).strftime("%Y-%m-%d %H:%M %Z");
    let mut out = format!(
        "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">\n\
         <title>edge-router: spending, {since} to {until}</title>\n<style>\n{STYLE}</style></head>\n\
         <body><main>\n<header><h1>Where the money went</h1>\
         <p class=\"soft\">{since} to {until}, as of {written}</p></header>\n"
    );
    tiles(&mut out, report);
    savings(&mut out, report);
    by_day(&mut out, report, &zone);
    for (group, title) in [
        (Group::Model, "By model"),
        (Group::Tier, "By tier"),
        (Group::Key, "By key"),
        (Group::Project, "By project"),
    ] {
        by_group(&mut out, report, group, title);
    }
    dearest(&mut out, report, &zone);
    if let Some(quality) = &report.quality {
        curve(&mut out, quality);
    }
    footer(&mut out, report);
    out + "</main></body></html>\n"
}

/// For text and for attributes in quotes.
pub(super) fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            c if c.is_control() => out.push(' '),
            c => out.push(c),
        }
    }
    out
}

fn tiles(out: &mut String, report: &Report) {
    let (total, savings) = (&report.total, &report.savings);
    out.push_str("<dl class=\"tiles\">\n");
    let mut tile = |name: &str, class: &str, value: &str, note: &str| {
        let _ = writeln!(
            out,
            "<div class=\"tile\"><dt>{name}</dt><dd class=\"{class}\">{value}</dd><dd class=\"note\">{}</dd></div>",
            escaped(note)
        );
    };
    let note = format!(
        "prompt {} tokens, answers {}",
        short(total.tokens.prompt()),
        short(total.tokens.output)
    );
    tile("Spent", "", &money(total.cost_usd), &note);
    match (savings.saved_usd, savings.baseline_usd) {
        (Some(saved), Some(baseline)) => {
            let class = if saved > NanoUsd::ZERO { "good" } else { "" };
            let part = percent(ratio(saved, baseline));
            let note = format!("{part} of what {} would have cost", savings.baseline);
            tile("Saved by routing", class, &money(saved), &note);
        }
        _ => {
            let note = format!("the price of {} is not known", savings.baseline);
            tile("Saved by routing", "", "unknown", &note);
        }
    }
    let read = percent(report.caching.read_share);
    let note = format!("{read} of the prompt tokens came from providers' caches");
    tile("Saved by caches", "", &money(report.caching.saved_usd), &note);
    let failed = format!("{} failed, {} estimated", count(total.failed), count(total.estimated));
    tile("Requests", "", &count(total.requests), &failed);
    let local = &report.local;
    let note = format!("{} of {} answers", count(local.requests), count(local.answered));
    tile("Answered locally", "", &percent(local.share), &note);
    let loose = total.estimated_usd + total.unconfirmed_usd;
    let (estimated, unconfirmed) = (money(total.estimated_usd), money(total.unconfirmed_usd));
    let note = format!("{estimated} counted from text, {unconfirmed} unconfirmed");
    tile("Not certain", "", &money(loose), &note);
    out.push_str("</dl>\n");
}

fn savings(out: &mut String, report: &Report) {
    let savings = &report.savings;
    let Some(baseline) = savings.baseline_usd.filter(|baseline| !baseline.is_zero()) else {
        return;
    };
    let _ = writeln!(
        out,
        "<section><h2>What routing saved</h2><p class=\"lead\">Assumed: {}.</p>{}</section>",
        escaped(savings.assumes),
        charts::savings(savings.paid_usd, baseline, &savings.baseline)
    );
}

fn by_day(out: &mut String, report: &Report, zone: &TimeZone) {
    let rows = group_rows(report, Group::Day);
    let days = every_day(report, rows, zone);
    if days.is_empty() {
        return;
    }
    let lead = match report.limits.daily_usd {
        Some(limit) => format!("The limit is {} a day.", money(limit)),
        None => "No daily limit is set.".to_owned(),
    };
    let _ = write!(
        out,
        "<section><h2>By day</h2><p class=\"lead\">{lead} Days begin at midnight in {}.</p>{}",
        escaped(&report.timezone),
        charts::days(&days, report.limits.daily_usd)
    );
    out.push_str("<details><summary>The figures as a table</summary>");
    table(out, Group::Day, rows);
    out.push_str("</details></section>\n");
}

/// Every day from the first with a row to the last of the report, also those without requests.
fn every_day(report: &Report, rows: &[Row], zone: &TimeZone) -> Vec<Day> {
    let named: HashMap<&str, &Row> =
        rows.iter().filter_map(|row| Some((row.name.as_deref()?, row))).collect();
    let first = rows.iter().filter_map(|row| row.name.as_deref()?.parse::<Date>().ok()).min();
    let last = report.until.to_zoned(zone.clone()).date();
    let Some(first) = first else { return Vec::new() };
    let days = first.series(1.day()).take_while(|day| *day <= last);
    days.map(|day| {
        let name = day.to_string();
        let row = named.get(name.as_str());
        let spent = row.map_or(NanoUsd::ZERO, |row| row.sums.cost_usd);
        Day { spent, requests: row.map_or(0, |row| row.sums.requests), name }
    })
    .collect()
}

fn by_group(out: &mut String, report: &Report, group: Group, title: &str) {
    let rows = group_rows(report, group);
    let several = rows.len() > 1 || rows.iter().any(|row| row.name.is_some());
    if rows.is_empty() || !several {
        return;
    }
    let _ = write!(out, "<section><h2>{title}</h2>");
    if group == Group::Tier {
        by_tier(out, rows);
    } else if rows.iter().any(|row| !row.sums.cost_usd.is_zero()) {
        let shown = rows.len().min(MOST_BARS);
        if rows.len() > shown {
            let all = rows.len();
            let _ = write!(out, "<p class=\"lead\">The {shown} that cost most, of {all}.</p>");
        }
        out.push_str(&charts::costs(rows, nobody(group), MOST_BARS));
    }
    table(out, group, rows);
    out.push_str("</section>\n");
}

fn by_tier(out: &mut String, rows: &[Row]) {
    let requests = |name: Option<&str>| {
        rows.iter().find(|row| row.name.as_deref() == name).map_or(0, |row| row.sums.requests)
    };
    let classes = ["t0", "t1", "t2", "t3", "t4"];
    let mut parts: Vec<(&'static str, &str, u64)> = Tier::ALL
        .into_iter()
        .zip(classes)
        .map(|(tier, class)| (class, tier.as_str(), requests(Some(tier.as_str()))))
        .collect();
    parts.push(("tn", "no tier", requests(None)));
    parts.retain(|(_, _, requests)| *requests > 0);
    if parts.is_empty() {
        return;
    }
    let all: u64 = parts.iter().map(|(_, _, requests)| requests).sum();
    out.push_str("<p class=\"lead\">Share of the requests, from easy to hard work.</p>");
    out.push_str(&charts::tiers(&parts));
    out.push_str("<ul class=\"legend\">");
    for (class, name, requests) in parts {
        let part = percent(share(requests, all));
        let _ = write!(out, "<li><i class=\"{class}\"></i>{name} <b>{part}</b></li>");
    }
    out.push_str("</ul>");
}

fn group_rows(report: &Report, group: Group) -> &[Row] {
    report.rows.get(&group).map_or(&[], Vec::as_slice)
}

fn table(out: &mut String, group: Group, rows: &[Row]) {
    let known = rows.iter().any(|row| row.baseline_usd.is_some());
    let largest = rows.iter().map(|row| row.sums.cost_usd).max().unwrap_or_default();
    let dearest = rows.iter().filter_map(|row| row.baseline_usd).max().unwrap_or_default();
    let (cost, baseline) = (Decimals::for_up_to(largest), Decimals::for_up_to(dearest));
    let _ = write!(
        out,
        "<div class=\"wide\"><table><thead><tr><th scope=\"col\">{group}</th><th scope=\"col\">requests</th>\
         <th scope=\"col\">failed</th><th scope=\"col\">prompt tokens</th><th scope=\"col\">from cache</th>\
         <th scope=\"col\">answer tokens</th><th scope=\"col\">cost</th>"
    );
    if known {
        out.push_str("<th scope=\"col\">at the baseline</th>");
    }
    out.push_str("</tr></thead><tbody>\n");
    for row in rows.iter().take(MOST_ROWS) {
        let sums = &row.sums;
        let _ = write!(
            out,
            "<tr><th scope=\"row\">{}</th><td>{}</td><td>{}</td><td>{}</td><td>{}</td><td>{}</td><td>{}</td>",
            escaped(row.name.as_deref().unwrap_or(nobody(group))),
            count(sums.requests),
            count(sums.failed),
            count(sums.tokens.prompt()),
            percent(share(sums.tokens.cache_read, sums.tokens.prompt())),
            count(sums.tokens.output),
            cost.usd(sums.cost_usd),
        );
        if known {
            let usd = row.baseline_usd.map_or_else(String::new, |usd| baseline.usd(usd));
            let _ = write!(out, "<td>{usd}</td>");
        }
        out.push_str("</tr>\n");
    }
    out.push_str("</tbody></table></div>");
    if rows.len() > MOST_ROWS {
        let more = rows.len() - MOST_ROWS;
        let _ = write!(out, "<p class=\"soft\">And {more} more; --json has them all.</p>");
    }
}

fn dearest(out: &mut String, report: &Report, zone: &TimeZone) {
    if report.dearest.is_empty() {
        return;
    }
    let largest = report.dearest.first().map_or(NanoUsd::ZERO, |dear| dear.cost_usd);
    let decimals = Decimals::for_up_to(largest);
    out.push_str(
        "<section><h2>Dearest requests</h2><p class=\"lead\"><code>edge-router requests ID</code> explains one.</p>\
         <div class=\"wide\"><table><thead><tr><th scope=\"col\">time</th><th scope=\"col\" class=\"text\">model</th>\
         <th scope=\"col\" class=\"text\">tier</th><th scope=\"col\">prompt tokens</th><th scope=\"col\">answer tokens</th>\
         <th scope=\"col\">cost</th><th scope=\"col\" class=\"text\">id</th></tr></thead><tbody>\n",
    );
    for dear in &report.dearest {
        let _ = writeln!(
            out,
            "<tr><th scope=\"row\">{}</th><td class=\"text\">{}</td><td class=\"text\">{}</td><td>{}</td><td>{}</td>\
             <td>{}{}</td><td class=\"text\"><code>{}</code></td></tr>",
            dear.at.to_zoned(zone.clone()).strftime("%Y-%m-%d %H:%M"),
            escaped(dear.model.as_deref().unwrap_or_default()),
            dear.tier.map_or("", Tier::as_str),
            count(dear.tokens.prompt()),
            count(dear.tokens.output),
            if dear.estimated { "about " } else { "" },
            decimals.usd(dear.cost_usd),
            escaped(short_id(&dear.id)),
        );
    }
    out.push_str("</tbody></table></div></section>\n");
}

fn curve(out: &mut String, quality: &Quality) {
    let own = &quality.at_configured;
    let unbroken = |share: f32| percent(f64::from(share)).replace(' ', "&nbsp;");
    let shares = [own.accuracy, own.too_weak, own.cost].map(unbroken);
    let [right, weak, price] = shares;
    let _ = writeln!(
        out,
        "<section><h2>Cost or quality</h2><p class=\"lead\">What each setting of <code>classifier.quality</code> comes to on \
         prompts with a known tier that the classifier was not trained on. Yours, {}: {right} of the verdicts right, {weak} \
         too weak, at {price} of the price of sending everything to the hardest tier&#39;s model. Prompts that people type \
         are harder to judge; the classifier&#39;s card says by how much.</p>{}\
         <details><summary>The figures as a table</summary><div class=\"wide\"><table><thead><tr><th scope=\"col\">quality</th>\
         <th scope=\"col\">right</th><th scope=\"col\">too weak</th><th scope=\"col\">two too weak</th>\
         <th scope=\"col\">price</th></tr></thead><tbody>",
        quality.configured,
        charts::quality(quality)
    );
    for point in &quality.curve {
        let _ = write!(out, "<tr><th scope=\"row\">{:.1}</th>", point.quality);
        for share in [point.accuracy, point.too_weak, point.two_too_weak, point.cost] {
            let _ = write!(out, "<td>{}</td>", percent(f64::from(share)));
        }
        out.push_str("</tr>\n");
    }
    out.push_str("</tbody></table></div></details></section>\n");
}

fn footer(out: &mut String, report: &Report) {
    let _ = write!(
        out,
        "<footer><p>Requests count when they started, money when it was reserved, as in the budget. \
         Estimated: the provider reported no usage, so tokens were counted from the text (requests: {}). \
         Unconfirmed: the router ended before the provider had said what a call cost, so its worst case \
         was charged (calls: {}).</p>",
        count(report.total.estimated),
        count(report.total.unconfirmed)
    );
    if !report.caching.unknown.is_empty() {
        let models = escaped(&report.caching.unknown.join(", "));
        let _ = write!(
            out,
            "<p>Savings by caches leave out models whose price is not known any more: {models}.</p>"
        );
    }
    out.push_str("</footer>\n");
}

#[cfg(test)]
mod tests;
