use proptest::prelude::*;

use super::*;
use crate::config::{Environment, load_text};
use crate::money::PerMTok;

fn sure(tier: Tier) -> Scores {
    let mut scores = [0.0; 5];
    scores[tier.index()] = 1.0;
    scores
}

fn labelled() -> impl Strategy<Value = Vec<(Scores, Tier)>> {
    let one = (prop::array::uniform5(0.001f32..1.0), prop::sample::select(Tier::ALL.to_vec()));
    prop::collection::vec(one, 1..40)
}

#[test]
fn sure_and_right_verdicts_are_right_at_every_quality() {
    let labelled = Tier::ALL.map(|tier| (sure(tier), tier));
    let points = points(&labelled, &LossMatrix::default());
    assert_eq!(points.len(), 11);
    assert_eq!((points[0].quality, points[5].quality, points[10].quality), (0.0, 0.5, 1.0));
    for point in points {
        assert_eq!((point.accuracy, point.too_weak, point.two_too_weak), (1.0, 0.0, 0.0));
        assert!((point.cost - 0.354).abs() < 0.001, "{point:?}");
    }
}

#[test]
fn sure_and_wrong_verdicts_count_by_how_far_they_are_off() {
    let labelled = [
        (sure(Tier::Trivial), Tier::Operational),
        (sure(Tier::Trivial), Tier::Deep),
        (sure(Tier::Deep), Tier::Trivial),
        (sure(Tier::Deep), Tier::Deep),
    ];
    let point = points(&labelled, &LossMatrix::default())[5];
    assert_eq!((point.accuracy, point.too_weak, point.two_too_weak), (0.25, 0.5, 0.25));
}

#[test]
fn nothing_labelled_is_no_curve_and_still_a_picture() {
    let none = points(&[], &LossMatrix::default());
    assert!(none.is_empty());
    assert_eq!(table(&none).lines().count(), 2);
    assert!(svg(&none).ends_with("</svg>\n"));
}

proptest! {
    #[test]
    fn quality_costs_more_and_is_too_weak_less_often(labelled in labelled()) {
        for pair in points(&labelled, &LossMatrix::default()).windows(2) {
            prop_assert!(pair[1].too_weak <= pair[0].too_weak);
            prop_assert!(pair[1].two_too_weak <= pair[0].two_too_weak);
            prop_assert!(pair[1].cost >= pair[0].cost - 1e-5);
        }
    }
}

#[test]
fn the_table_has_a_line_for_each_setting() {
    let labelled = [(sure(Tier::Deep), Tier::Deep)];
    let table = table(&points(&labelled, &LossMatrix::default()));
    assert_eq!(table.lines().count(), 13);
    assert_eq!(table.lines().nth(7).unwrap(), "| 0.5 | 1.000 | 0.000 | 0.000 | 1.000 |");
}

#[test]
fn the_picture_shows_four_lines_inside_its_frame() {
    let odd =
        Point { quality: 1.0, accuracy: f32::NAN, too_weak: 9.0, two_too_weak: -1.0, cost: 1.0 };
    let picture = svg(&[Point { quality: 0.0, ..odd }, odd]);
    assert_eq!(picture.matches("<polyline").count(), 4);
    for line in picture.split("points=\"").skip(1).filter_map(|tail| tail.split('"').next()) {
        for pair in line.split(' ') {
            let (x, y) = pair.split_once(',').unwrap();
            let (x, y): (f32, f32) = (x.parse().unwrap(), y.parse().unwrap());
            assert!((0.0..=570.0).contains(&x) && (0.0..=320.0).contains(&y), "{line}");
        }
    }
    assert!(!picture.contains("NaN") && !picture.contains("<script"));
}

#[test]
fn the_prices_are_those_of_the_catalogue() {
    let config = load_text("", &Environment::default()).unwrap();
    let per_mtok = |cents: u16| PerMTok(i64::from(cents) * 10_000_000);
    for (tier, (id, prompt, answer)) in Tier::ALL.into_iter().zip(TYPICAL) {
        let model = config.catalog.get(id).unwrap_or_else(|| panic!("no {id}"));
        let rates = model.price.as_ref().unwrap().base;
        assert_eq!((rates.input, rates.output), (per_mtok(prompt), per_mtok(answer)), "{id}");
        assert!(model.active && model.max_tier >= tier, "{id}");
    }
}

#[test]
fn the_table_is_read_back_from_the_text_around_it() {
    let labelled = Tier::ALL.map(|tier| (sure(tier), tier));
    let points = points(&labelled, &LossMatrix::default());
    let text = format!("# Card\n\n| a | b |\n|---|---|\n\n{}\nMore.\n", table(&points));
    for (read, point) in read_table(&text).iter().zip(&points) {
        assert!((read.cost - point.cost).abs() < 0.001 && read.quality == point.quality);
    }
    assert_eq!(read_table(&text).len(), points.len());
    assert_eq!(read_table("no table"), vec![]);
}

#[test]
fn the_card_of_the_built_in_model_has_a_curve() {
    let points = read_table(include_str!("../../../models/tier-classifier/card.md"));
    assert_eq!(points.len(), 11);
    assert!(points.windows(2).all(|two| two[0].quality < two[1].quality));
    assert!(points[0].cost < points[10].cost && points[0].too_weak > points[10].too_weak);
}
