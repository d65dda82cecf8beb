//! How content is written into a block.
