//! The ledger's file as an auditor reads it: rows and totals, past all of the router's code.

use std::path::Path;

use sqlx::Connection;
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};

/// One row of `requests`. Nano-USD.
#[derive(Clone, Debug, sqlx::FromRow)]
pub struct RequestLine {
    pub id: String,
    pub model: Option<String>,
    pub status: i64,
    pub error: Option<String>,
    pub attempts: String,
    pub input: i64,
    pub output: i64,
    pub estimated: bool,
    pub cost: i64,
}

/// One row of `charges`. Nano-USD.
#[derive(Clone, Debug, sqlx::FromRow)]
pub struct Charge {
    pub request: String,
    pub model: String,
    pub ceiling: i64,
    pub cost: i64,
    pub unconfirmed: bool,
}

#[derive(Clone, Debug)]
pub struct Books {
    pub requests: Vec<RequestLine>,
    pub charges: Vec<Charge>,
    /// Spent and reserved, of every day and month.
    pub windows: Vec<(String, i64, i64)>,
}

impl Books {
    /// Reads the ledger below `dir`.
    pub async fn read(dir: &Path) -> Self {
        let mut file = connect(dir).await;
        let requests = sqlx::query_as(
            "SELECT id, model, status, error, attempts, input, output, estimated, cost FROM requests ORDER BY started_at, id",
        );
        let charges = sqlx::query_as(
            "SELECT request, model, ceiling, cost, unconfirmed FROM charges ORDER BY reserved_at, seq",
        );
        let windows = sqlx::query_as(
            "SELECT period, spent, reserved FROM window_totals WHERE scope = 'global'",
        );
        let books = Self {
            requests: requests.fetch_all(&mut file).await.unwrap(),
            charges: charges.fetch_all(&mut file).await.unwrap(),
            windows: windows.fetch_all(&mut file).await.unwrap(),
        };
        file.close().await.unwrap();
        books
    }

    /// [`Self::read`] once nothing is reserved any more and the last record is written: settlement
    /// may come after the answer's last byte, and a record without cost waits for company.
    pub async fn settled(dir: &Path, requests: usize) -> Self {
        for _ in 0..400 {
            let books = Self::read(dir).await;
            let reserved: i64 = books.windows.iter().map(|(_, _, reserved)| reserved).sum();
            if reserved == 0 && books.requests.len() >= requests {
                return books;
            }
            tokio::time::sleep(std::time::Duration::from_millis(25)).await;
        }
        panic!("not settled within ten seconds: {:#?}", Self::read(dir).await);
    }

    /// What the rows of `requests` come to.
    pub fn cost(&self) -> i64 {
        self.requests.iter().map(|row| row.cost).sum()
    }

    pub fn unconfirmed(&self) -> Vec<&Charge> {
        self.charges.iter().filter(|charge| charge.unconfirmed).collect()
    }

    /// Every request is there once, and its rows, its charges and the totals say the same.
    #[track_caller]
    pub fn assert_they_agree(&self) {
        let mut ids: Vec<_> = self.requests.iter().map(|row| row.id.as_str()).collect();
        ids.sort_unstable();
        ids.dedup();
        assert_eq!(ids.len(), self.requests.len(), "a request is there twice: {self:#?}");
        for row in &self.requests {
            let charged: i64 =
                self.charges.iter().filter(|one| one.request == row.id).map(|one| one.cost).sum();
            assert_eq!(row.cost, charged, "{row:?} against its charges in {self:#?}");
        }
        let charged: i64 = self.charges.iter().map(|charge| charge.cost).sum();
        assert_eq!(self.cost(), charged, "a charge without its request: {self:#?}");
        for period in ["day", "month"] {
            let windows = self.windows.iter().filter(|(name, ..)| name == period);
            let spent: i64 = windows.map(|(_, spent, _)| spent).sum();
            assert_eq!(spent, charged, "the total of {period} in {self:#?}");
        }
    }
}

/// The ledger's file, for reading and mischief.
pub async fn connect(dir: &Path) -> SqliteConnection {
    let options = SqliteConnectOptions::new()
        .filename(dir.join("data/ledger.sqlite"))
        .busy_timeout(std::time::Duration::from_secs(5));
    SqliteConnection::connect_with(&options).await.unwrap()
}
