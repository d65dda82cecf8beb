//! Reading the ledger: beside the writer, and from other processes while the router runs.

use std::path::Path;

use jiff::Timestamp;

use super::{
    BudgetSettings, Headroom, KeyBudget, KeyHeadroom, RequestRecord, Window, account, window,
};
use crate::ids::KeyId;
use crate::money::NanoUsd;
use crate::store::ledger::{Scope, WindowRow};
use crate::store::{Reader, StoreError};

/// The ledger, to be read only.
#[derive(Clone, Debug)]
pub struct LedgerView {
    pub(super) reader: Reader,
}

/// Money that is not settled for certain.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Loose {
    pub open: u64,
    pub open_amount: NanoUsd,
    /// When the oldest open reservation was made.
    pub oldest: Option<Timestamp>,
    /// Charged in full because nobody could say what they cost.
    pub unconfirmed: u64,
    pub unconfirmed_amount: NanoUsd,
}

impl LedgerView {
    pub(super) fn beside(path: &Path) -> Self {
        Self { reader: Reader::new(path) }
    }

    /// Opens the ledger at `path`; `None` if there is none yet.
    pub async fn open(path: &Path) -> Result<Option<Self>, StoreError> {
        if !path.try_exists()? {
            return Ok(None);
        }
        let reader = Reader::new(path);
        let Err(error) = reader.probe().await else { return Ok(Some(Self { reader })) };
        let reader = Reader::immutable(path);
        reader.probe().await.map_err(|_| error)?;
        Ok(Some(Self { reader }))
    }

    /// Day and month of `now`, in one consistent read.
    pub async fn headroom(
        &self,
        settings: &BudgetSettings,
        now: Timestamp,
    ) -> Result<Headroom, StoreError> {
        let mut windows = window::current(now, &settings.timezone);
        self.reader.sums(&mut windows).await?;
        Ok(account::headroom([&windows[0], &windows[1]], settings))
    }

    /// Day and month of `now` of one client key, in one consistent read.
    pub async fn key_headroom(
        &self,
        own: &KeyBudget,
        settings: &BudgetSettings,
        now: Timestamp,
    ) -> Result<KeyHeadroom, StoreError> {
        let windows = self.key_windows(&own.id, settings, now).await?;
        Ok(account::of_key([&windows[0], &windows[1]], own))
    }

    pub(super) async fn key_windows(
        &self,
        key: &KeyId,
        settings: &BudgetSettings,
        now: Timestamp,
    ) -> Result<[WindowRow; 2], StoreError> {
        let scope = Scope::Key(key.clone());
        let mut windows = window::current(now, &settings.timezone).map(|window| window.of(&scope));
        self.reader.sums(&mut windows).await?;
        Ok(windows)
    }

    /// Requests that started at or after `since`, newest first, at most `limit`.
    pub async fn requests(
        &self,
        since: Timestamp,
        limit: u32,
    ) -> Result<Vec<RequestRecord>, StoreError> {
        let rows = self.reader.requests(window::micros(since), limit).await?;
        Ok(rows.into_iter().map(RequestRecord::from).collect())
    }

    /// Open reservations, and unconfirmed charges since `since`.
    pub async fn loose(&self, since: Timestamp) -> Result<Loose, StoreError> {
        let row = self.reader.loose(window::micros(since)).await?;
        Ok(Loose {
            open: row.open_count.unsigned_abs(),
            open_amount: NanoUsd(row.open_amount),
            oldest: row.oldest_at.map(window::moment),
            unconfirmed: row.unconfirmed_count.unsigned_abs(),
            unconfirmed_amount: NanoUsd(row.unconfirmed_amount),
        })
    }

    /// The file itself, for what stands beside the money in it.
    pub fn reader(&self) -> &Reader {
        &self.reader
    }

    pub async fn close(&self) {
        self.reader.close().await;
    }
}

/// `/v1/budget` (CONTRACT section 3). Amounts in USD; `null` where there is no limit.
#[derive(Debug, serde::Serialize)]
pub(super) struct BudgetJson {
    daily: WindowJson,
    monthly: WindowJson,
    per_request_limit_usd: Option<f64>,
}

#[derive(Debug, serde::Serialize)]
struct WindowJson {
    limit_usd: Option<f64>,
    spent_usd: f64,
    reserved_usd: f64,
    remaining_usd: Option<f64>,
    resets_at: Timestamp,
}

impl From<Headroom> for BudgetJson {
    fn from(headroom: Headroom) -> Self {
        Self {
            daily: headroom.daily.into(),
            monthly: headroom.monthly.into(),
            per_request_limit_usd: headroom.per_request.map(NanoUsd::to_usd_f64),
        }
    }
}

impl From<Window> for WindowJson {
    fn from(window: Window) -> Self {
        Self {
            limit_usd: window.limit.map(NanoUsd::to_usd_f64),
            spent_usd: window.spent.to_usd_f64(),
            reserved_usd: window.reserved.to_usd_f64(),
            remaining_usd: window.remaining().map(NanoUsd::to_usd_f64),
            resets_at: window.resets_at,
        }
    }
}
