//! What an error of the database says about a statement: refused for what it wrote, or only not done this time.

/// Classes of SQLSTATE that say nothing about what was written: the connection (08), the state of the transaction or the
/// server, as after a client that stood still or on a server that has become a standby (25, 55), a meeting with another
/// transaction (40), too little of something (53), an operator (57), the system below (58).
const PASSING: [&str; 7] = ["08", "25", "40", "53", "55", "57", "58"];

fn class_is(error: &sqlx::Error, classes: &[&str]) -> bool {
    let code = error.as_database_error().and_then(sqlx::error::DatabaseError::code);
    code.is_some_and(|code| classes.iter().any(|class| code.starts_with(class)))
}

/// True where the server answered and rolled back for what was written; false where we do not know what stands, or where
/// the same may be written a moment later.
pub fn is_refusal(error: &sqlx::Error) -> bool {
    match error {
        sqlx::Error::Database(_) => !class_is(error, &PASSING),
        sqlx::Error::Decode(_) | sqlx::Error::ColumnDecode { .. } | sqlx::Error::Encode(_) => true,
        _ => false,
    }
}

/// True where the server cannot be reached or does not do anything for the moment: whoever asks may ask again.
pub fn is_passing(error: &sqlx::Error) -> bool {
    match error {
        sqlx::Error::Database(_) => class_is(error, &PASSING),
        sqlx::Error::PoolTimedOut | sqlx::Error::PoolClosed | sqlx::Error::Io(_) => true,
        _ => false,
    }
}

/// A deadlock or a serialisation failure.
pub fn met_another(error: &sqlx::Error) -> bool {
    class_is(error, &["40"])
}
