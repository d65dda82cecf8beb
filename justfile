# The gates; CI runs the same through .ci/run.
check:
    cargo fmt --check
    cargo clippy --release --locked --all-targets -- -D warnings
    RUSTDOCFLAGS="-D warnings" cargo doc --release --locked --no-deps --document-private-items
    cargo test --release --locked

# Everything, real clients included.
test:
    scripts/test.sh

fmt:
    cargo fmt

# Needs cargo-deny, cargo-hack and typos.
extra:
    cargo deny check
    cargo hack check --each-feature --exclude-features cuda
    typos
