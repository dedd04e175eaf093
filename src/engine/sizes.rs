//! How large what is stored may be: checked where it is written, so that nobody gets around it.
//!
//! Sizes are those of the JSON as it is sent to the database, without spaces. What is refused is written nowhere; a
//! run whose state outgrows the limit is suspended, alone, with the sentence that [`TooLarge`] says.

use std::io;

use serde_json::Value;

/// A run's state, bytes.
pub const STATE_BYTES_MAX: usize = 256 * 1024;
/// The input that a run is started with, bytes.
pub const INPUT_BYTES_MAX: usize = 256 * 1024;
/// What goes with a signal, bytes.
pub const SIGNAL_BYTES_MAX: usize = 64 * 1024;
/// What goes with a letter, bytes.
pub const LETTER_BYTES_MAX: usize = 64 * 1024;

/// How deeply values may be nested in each other. What is read back is refused at 128, and stands inside other values
/// until then.
pub const DEPTH_MAX: usize = 64;

/// What has a limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stored {
    /// A run's state.
    State,
    /// The input of a start.
    Input,
    /// A signal's payload.
    Signal,
    /// A letter's payload.
    Letter,
}

impl Stored {
    /// Its limit, bytes.
    pub const fn bytes_max(self) -> usize {
        match self {
            Self::State => STATE_BYTES_MAX,
            Self::Input => INPUT_BYTES_MAX,
            Self::Signal => SIGNAL_BYTES_MAX,
            Self::Letter => LETTER_BYTES_MAX,
        }
    }

    const fn named(self) -> &'static str {
        match self {
            Self::State => "the run's state",
            Self::Input => "the run's input",
            Self::Signal => "the signal's payload",
            Self::Letter => "the letter's payload",
        }
    }
}

/// Something is larger than it may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TooLarge {
    /// It has too many bytes.
    #[error("{} has {bytes} bytes; the limit is {} bytes", .what.named(), .what.bytes_max())]
    Bytes {
        /// What.
        what: Stored,
        /// How large it is.
        bytes: usize,
    },
    /// It is nested too deeply.
    #[error("{} is nested more than {DEPTH_MAX} levels deep", .what.named())]
    Depth {
        /// What.
        what: Stored,
    },
}

impl TooLarge {
    /// The refusal inside a database error, if it is one of ours.
    pub fn within(error: &sqlx::Error) -> Option<Self> {
        match error {
            sqlx::Error::Encode(error) => error.downcast_ref().copied(),
            _ => None,
        }
    }
}

impl From<TooLarge> for sqlx::Error {
    fn from(error: TooLarge) -> Self {
        Self::Encode(Box::new(error))
    }
}

/// Refuses what is too large.
pub fn check(what: Stored, value: &Value) -> Result<(), TooLarge> {
    let bytes = bytes(value);
    if bytes > what.bytes_max() {
        return Err(TooLarge::Bytes { what, bytes });
    }
    if deeper_than(value, DEPTH_MAX) { Err(TooLarge::Depth { what }) } else { Ok(()) }
}

/// Whether values are nested in each other more than so many levels.
fn deeper_than(value: &Value, levels: usize) -> bool {
    match value {
        Value::Array(items) => levels == 0 || items.iter().any(|item| deeper_than(item, levels - 1)),
        Value::Object(fields) => levels == 0 || fields.values().any(|field| deeper_than(field, levels - 1)),
        _ => false,
    }
}

/// The size of a value as it is written, without writing it.
fn bytes(value: &Value) -> usize {
    struct Count(usize);
    impl io::Write for Count {
        fn write(&mut self, part: &[u8]) -> io::Result<usize> {
            self.0 += part.len();
            Ok(part.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
    let mut count = Count(0);
    // A value has no key that is not a text, and counting cannot fail.
    let _ = serde_json::to_writer(&mut count, value);
    count.0
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_limit_itself_is_allowed_and_one_byte_more_is_not() {
        let of = |bytes: usize| json!({ "x": "y".repeat(bytes - r#"{"x":""}"#.len()) });
        assert!(check(Stored::Signal, &of(SIGNAL_BYTES_MAX)).is_ok());
        let refused = check(Stored::Signal, &of(SIGNAL_BYTES_MAX + 1)).unwrap_err();
        assert_eq!(refused.to_string(), "the signal's payload has 65537 bytes; the limit is 65536 bytes");
        assert_eq!(TooLarge::within(&refused.into()), Some(refused));
    }

    #[test]
    fn what_is_nested_too_deeply_is_refused() {
        let nested = |levels: usize| (0..levels).fold(json!(1), |inside, _| json!([inside]));
        assert!(check(Stored::Signal, &nested(DEPTH_MAX)).is_ok());
        let refused = check(Stored::Signal, &nested(DEPTH_MAX + 1)).unwrap_err();
        assert_eq!(refused.to_string(), "the signal's payload is nested more than 64 levels deep");
    }

    #[test]
    fn letters_of_several_bytes_count_as_such() {
        assert_eq!(bytes(&json!({ "名": [1, null] })), r#"{"名":[1,null]}"#.len());
    }
}
