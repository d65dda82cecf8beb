//! Prices that follow the hour of the day.

use jiff::civil::{Date, DateTime, Weekday};
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan};

use super::Rates;

/// Cheaper hours of the day (DeepSeek). Outside every peak window `rates` apply.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OffPeak {
    /// UTC minutes of the day, begin inclusive, end exclusive.
    pub peak_minutes: Vec<(u16, u16)>,
    /// Days (UTC) that have peak windows at all; empty: every day.
    pub peak_days: Vec<Weekday>,
    /// Dates (UTC) without peak windows, such as public holidays.
    pub excepted_days: Vec<Date>,
    pub rates: Rates,
}

impl OffPeak {
    /// Whether the dear hours are on.
    pub fn is_peak(&self, now: Timestamp) -> bool {
        let civil = now.to_zoned(TimeZone::UTC).datetime();
        let minute =
            u16::from(civil.hour().unsigned_abs()) * 60 + u16::from(civil.minute().unsigned_abs());
        self.has_peaks(civil.date())
            && self.peak_minutes.iter().any(|(from, to)| (*from..*to).contains(&minute))
    }

    fn has_peaks(&self, day: Date) -> bool {
        (self.peak_days.is_empty() || self.peak_days.contains(&day.weekday()))
            && !self.excepted_days.contains(&day)
    }

    /// When dear hours begin or end next, within the coming two weeks.
    pub fn next_turn(&self, now: Timestamp) -> Option<Timestamp> {
        let peak = self.is_peak(now);
        let today = now.to_zoned(TimeZone::UTC).date();
        let mut edges: Vec<Timestamp> = (0..15_i64)
            .filter_map(|days| today.checked_add(days.days()).ok())
            .flat_map(|day| {
                self.peak_minutes
                    .iter()
                    .flat_map(move |(from, to)| [moment(day, *from), moment(day, *to)])
            })
            .flatten()
            .filter(|edge| *edge > now)
            .collect();
        edges.sort_unstable();
        edges.into_iter().find(|edge| self.is_peak(*edge) != peak)
    }
}

fn moment(day: Date, minute: u16) -> Option<Timestamp> {
    let midnight = DateTime::from_parts(day, jiff::civil::Time::midnight());
    let time = midnight.checked_add(i64::from(minute).minutes()).ok()?;
    time.to_zoned(TimeZone::UTC).ok().map(|zoned| zoned.timestamp())
}
