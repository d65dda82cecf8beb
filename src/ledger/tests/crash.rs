use std::process::{Command, Stdio};

use super::*;

/// A process of its own, as far as the ledger can tell: `end` takes it away without a farewell.
struct Process {
    runtime: tokio::runtime::Runtime,
    ledger: Ledger,
}

impl Process {
    fn start(place: &Place, settings: BudgetSettings) -> Self {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let ledger = runtime.block_on(place.open(settings));
        Self { runtime, ledger }
    }

    fn end(self, reservations: Vec<Reservation>) {
        // The writer goes first, so that nobody hears of the dropped reservations.
        drop(self.runtime);
        drop(reservations);
    }
}

#[test]
fn after_a_crash_what_was_held_is_free_and_what_was_sent_is_charged_in_full() {
    let place = Place::new();
    let process = Process::start(&place, daily(1000));
    let reservations = process.runtime.block_on(async {
        let held = process.ledger.reserve(ask(100)).await.unwrap();
        let mut sent = process.ledger.reserve(ask(200)).await.unwrap();
        sent.dispatched().await.unwrap();
        let mut done = process.ledger.reserve(ask(400)).await.unwrap();
        done.dispatched().await.unwrap();
        done.settle(record(50)).await.unwrap();
        let mut again = process.ledger.reserve(ask(30)).await.unwrap();
        again.dispatched().await.unwrap();
        vec![held, sent, again]
    });
    process.end(reservations);

    let next = Process::start(&place, daily(1000));
    next.runtime.block_on(async {
        assert_eq!(figures(&next.ledger).await, (50 + 200 + 30, 0));
        let loose = next.ledger.view().loose(Timestamp::UNIX_EPOCH).await.unwrap();
        assert_eq!((loose.open, loose.unconfirmed, loose.unconfirmed_amount), (0, 2, NanoUsd(230)));
        assert_totals_are_sums(&next.ledger).await;
    });
}

#[test]
fn what_a_key_had_open_ends_in_its_own_scope_too() {
    let place = Place::new();
    let own = key("ci", Some(500), None);
    let process = Process::start(&place, daily(1000));
    let reservations = process.runtime.block_on(async {
        let held = process.ledger.reserve(ask_as(&own, 100)).await.unwrap();
        let mut sent = process.ledger.reserve(ask_as(&own, 200)).await.unwrap();
        sent.dispatched().await.unwrap();
        vec![held, sent, process.ledger.reserve(ask(40)).await.unwrap()]
    });
    process.end(reservations);

    let next = Process::start(&place, daily(1000));
    next.runtime.block_on(async {
        assert_eq!(figures_of(&next.ledger, &own).await, (200, 0));
        assert_eq!(figures(&next.ledger).await, (200, 0));
        assert!(next.ledger.reserve(ask_as(&own, 301)).await.is_err());
        assert!(next.ledger.reserve(ask_as(&own, 300)).await.is_ok());
        assert_totals_are_sums(&next.ledger).await;
    });
}

#[test]
fn a_request_that_a_crash_interrupted_is_on_record_with_all_that_it_was_charged() {
    let place = Place::new();
    let process = Process::start(&place, daily(1000));
    let first = Ask { project: Some("shop".into()), ..ask(100) };
    let second =
        Ask { attempt: 1, model: "openai/other".into(), ceiling: NanoUsd(70), ..first.clone() };
    let reservations = process.runtime.block_on(async {
        let mut failed = process.ledger.reserve(first.clone()).await.unwrap();
        failed.dispatched().await.unwrap();
        failed.charge_unconfirmed(NanoUsd(30)).await.unwrap();
        place.clock.advance(Duration::from_secs(60));
        let mut running = process.ledger.reserve(second).await.unwrap();
        running.dispatched().await.unwrap();
        let held = process.ledger.reserve(ask(200)).await.unwrap();
        vec![running, held]
    });
    process.end(reservations);

    let next = Process::start(&place, daily(1000));
    next.runtime.block_on(async {
        let rows = next.ledger.requests(Timestamp::UNIX_EPOCH, 9).await.unwrap();
        let [row] = &rows[..] else { panic!("{rows:?}") };
        assert_eq!((row.id.as_str(), row.cost), (first.request.as_str(), NanoUsd(100)));
        assert_eq!((row.error.as_deref(), row.status), (Some("interrupted"), 0));
        assert_eq!(row.model.as_ref().unwrap().as_str(), "openai/other");
        assert_eq!((row.project.as_deref(), row.fallback_index), (Some("shop"), 1));
        assert!(row.estimated && row.reason.contains("in full"), "{row:?}");
        assert_eq!(figures(&next.ledger).await, (100, 0));
    });
}

#[test]
fn a_new_process_leaves_the_reservations_of_a_living_one_alone() {
    let place = Place::new();
    let old = Process::start(&place, daily(1000));
    let held = old.runtime.block_on(old.ledger.reserve(ask(300))).unwrap();
    let new = Process::start(&place, daily(1000));
    assert_eq!(new.runtime.block_on(figures(&new.ledger)), (0, 300));
    old.runtime.block_on(held.settle(record(20))).unwrap();
    assert_eq!(new.runtime.block_on(figures(&new.ledger)), (20, 0));
}

#[test]
fn without_the_dead_process_s_file_everything_counts_as_sent() {
    let place = Place::new();
    let process = Process::start(&place, daily(1000));
    let held = process.runtime.block_on(process.ledger.reserve(ask(300))).unwrap();
    process.end(vec![held]);
    std::fs::remove_dir_all(marks::directory(&place.path())).unwrap();
    let next = Process::start(&place, daily(1000));
    assert_eq!(next.runtime.block_on(figures(&next.ledger)), (300, 0));
}

#[test]
fn instances_leave_no_files_behind() {
    let place = Place::new();
    for _ in 0..3 {
        let process = Process::start(&place, daily(1000));
        process.end(vec![]);
    }
    let last = Process::start(&place, daily(1000));
    last.runtime.block_on(last.ledger.close());
    let files = std::fs::read_dir(marks::directory(&place.path())).unwrap();
    let names: Vec<_> = files.map(|file| file.unwrap().file_name()).collect();
    assert_eq!(names, ["opening.lock"]);
}

#[tokio::test]
async fn a_dropped_reservation_is_released_or_charged() {
    let place = Place::new();
    let ledger = place.open(daily(1000)).await;
    drop(ledger.reserve(ask(100)).await.unwrap());
    let mut sent = ledger.reserve(ask(200)).await.unwrap();
    sent.dispatched().await.unwrap();
    drop(sent);
    flush(&ledger).await;
    assert_eq!(figures(&ledger).await, (200, 0));
}

const CHILD: &str = "EDGE_ROUTER_TEST_LEDGER";

/// The body of the process that the next test kills; alone it does nothing.
#[tokio::test]
async fn a_process_that_spends_until_it_is_killed() {
    let Some(dir) = std::env::var_os(CHILD).map(PathBuf::from) else { return };
    let clock = Arc::new(ManualClock::at("2026-11-21T12:00:00Z".parse().unwrap()));
    let path = dir.join("data/ledger.sqlite");
    let ledger = Ledger::open(&path, clock, daily(1_000_000_000)).await.unwrap();
    let _held = ledger.reserve(ask(1_000_000)).await.unwrap();
    let mut sent = ledger.reserve(ask(10_000_000)).await.unwrap();
    sent.dispatched().await.unwrap();
    std::fs::write(dir.join("ready"), "").unwrap();
    loop {
        let mut reservation = ledger.reserve(ask(3)).await.unwrap();
        reservation.dispatched().await.unwrap();
        reservation.settle(record(2)).await.unwrap();
    }
}

#[tokio::test]
async fn kill_minus_nine_loses_nothing_and_blocks_nothing() {
    let place = Place::new();
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "ledger::tests::crash::a_process_that_spends_until_it_is_killed"])
        .env(CHILD, place.dir.path())
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    while !place.dir.path().join("ready").exists() {
        assert!(child.try_wait().unwrap().is_none(), "the child failed");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    tokio::time::sleep(Duration::from_millis(150)).await;
    child.kill().unwrap();
    child.wait().unwrap();

    let ledger = place.open(daily(1_000_000_000)).await;
    let (spent, reserved) = figures(&ledger).await;
    assert_eq!(reserved, 0);
    let requests = ledger.requests(Timestamp::UNIX_EPOCH, 1_000_000).await.unwrap();
    let costs: i64 = requests.iter().map(|request| request.cost.0).sum();
    assert_eq!(costs, spent, "every charge has its request");
    let settled = requests.iter().filter(|request| request.error.is_none()).count();
    let settled = i64::try_from(settled).unwrap();
    let last = spent - 10_000_000 - 2 * settled;
    assert!(last == 0 || last == 3, "the one in flight is charged in full or not at all: {last}");
    assert_totals_are_sums(&ledger).await;
}
