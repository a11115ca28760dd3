#!/usr/bin/env bash
# Runs every test of the project. Needs a Vulkan driver; a software one will do (Debian: mesa-vulkan-drivers).
set -euo pipefail
cd "$(dirname "$0")/.."

# Optimised, because tests train networks; the same profile as `cargo run --release`, so nothing is built twice.
cargo test --release --quiet
