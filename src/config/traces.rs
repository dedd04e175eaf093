//! `[traces]`: whether traces are kept, and where.

use serde::{Deserialize, Serialize};

use super::ConfigError;

/// See [`Config::traces`](super::Config::traces).
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Traces {
    /// The collector, an address without a path; empty: no traces are kept. `OTEL_EXPORTER_OTLP_ENDPOINT` sets it too.
    pub otlp_endpoint: String,
    /// Which part of the traces that begin here is kept, from 0 to 1. A caller who has decided is followed.
    pub share: f64,
}

impl Traces {
    pub(super) fn check(&self) -> Result<(), ConfigError> {
        let address = &self.otlp_endpoint;
        if !address.is_empty() && !["http://", "https://"].iter().any(|scheme| address.starts_with(scheme)) {
            let what = format!("\"{address}\" is not an http(s) address, such as http://127.0.0.1:4318");
            return Err(ConfigError::Invalid { key: "traces.otlp_endpoint", what });
        }
        if !(0.0..=1.0).contains(&self.share) {
            let what = format!("it is {}; it is a part of all, from 0 to 1", self.share);
            return Err(ConfigError::Invalid { key: "traces.share", what });
        }
        Ok(())
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn traces_go_to_an_address_and_are_kept_in_part() {
        let traces = |otlp_endpoint: &str, share| Traces { otlp_endpoint: otlp_endpoint.to_owned(), share }.check();
        traces("", 1.0).unwrap();
        traces("http://127.0.0.1:4318", 0.0).unwrap();
        assert!(traces("collector:4317", 1.0).unwrap_err().to_string().contains("traces.otlp_endpoint"));
        assert!(traces("", 1.5).unwrap_err().to_string().contains("traces.share"));
    }
}
