//! Pure codecs between each protocol's bytes and the canonical form of [`crate::chat`].
//! Same protocol on both sides: the received bytes are edited in place and the answer passes as it
//! came. No I/O, no clock, no prices.
