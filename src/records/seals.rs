//! What is sealed at rest, wherever it stands, so that all of it is made anew when the key is another.

use sqlx::PgExecutor;

use crate::waitlist::draw;

/// What is sealed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Of {
    /// Who a patient is.
    Patients,
    /// The seeds of draws that are not held yet (R17).
    Draws,
}

impl Of {
    /// All of them.
    pub const ALL: [Self; 2] = [Self::Patients, Self::Draws];

    /// What the one of this id is sealed as (see [`Keyring::seal`](crate::waitlist::cipher::Keyring::seal)).
    pub fn about(self, id: &str) -> String {
        match self {
            Self::Patients => id.to_owned(),
            Self::Draws => draw::about(id),
        }
    }
}

/// Those whose seal does not begin with `current`, after `after` in the order of ids.
pub async fn sealed_otherwise(
    db: impl PgExecutor<'_>,
    of: Of,
    hospital: &str,
    current: &[u8],
    after: &str,
    most: i64,
) -> sqlx::Result<Vec<(String, Vec<u8>)>> {
    let found = match of {
        Of::Patients => {
            "select id, sealed from patient
             where hospital = $1 and id > $3 and substring(sealed from 1 for length($2::bytea)) <> $2
             order by id limit $4"
        }
        Of::Draws => {
            "select schedule_id, sealed from draw
             where hospital = $1 and schedule_id > $3 and drawn_at is null and of_schedule is null
               and substring(sealed from 1 for length($2::bytea)) <> $2
             order by schedule_id limit $4"
        }
    };
    sqlx::query_as(found).bind(hospital).bind(current).bind(after).bind(most).fetch_all(db).await
}

/// Puts a new seal in the place of an old one. False where it was written meanwhile.
pub async fn reseal(
    db: impl PgExecutor<'_>,
    of: Of,
    hospital: &str,
    id: &str,
    old: &[u8],
    new: &[u8],
) -> sqlx::Result<bool> {
    let update = match of {
        Of::Patients => "update patient set sealed = $4 where hospital = $1 and id = $2 and sealed = $3",
        Of::Draws => "update draw set sealed = $4 where hospital = $1 and schedule_id = $2 and sealed = $3",
    };
    let resealed = sqlx::query(update).bind(hospital).bind(id).bind(old).bind(new).execute(db).await?;
    Ok(resealed.rows_affected() > 0)
}
