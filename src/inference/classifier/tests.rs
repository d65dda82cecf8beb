use std::sync::mpsc::{Receiver, Sender, channel};

use parking_lot::Mutex;

use super::*;
use crate::analyze::LossMatrix;

const SURE: Scores = [0.1, 0.6, 0.1, 0.1, 0.1];

/// Judges one text per permit; says which text it has begun.
struct Gate {
    begun: Mutex<Sender<String>>,
    permits: Mutex<Receiver<()>>,
}

impl Judge for Gate {
    fn judge(&self, text: &str) -> Result<Scores, InferenceError> {
        self.begun.lock().send(text.to_owned()).unwrap();
        let _ = self.permits.lock().recv();
        assert!(text != "poison", "poisoned");
        Ok(SURE)
    }
}

struct Bench {
    classifier: Classifier,
    begun: Receiver<String>,
    permits: Sender<()>,
    judge: std::sync::Weak<Gate>,
}

fn bench(queue: usize, deadline: Duration) -> Bench {
    let (begin, begun) = channel();
    let (permits, granted) = channel();
    let judge = Arc::new(Gate { begun: Mutex::new(begin), permits: Mutex::new(granted) });
    let weak = Arc::downgrade(&judge);
    let settings = ClassifierSettings { deadline, queue, threads: 1, loss: LossMatrix::default() };
    let judge: Arc<dyn Judge> = judge;
    let classifier = Classifier::with_judge(&judge, &settings);
    Bench { classifier, begun, permits, judge: weak }
}

const LONG: Duration = Duration::from_secs(60);

impl Bench {
    /// Starts judging a text in the background.
    fn ask(&self, text: &'static str) -> tokio::task::JoinHandle<Result<Scores, InferenceError>> {
        let classifier = self.classifier.clone();
        tokio::spawn(async move { classifier.classify(text).await })
    }

    fn permit(&self, texts: usize) {
        (0..texts).for_each(|_| self.permits.send(()).unwrap());
    }

    /// Waits until the model is busy with its next text.
    async fn busy(&self) -> String {
        loop {
            match self.begun.try_recv() {
                Ok(text) => return text,
                Err(_) => tokio::task::yield_now().await,
            }
        }
    }
}

#[tokio::test]
async fn a_text_is_judged_by_the_model() {
    let bench = bench(1, LONG);
    bench.permit(1);
    assert_eq!(bench.classifier.classify("hi").await.unwrap(), SURE);
}

#[tokio::test]
async fn a_text_that_was_judged_before_costs_no_work() {
    let bench = bench(1, LONG);
    bench.permit(1);
    bench.classifier.classify("same").await.unwrap();
    assert_eq!(bench.classifier.clone().classify("same").await.unwrap(), SURE);
    assert_eq!(bench.begun.try_iter().count(), 1);
}

#[tokio::test]
async fn a_full_queue_refuses_at_once() {
    let bench = bench(1, LONG);
    let first = bench.ask("first");
    bench.busy().await;
    let second = bench.ask("second");
    tokio::task::yield_now().await;
    let refused = bench.classifier.classify("third").await;
    assert!(matches!(refused, Err(InferenceError::Saturated)), "{refused:?}");
    bench.permit(2);
    assert_eq!(first.await.unwrap().unwrap(), SURE);
    assert_eq!(second.await.unwrap().unwrap(), SURE);
}

#[tokio::test(start_paused = true)]
async fn an_answer_after_the_deadline_is_an_error_now_and_a_cache_hit_later() {
    let bench = bench(1, Duration::from_millis(50));
    let asked = bench.ask("slow");
    assert_eq!(bench.busy().await, "slow");
    let late = asked.await.unwrap();
    assert!(matches!(late, Err(InferenceError::Deadline)), "{late:?}");
    bench.permit(1);
    let key = *blake3::hash(b"slow").as_bytes();
    while bench.classifier.inner.cache.get(&key).is_none() {
        tokio::task::yield_now().await;
    }
    assert_eq!(bench.classifier.classify("slow").await.unwrap(), SURE);
}

#[tokio::test]
async fn a_text_that_nobody_waits_for_is_not_judged() {
    let bench = bench(2, LONG);
    let first = bench.ask("first");
    bench.busy().await;
    let gone = bench.ask("gone");
    tokio::task::yield_now().await;
    gone.abort();
    assert!(gone.await.unwrap_err().is_cancelled());
    bench.permit(2);
    first.await.unwrap().unwrap();
    bench.classifier.classify("next").await.unwrap();
    assert_eq!(bench.begun.try_iter().collect::<Vec<_>>(), ["next"]);
}

#[tokio::test]
async fn a_text_that_breaks_the_model_leaves_the_thread_alive() {
    let bench = bench(1, LONG);
    bench.permit(2);
    let broken = bench.classifier.classify("poison").await;
    assert!(matches!(broken, Err(InferenceError::Model(_))), "{broken:?}");
    assert_eq!(bench.classifier.classify("fine").await.unwrap(), SURE);
}

#[tokio::test]
async fn dropping_the_last_handle_ends_the_threads() {
    let Bench { classifier, permits, judge, .. } = bench(1, LONG);
    permits.send(()).unwrap();
    drop(classifier.clone());
    assert!(judge.upgrade().is_some());
    drop(classifier);
    assert!(judge.upgrade().is_none());
}
