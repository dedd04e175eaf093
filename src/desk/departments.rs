//! Which departments the hospital has, and that their schedules are kept in step with HIS. HIS cannot be asked for
//! them (2003 wants one named), so whoever installs Houbu names them.

use super::{Answer, Desk};
use crate::records::departments::{self, Department};
use crate::records::schedules;
use crate::workflows::schedule_sync;

impl Desk {
    /// Makes or renames a department, and starts pulling its schedules. The row comes first: should the process die
    /// before the run is started, the next worker's start does it.
    pub async fn put_department(&self, department: &Department) -> Answer<()> {
        let mut tx = self.begin().await?;
        let campus = (department.campus_id.as_str(), department.campus_name.as_str());
        let named = (department.id.as_str(), department.name.as_str());
        schedules::put_department(&mut tx, self.hospital(), campus, named).await?;
        tx.commit().await?;
        schedule_sync::start(&self.engine.pool, self.hospital(), std::slice::from_ref(&department.id)).await?;
        self.engine.hint();
        Ok(())
    }

    /// All departments in the order of their ids.
    pub async fn departments(&self) -> Answer<Vec<Department>> {
        Ok(departments::list(&self.engine.pool, self.hospital()).await?)
    }
}
