//! Breaches, the rules they are counted by, the blacklist entries that follow, and appeals (R32).

use chrono::{DateTime, NaiveDate, Utc};
use sqlx::types::Json;
use sqlx::{PgConnection, PgExecutor};
use uuid::Uuid;

use crate::waitlist::breach::Rule;

/// Every rule, by id.
pub async fn rules(db: impl PgExecutor<'_>, hospital: &str) -> sqlx::Result<Vec<(String, Rule)>> {
    let rows: Vec<(String, Json<Rule>)> =
        sqlx::query_as("select id, body from blacklist_rule where hospital = $1 order by id")
            .bind(hospital)
            .fetch_all(db)
            .await?;
    Ok(rows.into_iter().map(|(id, rule)| (id, rule.0)).collect())
}

/// Makes or replaces a rule.
pub async fn put_rule(db: impl PgExecutor<'_>, hospital: &str, id: &str, rule: &Rule) -> sqlx::Result<()> {
    sqlx::query(
        "insert into blacklist_rule (hospital, id, body) values ($1, $2, $3)
         on conflict (hospital, id) do update set body = excluded.body, updated_at = engine_now()",
    )
    .bind(hospital)
    .bind(id)
    .bind(Json(rule))
    .execute(db)
    .await
    .map(drop)
}

/// Removes a rule, and ends what follows from it alone, in each department (`rule/department`) where it counts by these. False where there was none.
pub async fn remove_rule(conn: &mut PgConnection, hospital: &str, id: &str) -> sqlx::Result<bool> {
    let removed = sqlx::query("delete from blacklist_rule where hospital = $1 and id = $2")
        .bind(hospital)
        .bind(id)
        .execute(&mut *conn)
        .await?
        .rows_affected();
    sqlx::query(
        "update blacklist set until = engine_now()
         where hospital = $1 and (rule_id = $2 or starts_with(rule_id, $2 || '/'))
           and (until is null or until > engine_now())",
    )
    .bind(hospital)
    .bind(id)
    .execute(conn)
    .await?;
    Ok(removed > 0)
}

/// A breach as HIS lists it.
pub struct Listed {
    /// `HOSP_ORDER_ID`.
    pub his_order_id: String,
    /// Keyed hash of the document.
    pub id_hash: Vec<u8>,
    /// Where.
    pub department_id: String,
    /// Through which channel it was booked.
    pub channel_id: String,
    /// noShow or lateCancel.
    pub event: &'static str,
}

/// Writes a page down, by the pull `seen_by`. What HIS had taken back counts again; what was excused stays excused. A visit
/// that came from the waitlist is found by HIS's own number.
pub async fn put(
    db: impl PgExecutor<'_>,
    hospital: &str,
    day: NaiveDate,
    seen_by: Uuid,
    listed: &[Listed],
) -> sqlx::Result<()> {
    sqlx::query(
        "insert into breach as b (hospital, visit_date, seen_by, his_order_id, id_hash, department_id, channel_id, event,
                                  entry_id)
         select distinct on (t.his_order_id) $1, $2, $3, t.*,
                (select a.entry_id from appointment a
                 where a.hospital = $1 and a.his_order_id = t.his_order_id order by a.booked_at desc limit 1)
         from unnest($4::text[], $5::bytea[], $6::text[], $7::text[], $8::text[])
              as t (his_order_id, id_hash, department_id, channel_id, event)
         on conflict (hospital, his_order_id) do update
         set seen_by = excluded.seen_by, event = excluded.event, id_hash = excluded.id_hash,
             visit_date = excluded.visit_date,
             state = case when b.state = 'withdrawn' then 'counts' else b.state end,
             changed_at = case when b.state = 'withdrawn' then engine_now() else b.changed_at end",
    )
    .bind(hospital)
    .bind(day)
    .bind(seen_by)
    .bind(listed.iter().map(|one| one.his_order_id.as_str()).collect::<Vec<_>>())
    .bind(listed.iter().map(|one| one.id_hash.as_slice()).collect::<Vec<_>>())
    .bind(listed.iter().map(|one| one.department_id.as_str()).collect::<Vec<_>>())
    .bind(listed.iter().map(|one| one.channel_id.as_str()).collect::<Vec<_>>())
    .bind(listed.iter().map(|one| one.event).collect::<Vec<_>>())
    .execute(db)
    .await
    .map(drop)
}

/// After a whole list was read: what it lists no more was taken back.
pub async fn withdraw_unlisted(
    db: impl PgExecutor<'_>,
    hospital: &str,
    day: NaiveDate,
    seen_by: Uuid,
) -> sqlx::Result<u64> {
    let withdrawn = sqlx::query(
        "update breach set state = 'withdrawn', changed_at = engine_now()
         where hospital = $1 and visit_date = $2 and seen_by <> $3 and state = 'counts'",
    )
    .bind(hospital)
    .bind(day)
    .bind(seen_by)
    .execute(db)
    .await?;
    Ok(withdrawn.rows_affected())
}

/// 停诊 is nobody's breach: visits of a schedule that was stopped, and every visit of a department that had none that day.
pub async fn excuse_stopped(db: impl PgExecutor<'_>, hospital: &str, day: NaiveDate) -> sqlx::Result<u64> {
    let excused = sqlx::query(
        "update breach b set state = 'excused', why = 'stopped', changed_at = engine_now()
         where b.hospital = $1 and b.visit_date = $2 and b.state = 'counts'
           and (exists (select from entry e join schedule s on s.hospital = e.hospital and s.id = e.schedule_id
                        where e.hospital = b.hospital and e.id = b.entry_id
                          and (s.state = 'stopped' or e.status = 'stopped'))
                or (b.entry_id is null
                    and exists (select from schedule s
                                where s.hospital = b.hospital and s.department_id = b.department_id
                                  and s.visit_date = b.visit_date)
                    and not exists (select from schedule s
                                    where s.hospital = b.hospital and s.department_id = b.department_id
                                      and s.visit_date = b.visit_date and s.state <> 'stopped')))",
    )
    .bind(hospital)
    .bind(day)
    .execute(db)
    .await?;
    Ok(excused.rows_affected())
}

/// The persons who stand in the list of a day, in whichever state.
pub async fn persons_of(db: impl PgExecutor<'_>, hospital: &str, day: NaiveDate) -> sqlx::Result<Vec<Vec<u8>>> {
    sqlx::query_scalar("select distinct id_hash from breach where hospital = $1 and visit_date = $2 order by 1")
        .bind(hospital)
        .bind(day)
        .fetch_all(db)
        .await
}

/// One breach, as it is shown.
#[derive(Debug, Clone, sqlx::FromRow)]
pub struct Breach {
    /// `HOSP_ORDER_ID`.
    pub his_order_id: String,
    /// The day of the visit.
    pub visit_date: NaiveDate,
    /// Where.
    pub department_id: String,
    /// Through which channel it was booked.
    pub channel_id: String,
    /// noShow or lateCancel.
    pub event: String,
    /// counts, withdrawn, excused.
    pub state: String,
    /// Why it is excused.
    pub why: Option<String>,
}

/// A person's breaches, newest first.
pub async fn of_person(db: impl PgExecutor<'_>, hospital: &str, id_hash: &[u8]) -> sqlx::Result<Vec<Breach>> {
    sqlx::query_as(
        "select his_order_id, visit_date, department_id, channel_id, event, state, why
         from breach where hospital = $1 and id_hash = $2 order by visit_date desc, his_order_id limit 500",
    )
    .bind(hospital)
    .bind(id_hash)
    .fetch_all(db)
    .await
}

/// A breach that counts, and whose: the person's hash, the day, the event, the department.
pub type Counting = (Vec<u8>, NaiveDate, String, String);

/// What counts of everybody's breaches from this day on.
pub async fn counting(db: impl PgExecutor<'_>, hospital: &str, from: NaiveDate) -> sqlx::Result<Vec<Counting>> {
    sqlx::query_as(
        "select id_hash, visit_date, event, department_id from breach
         where hospital = $1 and visit_date >= $2 and state = 'counts'",
    )
    .bind(hospital)
    .bind(from)
    .fetch_all(db)
    .await
}

/// The accounts of these persons.
pub async fn accounts(db: impl PgExecutor<'_>, hospital: &str, persons: &[Vec<u8>]) -> sqlx::Result<Vec<String>> {
    sqlx::query_scalar("select id from patient where hospital = $1 and id_hash = any($2) order by id")
        .bind(hospital)
        .bind(persons)
        .fetch_all(db)
        .await
}

/// What counts of a person's breaches is excused, by whom or what.
pub async fn excuse(db: impl PgExecutor<'_>, hospital: &str, id_hash: &[u8], why: &str) -> sqlx::Result<u64> {
    let excused = sqlx::query(
        "update breach set state = 'excused', why = $3, changed_at = engine_now()
         where hospital = $1 and id_hash = $2 and state = 'counts'",
    )
    .bind(hospital)
    .bind(id_hash)
    .bind(why)
    .execute(db)
    .await?;
    Ok(excused.rows_affected())
}

/// An entry that follows from a rule.
pub struct Ban<'a> {
    /// Which rule.
    pub rule_id: &'a str,
    /// In this department alone.
    pub department_id: Option<&'a str>,
    /// Why, for staff.
    pub reason: String,
    /// Until when.
    pub until: DateTime<Utc>,
}

/// Brings the entries that follow from rules in line, for all accounts of one person: these hold, others are over. One that
/// comes back keeps the day on which it began first.
pub async fn ban(conn: &mut PgConnection, hospital: &str, patients: &[String], bans: &[Ban<'_>]) -> sqlx::Result<()> {
    let keys: Vec<String> = bans.iter().map(Ban::key).collect();
    sqlx::query(
        "insert into blacklist (hospital, patient_id, rule_id, department_id, reason, until)
         select $1, p.id, t.* from unnest($2::text[]) as p (id)
         cross join unnest($3::text[], $4::text[], $5::text[], $6::timestamptz[])
                    as t (rule_id, department_id, reason, until)
         on conflict (hospital, patient_id, rule_id) do update
         set reason = excluded.reason, until = excluded.until",
    )
    .bind(hospital)
    .bind(patients)
    .bind(&keys)
    .bind(bans.iter().map(|ban| ban.department_id).collect::<Vec<_>>())
    .bind(bans.iter().map(|ban| ban.reason.as_str()).collect::<Vec<_>>())
    .bind(bans.iter().map(|ban| ban.until).collect::<Vec<_>>())
    .execute(&mut *conn)
    .await?;
    sqlx::query(
        "update blacklist set until = engine_now()
         where hospital = $1 and patient_id = any($2) and rule_id <> '' and rule_id <> all($3)
           and (until is null or until > engine_now())",
    )
    .bind(hospital)
    .bind(patients)
    .bind(&keys)
    .execute(conn)
    .await
    .map(drop)
}

impl Ban<'_> {
    /// A rule that counts by department has an entry for each.
    fn key(&self) -> String {
        match self.department_id {
            None => self.rule_id.to_owned(),
            Some(department) => format!("{}/{department}", self.rule_id),
        }
    }
}

/// An appeal.
#[derive(Debug, Clone, sqlx::FromRow)]
pub struct Appeal {
    /// Its id; the cursor of the next page.
    pub id: Uuid,
    /// Who.
    pub patient_id: String,
    /// The name, masked, where it was asked for.
    #[sqlx(default)]
    pub name: Option<String>,
    /// What the patient says.
    pub said: String,
    /// open, granted, refused.
    pub state: String,
    /// When it came.
    pub opened_at: DateTime<Utc>,
    /// By when it is to be decided.
    pub due_at: Option<DateTime<Utc>>,
    /// When it was decided.
    pub decided_at: Option<DateTime<Utc>>,
    /// By whom.
    pub decided_by: Option<String>,
    /// Why.
    pub decision: Option<String>,
}

/// Opens an appeal; one that stands open is answered. `due_days`: within so many it is to be decided.
pub async fn appeal(
    conn: &mut PgConnection,
    hospital: &str,
    patient_id: &str,
    said: &str,
    due_days: i32,
) -> sqlx::Result<Appeal> {
    sqlx::query(
        "insert into blacklist_appeal (hospital, id, patient_id, said, due_at)
         values ($1, $2, $3, $4, engine_now() + make_interval(days => $5)) on conflict do nothing",
    )
    .bind(hospital)
    .bind(Uuid::now_v7())
    .bind(patient_id)
    .bind(said)
    .bind(due_days)
    .execute(&mut *conn)
    .await?;
    sqlx::query_as(
        "select id, patient_id, said, state, opened_at, due_at, decided_at, decided_by, decision
         from blacklist_appeal where hospital = $1 and patient_id = $2 and state = 'open'",
    )
    .bind(hospital)
    .bind(patient_id)
    .fetch_one(conn)
    .await
}

/// Appeals of a state, newest first.
pub async fn appeals(
    db: impl PgExecutor<'_>,
    hospital: &str,
    state: &str,
    before: Option<Uuid>,
    most: i64,
) -> sqlx::Result<Vec<Appeal>> {
    sqlx::query_as(
        "select a.id, a.patient_id, p.masked ->> 'name' as name, a.said, a.state, a.opened_at, a.due_at, a.decided_at,
                a.decided_by, a.decision
         from blacklist_appeal a left join patient p on p.hospital = a.hospital and p.id = a.patient_id
         where a.hospital = $1 and a.state = $2 and ($3::uuid is null or a.id < $3) order by a.id desc limit $4",
    )
    .bind(hospital)
    .bind(state)
    .bind(before)
    .bind(most)
    .fetch_all(db)
    .await
}

/// One appeal, held until the transaction ends.
pub async fn hold_appeal(db: impl PgExecutor<'_>, hospital: &str, id: Uuid) -> sqlx::Result<Option<Appeal>> {
    sqlx::query_as(
        "select id, patient_id, said, state, opened_at, due_at, decided_at, decided_by, decision
         from blacklist_appeal where hospital = $1 and id = $2 for update",
    )
    .bind(hospital)
    .bind(id)
    .fetch_optional(db)
    .await
}

/// Staff decide an appeal.
pub async fn decide_appeal(
    db: impl PgExecutor<'_>,
    hospital: &str,
    id: Uuid,
    state: &str,
    who: &str,
    why: &str,
) -> sqlx::Result<Appeal> {
    sqlx::query_as(
        "update blacklist_appeal set state = $3, decided_at = engine_now(), decided_by = $4, decision = $5
         where hospital = $1 and id = $2
         returning id, patient_id, said, state, opened_at, due_at, decided_at, decided_by, decision",
    )
    .bind(hospital)
    .bind(id)
    .bind(state)
    .bind(who)
    .bind(why)
    .fetch_one(db)
    .await
}
