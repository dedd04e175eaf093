//! The hospital's departments and campuses: what an installation names before anything else.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::Surface;
use super::extract::{Body, Path, foreign_id};
use super::openapi::Problems;
use super::problem::Problem;
use crate::records::departments::Department as Stored;

/// The longest name.
const NAME_MAX: usize = 64;

/// What a department is called, and on which campus it stands.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schema(example = json!({ "name": "心内科", "campusId": "C1", "campusName": "本部院区" }))]
pub struct NewDepartment {
    /// Its name.
    pub name: String,
    /// The campus (院区), whose settings and cap its queues share.
    pub campus_id: String,
    /// The campus's name.
    pub campus_name: String,
}

/// A department.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(example = json!({ "departmentId": "K01", "name": "心内科", "campusId": "C1", "campusName": "本部院区" }))]
pub struct Department {
    /// HIS's `DEPT_ID`.
    pub department_id: String,
    /// Its name.
    pub name: String,
    /// The campus.
    pub campus_id: String,
    /// The campus's name.
    pub campus_name: String,
}

/// All departments.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub struct Departments {
    /// In the order of their ids.
    pub items: Vec<Department>,
}

/// Makes or renames a department. From then on its schedules are pulled from HIS.
#[utoipa::path(
    put, path = "/v1/departments/{departmentId}", tag = "departments", security(("apiKey" = [])),
    params(("departmentId" = String, Path, description = "HIS's DEPT_ID")), request_body = NewDepartment,
    responses((status = 200, body = Department), Problems)
)]
pub(super) async fn put(
    State(surface): State<Arc<Surface>>,
    Path(id): Path<String>,
    Body(new): Body<NewDepartment>,
) -> Result<Json<Department>, Problem> {
    foreign_id(&id, "departmentId")?;
    foreign_id(&new.campus_id, "campusId")?;
    named(&new.name, "name")?;
    named(&new.campus_name, "campusName")?;
    let stored = Stored { id, name: new.name, campus_id: new.campus_id, campus_name: new.campus_name };
    surface.desk.put_department(&stored).await?;
    Ok(Json(shown(stored)))
}

/// The departments whose schedules are kept in step with HIS.
#[utoipa::path(
    get, path = "/v1/departments", tag = "departments", security(("apiKey" = [])),
    responses((status = 200, body = Departments), Problems)
)]
pub(super) async fn list(State(surface): State<Arc<Surface>>) -> Result<Json<Departments>, Problem> {
    let stored = surface.desk.departments().await?;
    Ok(Json(Departments { items: stored.into_iter().map(shown).collect() }))
}

fn named(name: &str, field: &str) -> Result<(), Problem> {
    let fine = (1..=NAME_MAX).contains(&name.trim().chars().count()) && !name.chars().any(char::is_control);
    if fine { Ok(()) } else { Err(Problem::invalid(format!("{field} has 1 to {NAME_MAX} characters"))) }
}

fn shown(stored: Stored) -> Department {
    Department {
        department_id: stored.id,
        name: stored.name,
        campus_id: stored.campus_id,
        campus_name: stored.campus_name,
    }
}
