#!/usr/bin/env bash
# Passes every test: the Rust suite, then real clients against the release binary.
# Needs Rust, Python 3 with venv and pip, and git; installs the clients into target/clients.
set -euo pipefail
cd "$(dirname "$0")/.."

target="${CARGO_TARGET_DIR:-target}"
cargo build --release --locked --bins
cargo test --release --locked

clients="$target/clients"
wanted=tests/clients/requirements.txt
if ! cmp -s "$wanted" "$clients/installed.txt"; then
    python3 -m venv --clear "$clients"
    "$clients/bin/pip" install --quiet --requirement "$wanted"
    cp "$wanted" "$clients/installed.txt"
fi
"$clients/bin/python" tests/clients/test_clients.py
