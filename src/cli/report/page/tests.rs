use super::*;
use crate::report::tests::sample;

#[test]
fn the_page_is_whole_and_fetches_nothing() {
    let page = page(&sample());
    for absent in ["http://", "https://", "<script", "<link", "<img", "@import", "url(", "src="] {
        assert!(!page.contains(absent), "{absent}");
    }
    for (open, close) in [
        ("<section", "</section>"),
        ("<svg", "</svg>"),
        ("<table", "</table>"),
        ("<details", "</details>"),
        ("<tr", "</tr>"),
        ("<td", "</td>"),
        ("<dl", "</dl>"),
    ] {
        assert_eq!(page.matches(open).count(), page.matches(close).count(), "{open}");
    }
    for number in ["NaN", "inf\"", "\"-"] {
        assert!(!page.contains(number), "{number}");
    }
}

#[test]
fn names_of_others_cannot_become_markup() {
    let page = page(&sample());
    assert!(page.contains("&lt;shop&gt; &amp; &quot;co&quot;"));
    assert!(!page.contains("<shop>"));
}

#[test]
fn every_picture_is_named_and_has_its_figures_as_a_table() {
    let page = page(&sample());
    assert_eq!(page.matches("<svg").count(), page.matches("role=\"img\" aria-label=\"").count());
    assert!(page.matches("<table").count() >= 6);
    assert!(page.contains("<html lang=\"en\">") && page.contains("scope=\"row\""));
}

#[test]
fn days_without_requests_have_their_place() {
    let report = sample();
    let days = every_day(&report, group_rows(&report, Group::Day), &TimeZone::UTC);
    let names: Vec<&str> = days.iter().map(|day| day.name.as_str()).collect();
    assert_eq!(names, ["2026-11-19", "2026-11-20", "2026-11-21", "2026-11-22"]);
    assert_eq!((days[1].requests, days[1].spent), (0, NanoUsd::ZERO));
}

#[test]
fn an_empty_ledger_makes_a_page_too() {
    let mut report = sample();
    report.rows.clear();
    report.dearest.clear();
    report.quality = None;
    assert!(page(&report).ends_with("</main></body></html>\n"));
}
