//! Random histories against a model that is nothing but a list.

use proptest::prelude::*;

use super::*;
use crate::ledger::window::{current, micros};

const DAILY: i64 = 1000;
const MONTHLY: i64 = 2500;
const ZONES: [&str; 3] = ["UTC", "Europe/Berlin", "Pacific/Auckland"];

/// Who spends: a caller without a key, and keys with both limits, with one, and with none.
fn keys() -> [Option<Arc<KeyBudget>>; 4] {
    [
        None,
        Some(key("both", Some(500), Some(1100))),
        Some(key("month", None, Some(900))),
        Some(key("free", None, None)),
    ]
}

#[derive(Clone, Debug)]
enum Step {
    /// By whom, how much.
    Reserve(usize, i64),
    Dispatch(usize),
    Settle(usize, i64),
    Release(usize),
    Drop(usize),
    Record,
    Advance(u64),
    SetBack(u64),
    Zone(usize),
    Restart,
    Crash,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        8 => (0_usize..4, 0_i64..600).prop_map(|(who, ceiling)| Step::Reserve(who, ceiling)),
        3 => (0_usize..8).prop_map(Step::Dispatch),
        3 => (0_usize..8, 0_i64..=100).prop_map(|(index, percent)| Step::Settle(index, percent)),
        1 => (0_usize..8).prop_map(Step::Release),
        1 => (0_usize..8).prop_map(Step::Drop),
        1 => Just(Step::Record),
        2 => (1_u64..40).prop_map(Step::Advance),
        1 => (1_u64..30).prop_map(Step::SetBack),
        1 => (0_usize..ZONES.len()).prop_map(Step::Zone),
        1 => Just(Step::Restart),
        1 => Just(Step::Crash),
    ]
}

/// One reservation as the model knows it: whose, when, how much, what of it is spent.
#[derive(Clone, Copy, Debug)]
struct Line {
    who: usize,
    at: i64,
    open: i64,
    spent: i64,
}

struct World {
    place: Place,
    settings: BudgetSettings,
    runtime: tokio::runtime::Runtime,
    ledger: Ledger,
    open: Vec<(Reservation, usize, bool)>,
    lines: Vec<Line>,
    records: usize,
    keys: [Option<Arc<KeyBudget>>; 4],
    /// Another time zone makes other days of what was spent: a limit may have been passed by it.
    redrawn: bool,
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap()
}

impl World {
    fn new(zone: &str) -> Self {
        let place = Place::at("2026-03-28T05:00:00Z");
        let settings = BudgetSettings {
            monthly: Some(NanoUsd(MONTHLY)),
            timezone: TimeZone::get(zone).unwrap(),
            ..daily(DAILY)
        };
        let runtime = runtime();
        let ledger = runtime.block_on(place.open(settings.clone()));
        let (open, lines, records, keys) = (vec![], vec![], 0, keys());
        let redrawn = false;
        Self { place, settings, runtime, ledger, open, lines, records, keys, redrawn }
    }

    /// What day and month hold: of `who`, or of everybody.
    fn expected(&self, who: Option<usize>) -> [(i64, i64); 2] {
        current(self.place.clock.now(), &self.settings.timezone).map(|window| {
            let lines = self
                .lines
                .iter()
                .filter(|line| window.contains(line.at) && who.is_none_or(|who| who == line.who));
            lines.fold((0, 0), |(spent, open), line| (spent + line.spent, open + line.open))
        })
    }

    fn pick(&mut self, index: usize) -> Option<(Reservation, usize, bool)> {
        (!self.open.is_empty()).then(|| self.open.swap_remove(index % self.open.len()))
    }

    fn take(&mut self, step: &Step) {
        match *step {
            Step::Reserve(who, ceiling) => self.reserve(who, ceiling),
            Step::Dispatch(index) => {
                if let Some((mut reservation, line, _)) = self.pick(index) {
                    self.runtime.block_on(reservation.dispatched()).unwrap();
                    self.open.push((reservation, line, true));
                }
            }
            Step::Settle(index, percent) => {
                if let Some((reservation, line, _)) = self.pick(index) {
                    let cost = reservation.ceiling().0 * percent / 100;
                    self.runtime.block_on(reservation.settle(record(cost))).unwrap();
                    self.close(line, cost);
                    self.records += 1;
                }
            }
            Step::Release(index) => {
                if let Some((reservation, line, _)) = self.pick(index) {
                    self.runtime.block_on(reservation.release());
                    self.close(line, 0);
                }
            }
            Step::Drop(index) => {
                if let Some((reservation, line, sent)) = self.pick(index) {
                    drop(reservation);
                    self.close_unasked(line, sent);
                }
            }
            Step::Record => {
                self.runtime.block_on(self.ledger.record(record(0)));
                self.records += 1;
            }
            Step::Advance(hours) => self.place.clock.advance(Duration::from_hours(hours)),
            Step::SetBack(hours) => self.place.clock.set_back(Duration::from_hours(hours)),
            Step::Zone(index) => {
                self.settings.timezone = TimeZone::get(ZONES[index]).unwrap();
                self.ledger.set_settings(self.settings.clone());
                self.redrawn = true;
            }
            Step::Restart => {
                for (reservation, line, sent) in std::mem::take(&mut self.open) {
                    drop(reservation);
                    self.close_unasked(line, sent);
                }
                self.runtime.block_on(self.ledger.close());
                self.ledger = self.runtime.block_on(self.place.open(self.settings.clone()));
            }
            Step::Crash => self.crash(),
        }
    }

    fn reserve(&mut self, who: usize, ceiling: i64) {
        let own = self.keys[who].clone();
        let fits = |who: Option<usize>, limits: [Option<i64>; 2]| {
            self.expected(who).iter().zip(limits).all(|((spent, open), limit)| {
                limit.is_none_or(|limit| spent + open + ceiling <= limit)
            })
        };
        let own_limits = own.as_ref().map_or([None, None], |own| {
            [own.daily, own.monthly].map(|limit| limit.map(|limit| limit.0))
        });
        let fits = fits(None, [Some(DAILY), Some(MONTHLY)]) && fits(Some(who), own_limits);
        let ask = own.map_or_else(|| ask(ceiling), |own| ask_as(&own, ceiling));
        let result = self.runtime.block_on(self.ledger.reserve(ask));
        assert_eq!(result.is_ok(), fits, "{result:?} against {:?}", self.expected(None));
        if let Ok(reservation) = result {
            let at = micros(self.place.clock.now());
            self.lines.push(Line { who, at, open: ceiling, spent: 0 });
            self.open.push((reservation, self.lines.len() - 1, false));
        }
    }

    fn crash(&mut self) {
        self.runtime.block_on(flush(&self.ledger));
        drop(std::mem::replace(&mut self.runtime, runtime()));
        for (reservation, line, sent) in std::mem::take(&mut self.open) {
            drop(reservation);
            self.close_unasked(line, sent);
            // Recovery writes the record that is missing.
            self.records += usize::from(sent);
        }
        // The lock is free only when the last handle is gone, as it is when a process dies.
        let elsewhere = Place::new();
        let stand_in = self.runtime.block_on(elsewhere.open(no_limits()));
        drop(std::mem::replace(&mut self.ledger, stand_in));
        self.ledger = self.runtime.block_on(self.place.open(self.settings.clone()));
    }

    fn close(&mut self, line: usize, cost: i64) {
        self.lines[line] = Line { open: 0, spent: cost, ..self.lines[line] };
    }

    fn close_unasked(&mut self, line: usize, sent: bool) {
        let cost = if sent { self.lines[line].open } else { 0 };
        self.close(line, cost);
    }

    fn check(&self) {
        self.runtime.block_on(async {
            flush(&self.ledger).await;
            let headroom = self.ledger.headroom().await.unwrap();
            self.compare([&headroom.daily, &headroom.monthly], None);
            assert_eq!(*self.ledger.recent_headroom(), headroom);
            for (who, own) in self.keys.iter().enumerate() {
                let Some(own) = own else { continue };
                let recent = self.ledger.recent_headroom_of(Some(own)).await.unwrap();
                let read = self.ledger.key_headroom(own).await.unwrap();
                self.compare([&read.daily, &read.monthly], Some(who));
                assert_eq!(recent.key.as_ref(), Some(&read));
            }
            assert_totals_are_sums(&self.ledger).await;
        });
    }

    fn compare(&self, windows: [&Window; 2], who: Option<usize>) {
        for (window, (spent, open)) in windows.into_iter().zip(self.expected(who)) {
            assert_eq!((window.spent.0, window.reserved.0), (spent, open), "{who:?}");
            let held = window.spent + window.reserved;
            assert!(self.redrawn || window.limit.is_none_or(|limit| held <= limit));
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 32, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_history_passes_a_limit_or_loses_a_line(
        steps in prop::collection::vec(step(), 1..40),
        zone in prop::sample::select(ZONES.to_vec()),
    ) {
        let mut world = World::new(zone);
        for step in steps {
            world.take(&step);
            world.check();
        }
        let requests = world.runtime.block_on(world.ledger.requests(Timestamp::UNIX_EPOCH, 1000)).unwrap();
        prop_assert_eq!(requests.len(), world.records);
    }
}
