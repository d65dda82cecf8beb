//! The curve as a picture: a small SVG without scripts, fonts or anything to fetch.

use std::fmt::Write;

use super::Point;

/// The plot's area in the picture, in pixels: its left upper corner and its size.
const AREA: [f32; 4] = [48.0, 34.0, 500.0, 240.0];
/// Name, colour and value of each line.
type Line = (&'static str, &'static str, fn(&Point) -> f32);
const LINES: [Line; 4] = [
    ("accuracy", "#1b6e3c", |point| point.accuracy),
    ("too weak", "#c4501b", |point| point.too_weak),
    ("two too weak", "#8a1538", |point| point.two_too_weak),
    ("relative cost", "#2457a6", |point| point.cost),
];

/// Four lines over `quality`: accuracy, too weak, two too weak, relative cost.
pub fn svg(points: &[Point]) -> String {
    let [left, top, width, height] = AREA;
    let (right, bottom) = (left + width, top + height);
    let mut out = String::from(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 570 320\" \
         font-family=\"sans-serif\" font-size=\"12\">\n\
         <title>What the quality setting buys</title>\n\
         <rect width=\"570\" height=\"320\" fill=\"#fff\"/>\n",
    );
    for step in 0..=5_u8 {
        let share = f32::from(step) / 5.0;
        let (x, y) = place(share, share);
        let _ = writeln!(
            out,
            "<path d=\"M{left} {y:.1}H{right}\" stroke=\"#ddd\"/>\
             <text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"end\">{share:.1}</text>\
             <text x=\"{x:.1}\" y=\"{:.1}\" text-anchor=\"middle\">{share:.1}</text>",
            left - 6.0,
            y + 4.0,
            bottom + 16.0
        );
    }
    let _ = writeln!(
        out,
        "<text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"middle\">quality</text>",
        left + width / 2.0,
        bottom + 34.0
    );
    let mut x = left;
    for (name, colour, value) in LINES {
        let line: Vec<String> =
            points.iter().map(|point| pair(point.quality, value(point))).collect();
        let _ = writeln!(
            out,
            "<polyline points=\"{}\" fill=\"none\" stroke=\"{colour}\" stroke-width=\"2\"/>\
             <text x=\"{x:.1}\" y=\"20\" fill=\"{colour}\">{name}</text>",
            line.join(" ")
        );
        x += 125.0;
    }
    out + "</svg>\n"
}

fn pair(quality: f32, value: f32) -> String {
    let (x, y) = place(quality, value);
    format!("{x:.1},{y:.1}")
}

/// Where a value stands in the picture; what is outside of 0..1 stands at the edge.
fn place(quality: f32, value: f32) -> (f32, f32) {
    let [left, top, width, height] = AREA;
    let share = |value: f32| if value.is_nan() { 0.0 } else { value.clamp(0.0, 1.0) };
    (left + width * share(quality), top + height * (1.0 - share(value)))
}
