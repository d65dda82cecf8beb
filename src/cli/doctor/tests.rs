use jiff::{SignedDuration, Timestamp};

use super::*;

fn november() -> Timestamp {
    "2026-11-21T10:00:00Z".parse().unwrap()
}

#[test]
fn a_clock_that_was_never_set_is_a_failure_and_a_shifted_one_a_warning() {
    assert_eq!(local::clock(Timestamp::UNIX_EPOCH, None).verdict, Verdict::Fail);
    assert_eq!(local::clock(november(), None).verdict, Verdict::Ok);
    let shifted = local::clock(november(), Some(SignedDuration::from_secs(-600)));
    assert_eq!(shifted.verdict, Verdict::Warn);
    assert!(shifted.message.contains("600 s behind"), "{}", shifted.message);
    let small = local::clock(november(), Some(SignedDuration::from_secs(3)));
    assert_eq!(small.verdict, Verdict::Ok);
}

#[test]
fn a_data_directory_is_writable_or_can_be_made() {
    let dir = tempfile::tempdir().unwrap();
    assert_eq!(local::data_dir(dir.path()).verdict, Verdict::Ok);
    let later = dir.path().join("some/where");
    assert!(local::data_dir(&later).message.contains("will be made"));
    assert!(!later.exists());
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0);
    let file = dir.path().join("file");
    std::fs::write(&file, "").unwrap();
    let inside = local::data_dir(&file.join("data"));
    assert_eq!(inside.verdict, Verdict::Fail);
    assert!(inside.advice.unwrap().contains("server.data_dir"));
}

#[cfg(unix)]
#[test]
fn free_space_is_found_for_a_directory_that_does_not_exist_yet() {
    let dir = tempfile::tempdir().unwrap();
    let finding = local::disk(&dir.path().join("later")).unwrap();
    assert!(finding.message.contains("MB free"));
}

#[test]
fn a_finding_is_json_with_its_verdict_in_small_letters() {
    let json = serde_json::to_value(Finding::fail("disk", "full", "free some space")).unwrap();
    assert_eq!(
        json,
        serde_json::json!({"check": "disk", "verdict": "fail", "message": "full", "advice": "free some space"})
    );
}
