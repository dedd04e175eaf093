//! The stories of the trade: what happens, and the steps that every run takes because of it.

mod queue;
