//! Giving out and revoking keys, in the ledger's file, also while a router runs on it.

use jiff::Timestamp;
use secrecy::SecretString;

use super::directory::Keys;
use super::secret::{self, NoRandomness};
use super::{ClientKey, Grants};
use crate::store::keys::{Added, KeyRow};
use crate::store::{Reader, StoreError, Writer};

/// Why there is no new key.
#[derive(Debug, thiserror::Error)]
pub enum IssueError {
    #[error("a key of the name `{0}` exists; choose another name, or revoke it first")]
    NameTaken(String),
    #[error("the key's row cannot be read back")]
    BadRow(#[from] super::BadRow),
    #[error(transparent)]
    NoRandomness(#[from] NoRandomness),
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Makes a key. The secret is given back here and never again.
pub async fn issue(
    store: &mut Writer,
    grants: &Grants,
    now: Timestamp,
) -> Result<(ClientKey, SecretString), IssueError> {
    let fresh = secret::fresh()?;
    let list = |names: &[String]| serde_json::Value::from(names).to_string();
    let row = KeyRow {
        id: secret::fresh_id()?,
        name: grants.name.clone(),
        hash: fresh.digest.as_bytes().to_vec(),
        prefix: fresh.prefix,
        created_at: now.as_microsecond(),
        revoked_at: None,
        daily: grants.daily.map(|amount| amount.0),
        monthly: grants.monthly.map(|amount| amount.0),
        rpm: grants.rpm.map(Into::into),
        concurrent: grants.concurrent.map(Into::into),
        models: list(&grants.models),
        providers: list(&grants.providers),
        projects: list(&grants.projects),
        inject: grants.inject.map(|inject| <&str>::from(inject).to_owned()),
    };
    let key = ClientKey::try_from(&row)?;
    match store.add_key(&row).await? {
        Added::Done => Ok((key, fresh.secret)),
        Added::NameTaken => Err(IssueError::NameTaken(row.name)),
    }
}

/// Takes a key away for ever, by its name or id. `false`: no live key is called so.
pub async fn revoke(store: &mut Writer, key: &str, now: Timestamp) -> Result<bool, StoreError> {
    Ok(store.revoke_key(key, now.as_microsecond()).await?.is_some())
}

/// All keys of a ledger's file, without a router.
pub async fn read(reader: &Reader) -> Result<Keys, StoreError> {
    Ok(Keys::new(0, &reader.keys().await?, &Keys::default()))
}
