//! Floor 0
