//! Who and what somebody means who types a number: a patient, an application, an order. Reads only.

use chrono::NaiveDate;
use serde_json::Value;
use sqlx::PgExecutor;
use uuid::Uuid;

/// The most applications that one search finds; one more is answered where there are more.
pub const APPLICATIONS_MAX: usize = 1000;
/// The same of patients.
pub const PATIENTS_MAX: usize = 50;

/// A patient that was found; masked.
#[derive(Debug, Clone, sqlx::FromRow)]
pub struct Found {
    /// The caller's id.
    pub id: String,
    /// What may be shown.
    pub masked: Value,
    /// Applications that are under way.
    pub live: i64,
    /// All applications there ever were.
    pub ever: i64,
}

/// Whom an application is of and for; masked.
#[derive(Debug, Clone, sqlx::FromRow)]
pub struct Brief {
    /// The application.
    pub id: Uuid,
    /// Who waits.
    pub patient_id: String,
    /// The name, masked.
    pub name: Option<String>,
    /// For whom.
    pub doctor_name: Option<String>,
    /// The day of the visit.
    pub visit_date: Option<NaiveDate>,
}

/// Whom these applications are of and for; runs that are none are left out. Plan: primary keys.
pub async fn briefs(db: impl PgExecutor<'_>, hospital: &str, ids: &[Uuid]) -> sqlx::Result<Vec<Brief>> {
    sqlx::query_as(
        "select e.id, e.patient_id, p.masked ->> 'name' as name, d.name as doctor_name, s.visit_date
         from entry e
         left join patient p on p.hospital = e.hospital and p.id = e.patient_id
         left join schedule s on s.hospital = e.hospital and s.id = e.schedule_id
         left join doctor d on d.hospital = s.hospital and d.id = s.doctor_id
         where e.hospital = $1 and e.id = any($2)",
    )
    .bind(hospital)
    .bind(ids)
    .fetch_all(db)
    .await
}

/// The applications with this number at HIS, at the payment provider or of this patient, newest first.
///
/// Plan: `appointment_by_his_order`, `appointment`'s and `payment`'s primary keys, `payment_by_transaction`, `entry_of_patient`.
pub async fn applications(db: impl PgExecutor<'_>, hospital: &str, q: &str) -> sqlx::Result<Vec<Uuid>> {
    sqlx::query_scalar(
        "select id from (
             select entry_id as id from appointment where hospital = $1 and his_order_id = $2
             union select entry_id from appointment where hospital = $1 and id = $2
             union select entry_id from payment where hospital = $1 and out_trade_no = $2
             union select entry_id from payment where hospital = $1 and transaction_id = $2
             union (select id from entry where hospital = $1 and patient_id = $2 order by seq desc limit $3)) found
         order by id desc limit $3",
    )
    .bind(hospital)
    .bind(q)
    .bind(i64::try_from(APPLICATIONS_MAX + 1).unwrap_or(i64::MAX))
    .fetch_all(db)
    .await
}

/// The applications of patients whose phone begins and ends so, newest first. Plan: `patient_by_phone_tail`, `entry_of_patient`.
pub async fn applications_of_phone(
    db: impl PgExecutor<'_>,
    hospital: &str,
    begins: &str,
    ends: &str,
) -> sqlx::Result<Vec<Uuid>> {
    sqlx::query_scalar(
        "select e.id from patient p join entry e on e.hospital = p.hospital and e.patient_id = p.id
         where p.hospital = $1 and right(p.masked ->> 'phone', 4) = $2 and starts_with(p.masked ->> 'phone', $4)
         order by e.id desc limit $3",
    )
    .bind(hospital)
    .bind(ends)
    .bind(i64::try_from(APPLICATIONS_MAX + 1).unwrap_or(i64::MAX))
    .bind(begins)
    .fetch_all(db)
    .await
}

/// How a patient is looked for.
#[derive(Debug, Clone, Copy)]
pub enum By<'a> {
    /// By the caller's id, its beginning included.
    Id(&'a str),
    /// By how the phone begins and ends, as it is shown.
    Phone(&'a str, &'a str),
    /// By the keyed hash of the document.
    IdHash(&'a [u8]),
    /// Whoever was seen last.
    Latest,
}

/// Patients, masked. Plan: the primary key, `patient_by_phone_tail`, `patient_by_id_number` or `patient_latest`; two counts by `entry_of_patient`.
pub async fn patients(db: impl PgExecutor<'_>, hospital: &str, by: By<'_>) -> sqlx::Result<Vec<Found>> {
    macro_rules! select {
        ($where:literal) => {
            concat!(
                "select p.id, p.masked, n.live, n.ever from (select id, masked, updated_at from patient p where hospital = $1 and ",
                $where,
                " limit 51) p cross join lateral (
                     select count(*) filter (where e.live) as live, count(*) as ever from entry e
                     where e.hospital = $1 and e.patient_id = p.id) n"
            )
        };
    }
    match by {
        By::Id(id) => {
            let query = select!("id collate \"C\" >= $2 and id collate \"C\" < $3 order by id");
            sqlx::query_as(query).bind(hospital).bind(id).bind(format!("{id}{}", char::MAX)).fetch_all(db).await
        }
        By::Phone(begins, ends) => {
            sqlx::query_as(select!(
                "right(masked ->> 'phone', 4) = $2 and starts_with(masked ->> 'phone', $3) order by id"
            ))
            .bind(hospital)
            .bind(ends)
            .bind(begins)
            .fetch_all(db)
            .await
        }
        By::IdHash(hash) => {
            sqlx::query_as(select!("id_hash = $2 order by id")).bind(hospital).bind(hash).fetch_all(db).await
        }
        By::Latest => sqlx::query_as(select!("true order by updated_at desc")).bind(hospital).fetch_all(db).await,
    }
}
