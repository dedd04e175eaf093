# The daily commands. `just` lists them; every one is a plain cargo command that can be typed as well.

# List the commands
default:
    @just --list --unsorted

# Start everything on this machine and play a day of the waitlist
run *arguments:
    cargo run --release -- {{ arguments }}

# Run all tests, or those whose name contains the word
test *words:
    cargo test {{ words }}

# Use the console in Chromium as staff do (needs Node.js, npm and Chromium; see docs/console.md)
browser *files:
    cargo build
    npm ci --prefix tests/browser
    cd tests/browser && node run.mjs {{ files }}

# Compile without building
check:
    cargo check --all-targets

# Format the code
fmt:
    cargo fmt

# Format and lints, as strictly as CI
lint:
    cargo fmt --check
    cargo clippy --all-targets -- -D warnings

# Licences, banned crates and sources (needs cargo-deny)
deny:
    cargo deny check bans licenses sources

# Build the documentation and open it
docs:
    cargo doc --no-deps --open

# Draw the workflows as charts
chart *arguments:
    cargo run --release -- chart {{ arguments }}

# Check workflows, configuration and connections before a deploy
preflight *arguments:
    cargo run --release -- check {{ arguments }}

# Everything that has to pass before a change is taken
ci:
    .ci/run
