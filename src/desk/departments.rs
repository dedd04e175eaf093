//! Which departments the hospital has, and that their schedules are kept in step with HIS. HIS cannot be asked for
//! them (2003 wants one named), so whoever installs Houbu names them.

use super::{Answer, Desk};
use crate::records::departments::{self, Department};
use crate::records::schedules;
use crate::workflows::schedule_sync;

impl Desk {
    /// Makes or renames a department. A new one is pulled from HIS at once, and then whenever the job ticks.
    pub async fn put_department(&self, department: &Department) -> Answer<()> {
        let mut tx = self.begin().await?;
        let campus = (department.campus_id.as_str(), department.campus_name.as_str());
        let named = (department.id.as_str(), department.name.as_str());
        schedules::put_department(&mut tx, self.hospital(), campus, named).await?;
        schedule_sync::start(&mut tx, self.hospital(), &department.id).await?;
        tx.commit().await?;
        self.engine.hint();
        Ok(())
    }

    /// All departments in the order of their ids.
    pub async fn departments(&self) -> Answer<Vec<Department>> {
        Ok(departments::list(&self.engine.pool, self.hospital()).await?)
    }
}
