//! Who does something at a terminal, and why.

use clap::Args;

use crate::engine::staff::By;
use crate::waitlist::masking::holds_number;

/// The exit code of a refusal.
pub(super) const REFUSED: u8 = 2;

/// Why something is done, and who does it.
#[derive(Debug, Args)]
pub(super) struct Why {
    /// Why; stands in the history and in the audit: no personal data.
    #[arg(long, short, value_parser = reason)]
    reason: String,
    /// Who does it; without it the user of this terminal.
    #[arg(long)]
    who: Option<String>,
}

/// As the API takes it.
fn reason(text: &str) -> Result<String, String> {
    match text.trim() {
        "" => Err("say why".to_owned()),
        text if holds_number(text) => {
            Err("a reason is kept and read by others: name no phone or ID number in it".to_owned())
        }
        text => Ok(text.to_owned()),
    }
}

impl Why {
    /// The reason of a deed over the API, where the key's name says who does it.
    pub(super) fn of_key(&self) -> anyhow::Result<&str> {
        anyhow::ensure!(self.who.is_none(), "over the API the key says who it is: leave --who out");
        Ok(&self.reason)
    }

    pub(super) fn by(&self) -> By {
        let user = || std::env::var("USER").ok().filter(|user| !user.is_empty()).unwrap_or_else(|| "nobody".to_owned());
        By { who: self.who.clone().unwrap_or_else(|| format!("{}@cli", user())), reason: self.reason.clone() }
    }
}
