//! Who of the staff may come in to the console, and what they may do there. Every deed here is in the audit.
//!
//! | file | |
//! |---|---|
//! | `role` | roles, and the table of what each may do |
//! | `token` | secrets that are given away once and kept as a hash |
//! | `sessions` | who is logged in |

pub mod role;
mod sessions;
pub mod token;

pub use sessions::{SessionLimits, Who};
