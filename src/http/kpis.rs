//! The figures that managers ask for (R33): per doctor, department or campus and day of visit, as JSON or CSV.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, header};
use axum::response::{IntoResponse, Response};
use chrono::NaiveDate;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::Surface;
use super::extract::Query;
use super::openapi::Problems;
use super::problem::Problem;
use crate::records::kpis::{By, Sums};
use crate::waitlist::kpi::{minutes_each, share};

/// Which figures.
#[derive(Debug, Serialize, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct Wanted {
    /// The first day of visits.
    pub from: NaiveDate,
    /// The last one; at most a year later.
    pub to: NaiveDate,
    /// `day` (the hospital as a whole; the default), `campus`, `department` or `doctor`.
    pub by: Option<String>,
    /// `csv` for CSV, as `Accept: text/csv` does.
    pub format: Option<String>,
}

/// The figures of one day and group.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(example = json!({
    "day": "2025-11-27", "id": "K01", "name": "心内科", "applications": 120, "converted": 31, "conversionRate": 0.2583,
    "offers": 52, "declined": 4, "missed": 9, "lost": 6, "lossRate": 0.1154, "filled": 40, "idleMinutes": 0.4,
    "visits": 29, "noShows": 1, "noShowRate": 0.0345, "unusable": 1
}))]
pub struct Kpi {
    /// The day of the visits.
    pub day: NaiveDate,
    /// The doctor, department or campus; empty for the whole hospital.
    pub id: String,
    /// Its name.
    pub name: String,
    /// Applications that were admitted.
    pub applications: i64,
    /// Of which a visit was booked, cancelled since or not.
    pub converted: i64,
    /// Converted of applications, 0 to 1; absent where there are none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub conversion_rate: Option<f64>,
    /// Offers of a place.
    pub offers: i64,
    /// Declined by the patient.
    pub declined: i64,
    /// Not answered or not paid in time.
    pub missed: i64,
    /// Places that somebody of another channel took before HIS gave them to us (114 loss).
    pub lost: i64,
    /// Lost of offers.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub loss_rate: Option<f64>,
    /// Places that HIS locked or booked for us, of which it is known when we heard that they were free.
    pub filled: i64,
    /// How long each of those stood free on average, from when we heard of it until HIS held it for a patient.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub idle_minutes: Option<f64>,
    /// Visits of converted applications that were not cancelled.
    pub visits: i64,
    /// Of which HIS says that the patient did not come.
    pub no_shows: i64,
    /// No-shows of visits.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub no_show_rate: Option<f64>,
    /// Places that could not be had although nobody else took them: HIS refused the lock or
    /// stopped that time, or the offer came too late or reached nobody.
    pub unusable: i64,
}

/// Figures.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub struct Kpis {
    /// By day, then by id.
    pub items: Vec<Kpi>,
}

/// The figures between two days of visits, both included. Rates are of the sums of their own line.
#[utoipa::path(
    get, path = "/v1/kpis", tag = "kpis", params(Wanted), security(("apiKey" = [])),
    responses((status = 200, content((Kpis = "application/json"), (String = "text/csv"))), Problems)
)]
pub(super) async fn show(
    State(surface): State<Arc<Surface>>,
    headers: HeaderMap,
    Query(wanted): Query<Wanted>,
) -> Result<Response, Problem> {
    let by = match wanted.by.as_deref().unwrap_or("day") {
        "day" => By::Day,
        "campus" => By::Campus,
        "department" => By::Department,
        "doctor" => By::Doctor,
        _ => return Err(Problem::invalid("by is day, campus, department or doctor")),
    };
    let accepts = headers.get(header::ACCEPT).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let csv = match wanted.format.as_deref() {
        None => accepts.contains("text/csv"),
        Some("csv") => true,
        Some("json") => false,
        Some(_) => return Err(Problem::invalid("format is json or csv")),
    };
    let items: Vec<Kpi> = surface.desk.kpis(wanted.from, wanted.to, by).await?.into_iter().map(kpi).collect();
    if !csv {
        return Ok(Json(Kpis { items }).into_response());
    }
    let kind = HeaderValue::from_static("text/csv; charset=utf-8");
    Ok(([(header::CONTENT_TYPE, kind)], csv_of(&items)).into_response())
}

fn kpi(sums: Sums) -> Kpi {
    Kpi {
        conversion_rate: share(sums.converted, sums.applications),
        loss_rate: share(sums.lost, sums.offers),
        idle_minutes: minutes_each(sums.idle_s, sums.filled),
        no_show_rate: share(sums.no_shows, sums.visits),
        day: sums.day,
        id: sums.id,
        name: sums.name,
        applications: sums.applications,
        converted: sums.converted,
        offers: sums.offers,
        declined: sums.declined,
        missed: sums.missed,
        lost: sums.lost,
        filled: sums.filled,
        visits: sums.visits,
        no_shows: sums.no_shows,
        unusable: sums.unusable,
    }
}

/// RFC 4180, with the mark by which spreadsheets know UTF-8.
fn csv_of(items: &[Kpi]) -> String {
    const HEAD: &str = "day,id,name,applications,converted,conversionRate,offers,declined,missed,lost,lossRate,filled,\
                        idleMinutes,visits,noShows,noShowRate,unusable\r\n";
    let mut text = format!("\u{feff}{HEAD}");
    let number = |number: Option<f64>| number.map(|number| number.to_string()).unwrap_or_default();
    for one in items {
        let fields = [
            one.day.to_string(),
            quoted(&one.id),
            quoted(&one.name),
            one.applications.to_string(),
            one.converted.to_string(),
            number(one.conversion_rate),
            one.offers.to_string(),
            one.declined.to_string(),
            one.missed.to_string(),
            one.lost.to_string(),
            number(one.loss_rate),
            one.filled.to_string(),
            number(one.idle_minutes),
            one.visits.to_string(),
            one.no_shows.to_string(),
            number(one.no_show_rate),
            one.unusable.to_string(),
        ];
        text.push_str(&fields.join(","));
        text.push_str("\r\n");
    }
    text
}

/// A text of HIS's: quoted where it must be, and never a formula to whoever opens the file.
fn quoted(text: &str) -> String {
    let formula = text.starts_with(['=', '+', '-', '@', '\t', '\r']);
    let text = if formula { format!("'{text}") } else { text.to_owned() };
    if text.contains(['"', ',', '\n', '\r']) { format!("\"{}\"", text.replace('"', "\"\"")) } else { text }
}

#[cfg(test)]
mod tests {
    use super::quoted;

    #[test]
    fn r33_what_his_names_cannot_break_a_file() {
        assert_eq!(quoted("心内科"), "心内科");
        assert_eq!(quoted("a,\"b\""), "\"a,\"\"b\"\"\"");
        assert_eq!(quoted("=1+1"), "'=1+1");
    }
}
