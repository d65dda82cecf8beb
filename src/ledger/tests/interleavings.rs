//! Random histories against a model that is nothing but a list.

use proptest::prelude::*;

use super::*;
use crate::ledger::window::{current, micros};

const DAILY: i64 = 1000;
const MONTHLY: i64 = 2500;

#[derive(Clone, Debug)]
enum Step {
    Reserve(i64),
    Dispatch(usize),
    Settle(usize, i64),
    Release(usize),
    Drop(usize),
    Record,
    Advance(u64),
    Restart,
    Crash,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        6 => (0_i64..600).prop_map(Step::Reserve),
        3 => (0_usize..8).prop_map(Step::Dispatch),
        3 => (0_usize..8, 0_i64..=100).prop_map(|(index, percent)| Step::Settle(index, percent)),
        1 => (0_usize..8).prop_map(Step::Release),
        1 => (0_usize..8).prop_map(Step::Drop),
        1 => Just(Step::Record),
        2 => (1_u64..40).prop_map(Step::Advance),
        1 => Just(Step::Restart),
        1 => Just(Step::Crash),
    ]
}

/// One reservation as the model knows it: when, how much, what of it is spent.
#[derive(Clone, Copy, Debug)]
struct Line {
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
        Self { place, settings, runtime, ledger, open: vec![], lines: vec![], records: 0 }
    }

    fn expected(&self) -> [(i64, i64); 2] {
        current(self.place.clock.now(), &self.settings.timezone).map(|window| {
            let lines = self
                .lines
                .iter()
                .filter(|line| (window.starts_at..window.ends_at).contains(&line.at));
            lines.fold((0, 0), |(spent, open), line| (spent + line.spent, open + line.open))
        })
    }

    fn pick(&mut self, index: usize) -> Option<(Reservation, usize, bool)> {
        (!self.open.is_empty()).then(|| self.open.swap_remove(index % self.open.len()))
    }

    fn take(&mut self, step: &Step) {
        match *step {
            Step::Reserve(ceiling) => self.reserve(ceiling),
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

    fn reserve(&mut self, ceiling: i64) {
        let fits = self
            .expected()
            .iter()
            .zip([DAILY, MONTHLY])
            .all(|((spent, open), limit)| spent + open + ceiling <= limit);
        let result = self.runtime.block_on(self.ledger.reserve(ask(ceiling)));
        assert_eq!(result.is_ok(), fits, "{result:?} against {:?}", self.expected());
        if let Ok(reservation) = result {
            self.lines.push(Line { at: micros(self.place.clock.now()), open: ceiling, spent: 0 });
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
            for (window, (spent, open)) in
                [&headroom.daily, &headroom.monthly].into_iter().zip(self.expected())
            {
                assert!(window.spent + window.reserved <= window.limit.unwrap());
                assert_eq!((window.spent.0, window.reserved.0), (spent, open));
            }
            assert_eq!(*self.ledger.recent_headroom(), headroom);
            assert_totals_are_sums(&self.ledger).await;
        });
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_history_passes_a_limit_or_loses_a_line(
        steps in prop::collection::vec(step(), 1..40),
        zone in prop::sample::select(vec!["UTC", "Europe/Berlin", "Pacific/Auckland"]),
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
