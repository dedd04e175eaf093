//! Stories on a real PostgreSQL.

#![allow(clippy::unwrap_used, clippy::expect_used)]

mod admission;
mod clinic;
mod surface;
