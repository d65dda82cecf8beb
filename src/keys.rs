//! Keys that the owner gives to clients: what each may use, how often, and how much of the money. It
//! decides whether a name or a model is within a key's bounds and whether a request comes too early;
//! who sent which key is the server's matter, and what was spent the ledger's.
//!
//! A key is 256 random bits. Only its BLAKE3 digest is kept: a slow password hash protects words that
//! humans choose, and nobody can try out 2²⁵⁶ keys however fast the digest is.

mod allowance;
mod directory;
mod gate;
mod issue;
mod secret;

#[cfg(test)]
mod tests;

pub use allowance::{NotAllowed, Permit};
pub use directory::{Directory, Found, Keys};
pub use gate::{Seat, Throttled};
pub use issue::{IssueError, issue, read, revoke};
pub use secret::{Digest, digest, looks_like_key};

use std::sync::Arc;

use jiff::Timestamp;

use crate::ids::KeyId;
use crate::ledger::KeyBudget;
use crate::money::NanoUsd;
use crate::store::keys::KeyRow;

/// When project context is put into requests that do not say so themselves.
#[derive(
    Clone,
    Copy,
    Debug,
    Default,
    PartialEq,
    Eq,
    serde::Deserialize,
    serde::Serialize,
    schemars::JsonSchema,
    strum::EnumString,
    strum::IntoStaticStr,
    strum::VariantNames,
)]
#[serde(rename_all = "kebab-case")]
#[strum(serialize_all = "kebab-case")]
pub enum Inject {
    /// Only into those that ask for it.
    #[default]
    OnHeader,
    /// Into all but those that say no.
    Always,
    /// Into none, whatever they say.
    Never,
}

/// What the owner grants with a key. An absent limit is no limit, an empty list allows everything.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Grants {
    /// Unique among the keys that are not revoked.
    pub name: String,
    pub daily: Option<NanoUsd>,
    pub monthly: Option<NanoUsd>,
    /// Model requests in any 60 seconds.
    pub rpm: Option<u32>,
    /// Model requests at the same time.
    pub concurrent: Option<u32>,
    /// Model ids, wire names, aliases, or globs over them.
    pub models: Vec<String>,
    /// Ids of providers.
    pub providers: Vec<String>,
    pub projects: Vec<String>,
    /// `None`: as the configuration says.
    pub inject: Option<Inject>,
}

/// One key as it is known while the router runs. Does not hold the secret or its digest.
#[derive(Debug)]
pub struct ClientKey {
    pub id: KeyId,
    pub grants: Grants,
    /// The beginning of the secret, for its owner to tell keys apart.
    pub prefix: String,
    pub created_at: Timestamp,
    pub revoked_at: Option<Timestamp>,
    /// Its limits as the ledger wants them.
    pub budget: Arc<KeyBudget>,
    gate: Arc<gate::Gate>,
    allowance: allowance::Cache,
}

/// A row that cannot be understood; such a key opens nothing.
#[derive(Clone, Debug, thiserror::Error)]
#[error("the row of the client key {0} cannot be read")]
pub struct BadRow(String);

impl TryFrom<&KeyRow> for ClientKey {
    type Error = BadRow;

    fn try_from(row: &KeyRow) -> Result<Self, BadRow> {
        let bad = || BadRow(row.id.clone());
        let list = |text: &str| serde_json::from_str::<Vec<String>>(text).map_err(|_| bad());
        let count = |value: Option<i64>| value.map(u32::try_from).transpose().map_err(|_| bad());
        let moment = |micros: i64| Timestamp::from_microsecond(micros).map_err(|_| bad());
        let grants = Grants {
            name: row.name.clone(),
            daily: row.daily.map(NanoUsd),
            monthly: row.monthly.map(NanoUsd),
            rpm: count(row.rpm)?,
            concurrent: count(row.concurrent)?,
            models: list(&row.models)?,
            providers: list(&row.providers)?,
            projects: list(&row.projects)?,
            inject: row.inject.as_deref().map(str::parse).transpose().map_err(|_| bad())?,
        };
        let id = KeyId::from(row.id.as_str());
        let budget = KeyBudget {
            id: id.clone(),
            name: row.name.as_str().into(),
            daily: grants.daily,
            monthly: grants.monthly,
        };
        Ok(Self {
            id,
            prefix: row.prefix.clone(),
            created_at: moment(row.created_at)?,
            revoked_at: row.revoked_at.map(moment).transpose()?,
            budget: Arc::new(budget),
            gate: Arc::new(gate::Gate::new(grants.rpm)),
            allowance: allowance::Cache::default(),
            grants,
        })
    }
}

impl ClientKey {
    pub fn name(&self) -> &str {
        &self.grants.name
    }

    /// The project of a request that names `asked`: one outside of the key's list is refused, and
    /// the only one of the list needs no naming.
    ///
    /// # Errors
    /// What the key may name instead.
    pub fn project(&self, asked: Option<String>) -> Result<Option<String>, NotAllowed> {
        let allowed = &self.grants.projects;
        match (asked, allowed.as_slice()) {
            (None, [only]) => Ok(Some(only.clone())),
            (Some(asked), [_, ..]) if !allowed.contains(&asked) => Err(NotAllowed(format!(
                "The key `{}` may not work on this project; it may name in X-Project: {}.",
                self.name(),
                allowed.join(", ")
            ))),
            (asked, _) => Ok(asked),
        }
    }
}
