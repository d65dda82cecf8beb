//! Typed identifiers. Cheap to clone, comparable, and never confused with each other.

use std::fmt;
use std::sync::Arc;

macro_rules! name {
    ($(#[$doc:meta])* $type:ident) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub struct $type(Arc<str>);

        impl $type {
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }
        impl From<&str> for $type {
            fn from(text: &str) -> Self {
                Self(text.into())
            }
        }
        impl From<String> for $type {
            fn from(text: String) -> Self {
                Self(text.into())
            }
        }
        impl fmt::Display for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
        impl std::borrow::Borrow<str> for $type {
            fn borrow(&self) -> &str {
                &self.0
            }
        }
    };
}

name!(
    /// A model of the catalogue: `provider/name`, for example `anthropic/claude-haiku-4-5`.
    ModelId
);
name!(
    /// A configured provider, for example `openai`.
    ProviderId
);
name!(
    /// A client key by its public id (never the secret); `master` for the master key and `local`
    /// for a loopback client of a server without a key.
    KeyId
);
name!(
    /// One request of a client: `req_` and a sortable UUID. Sent back as `x-request-id`.
    RequestId
);

impl KeyId {
    /// The caller on loopback of a server without a master key.
    pub const LOCAL: &'static str = "local";
    pub const MASTER: &'static str = "master";

    /// Whether it is one that the owner gave to a client, with windows of its own in the ledger.
    pub fn is_client(&self) -> bool {
        !matches!(self.as_str(), Self::LOCAL | Self::MASTER)
    }
}

impl RequestId {
    /// A fresh, time-ordered id.
    pub fn fresh() -> Self {
        Self(format!("req_{}", uuid::Uuid::now_v7().simple()).into())
    }
}
