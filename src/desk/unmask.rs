//! What is personal in the clear, for one look: who a patient is, or what is stored of a run. Whoever looks gives a reason, and
//! nothing is handed out before the audit knows of it.

use secrecy::ExposeSecret;
use serde_json::json;

use super::runs::{Beside, Inspected};
use super::{Answer, Desk, DeskError};
use crate::engine::RunId;
use crate::engine::staff::By;
use crate::engine::store::audit::{self, Deed};
use crate::records::patients::{self, Person};
use crate::waitlist::cipher::Sealed;
use crate::waitlist::refusal::Refusal;

/// What is stored of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// What it knows.
    State,
    /// What came with its signals.
    Signals,
    /// What its letters say.
    Letters,
    /// All of that.
    Everything,
}

impl Part {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Signals, Self::Letters, Self::State, Self::Everything];

    /// As the audit and forms call it.
    pub fn name(self) -> &'static str {
        match self {
            Self::State => "state",
            Self::Signals => "signals",
            Self::Letters => "letters",
            Self::Everything => "everything",
        }
    }

    /// The part of this name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|part| part.name() == name)
    }

    /// True where `part` is a part of this.
    pub fn shows(self, part: Self) -> bool {
        self == part || self == Self::Everything
    }
}

impl Desk {
    /// Who a patient is, in the clear; the audit knows who looked and why.
    pub async fn unmask_patient(&self, patient_id: &str, by: &By) -> Answer<Person> {
        let found = patients::find(&self.engine.pool, self.hospital(), patient_id).await?;
        let found = found.ok_or(Refusal::UnknownPatient)?;
        let plain = self.ports.keyring.open(patient_id, &Sealed::from_bytes(found.sealed))?;
        let person = serde_json::from_str(plain.expose_secret())
            .map_err(|_| DeskError::Broken("what is sealed of a patient cannot be read".to_owned()))?;
        self.was_seen(by.deed("patient.unmask", json!({ "patientId": patient_id }), json!({}))).await?;
        Ok(person)
    }

    /// A run with this part of what is stored of it in the clear and the others masked; the audit knows who looked at what and why.
    pub async fn unmask_run(&self, id: RunId, part: Part, by: &By) -> Answer<(Inspected, Beside)> {
        let (mut inspected, mut beside) = (self.run_in_the_clear(id).await?, self.beside_in_the_clear(id).await?);
        if !part.shows(Part::State) {
            inspected = inspected.with_masked_state();
        }
        if !part.shows(Part::Signals) {
            inspected = inspected.with_masked_inbox();
        }
        if !part.shows(Part::Letters) {
            beside = beside.masked();
        }
        let deed = by.deed("run.unmask", json!({}), json!({ "shown": part.name() }));
        self.was_seen(Deed { run: Some(id), ..deed }).await?;
        Ok((inspected, beside))
    }

    async fn was_seen(&self, deed: Deed<'_>) -> Answer<()> {
        let mut tx = self.begin().await?;
        audit::write(&mut tx, self.hospital(), &deed).await?;
        Ok(tx.commit().await?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_shows_itself_and_everything_all() {
        for part in Part::ALL {
            assert_eq!(Part::parse(part.name()), Some(part));
            let shown: Vec<Part> = Part::ALL.into_iter().filter(|other| part.shows(*other)).collect();
            if part == Part::Everything { assert_eq!(shown, Part::ALL) } else { assert_eq!(shown, [part]) }
        }
        assert_eq!(Part::parse("nothing"), None);
    }
}
