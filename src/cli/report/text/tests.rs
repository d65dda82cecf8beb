use super::*;
use crate::report::tests::sample;

#[test]
fn the_report_says_where_the_money_went() {
    insta::assert_snapshot!(lines(&sample(), None, 100).join("\n"));
}

#[test]
fn one_table_can_be_asked_for() {
    let text = lines(&sample(), Some(Group::Key), 100).join("\n");
    assert!(text.contains("KEY") && !text.contains("MODEL") && !text.contains("DEAREST"), "{text}");
}

#[test]
fn lines_fit_the_screen() {
    for width in [70, 100] {
        for line in lines(&sample(), Some(Group::Project), width) {
            assert!(line.chars().count() <= width, "{width}: {line}");
        }
    }
}

#[test]
fn a_baseline_whose_price_is_not_known_is_said() {
    let mut report = sample();
    (report.savings.baseline_usd, report.savings.saved_usd) = (None, None);
    for row in report.rows.values_mut().flatten() {
        row.baseline_usd = None;
    }
    let text = lines(&report, None, 100).join("\n");
    assert!(text.contains("the price of a/dear is not known; set report.baseline"), "{text}");
    assert!(!text.contains("BASELINE"), "{text}");
}
