//! Floor 1: the words and rules of the waitlist; pure functions, no IO.
