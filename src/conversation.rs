//! What is remembered of a conversation between its requests: tier, model, cached prefix.
