//! The adapters against exchanges with the world outside as they are on the wire: what each call asks, to the letter or as one value,
//! and what it makes of the answer. The recordings stand in `tests/recorded`, with where each comes from.

mod his;
mod messages;
mod tape;
