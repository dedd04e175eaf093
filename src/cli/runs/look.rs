//! `houbu runs list|show|why|history|verbs`: looks, and changes nothing.

use std::process::ExitCode;

use anyhow::Context;
use chrono_tz::Tz;
use clap::Args;
use serde_json::{Value, json};

use super::shown::{local, print_history, print_verbs, table};
use crate::desk::why;
use crate::engine::around::Around;
use crate::engine::inspect::{self, Filter, Seen};
use crate::engine::staff::explain::explain;
use crate::engine::{Engine, RunId};
use crate::http::shapes::{HistoryLine, VerbLine};
use crate::waitlist::language::Language;
use crate::waitlist::masking::masked;

/// Lines of history that are shown.
const HISTORY_MAX: i64 = 1000;

/// Which runs are listed.
#[derive(Debug, Args)]
pub(super) struct List {
    /// Of this workflow.
    #[arg(long)]
    pub(super) workflow: Option<String>,
    /// With this status: pending, running, waiting, suspended, unrunnable, cancelled, faulted, completed.
    #[arg(long)]
    pub(super) status: Option<String>,
    /// At this step.
    #[arg(long)]
    pub(super) step: Option<String>,
    /// Whose key begins so.
    #[arg(long)]
    pub(super) q: Option<String>,
    /// Whose last error contains this text.
    #[arg(long)]
    pub(super) error: Option<String>,
    /// At most so many.
    #[arg(long, default_value_t = 50)]
    pub(super) most: i64,
}

/// What looking needs.
pub(super) struct Look<'a> {
    pub(super) engine: &'a Engine,
    pub(super) tz: Tz,
    pub(super) json: bool,
}

impl Look<'_> {
    pub(super) async fn list(&self, list: &List) -> anyhow::Result<ExitCode> {
        let filter = Filter {
            workflow: list.workflow.clone(),
            status: list.status.clone(),
            step: list.step.clone(),
            q: list.q.clone(),
            error: list.error.clone(),
            most: list.most,
            ..Filter::default()
        };
        let around = Around::look(self.engine).await?;
        let filter = Filter { runnable: Some(around.runnable()), ..filter };
        let found = inspect::list(&self.engine.pool, &self.engine.tenant, &filter).await?;
        if self.json {
            let items: Vec<Value> = found.iter().map(|run| self.as_json(run, &around)).collect();
            println!("{}", json!({ "items": items }));
            return Ok(ExitCode::SUCCESS);
        }
        let mut table = table(["run", "workflow", "key", "step", "status", "why"]);
        for run in &found {
            table.add_row([
                run.id.to_string(),
                run.workflow.clone(),
                run.key.clone(),
                run.step.clone(),
                around.status(run).to_owned(),
                self.sentence(run, &around),
            ]);
        }
        println!("{table}");
        Ok(ExitCode::SUCCESS)
    }

    pub(super) async fn show(&self, id: RunId) -> anyhow::Result<ExitCode> {
        let (run, around) = self.seen(id).await?;
        let state = inspect::state(&self.engine.pool, &self.engine.tenant, id).await?;
        let state = masked(&state.unwrap_or_default());
        let explained = self.explained(id).await?;
        if self.json {
            let mut shown = self.as_json(&run, &around);
            if let Some(shown) = shown.as_object_mut() {
                shown.insert("state".to_owned(), state);
                shown.insert("verbs".to_owned(), serde_json::to_value(&explained)?);
            }
            println!("{shown}");
            return Ok(ExitCode::SUCCESS);
        }
        let mut table = table(["", ""]);
        let lines = [
            ("run", run.id.to_string()),
            ("workflow", run.workflow.clone()),
            ("key", run.key.clone()),
            ("step", run.step.clone()),
            ("status", around.status(&run).to_owned()),
            ("why", self.sentence(&run, &around)),
            ("turns", run.turn.to_string()),
            ("failed attempts", run.attempt.to_string()),
            ("due", run.due_at.map(|at| local(at, self.tz)).unwrap_or_default()),
            ("last error", run.last_error.clone().unwrap_or_default()),
            ("started", local(run.created_at, self.tz)),
            ("last moved", local(run.updated_at, self.tz)),
            ("ended", run.ended_at.map(|at| local(at, self.tz)).unwrap_or_default()),
            ("knows", serde_json::to_string_pretty(&state)?),
        ];
        for (name, value) in lines.into_iter().filter(|(_, value)| !value.is_empty()) {
            table.add_row([name.to_owned(), value]);
        }
        println!("{table}");
        print_verbs(explained, false);
        Ok(ExitCode::SUCCESS)
    }

    pub(super) async fn why(&self, id: RunId) -> anyhow::Result<ExitCode> {
        let (run, around) = self.seen(id).await?;
        let why = self.sentence(&run, &around);
        if self.json {
            println!("{}", json!({ "runId": id, "why": why }));
        } else {
            println!("{why}");
        }
        Ok(ExitCode::SUCCESS)
    }

    pub(super) async fn history(&self, id: RunId) -> anyhow::Result<ExitCode> {
        self.seen(id).await?;
        let told = inspect::history(&self.engine.pool, &self.engine.tenant, id, 0, HISTORY_MAX).await?;
        let told: Vec<HistoryLine> = told.into_iter().map(|line| HistoryLine::of(line, self.tz)).collect();
        if self.json {
            println!("{}", json!({ "items": told }));
        } else {
            print_history(told, self.tz);
        }
        Ok(ExitCode::SUCCESS)
    }

    pub(super) async fn verbs(&self, id: RunId) -> anyhow::Result<ExitCode> {
        let explained = self.explained(id).await?;
        if self.json {
            println!("{}", json!({ "items": explained }));
        } else {
            print_verbs(explained, true);
        }
        Ok(ExitCode::SUCCESS)
    }

    async fn explained(&self, id: RunId) -> anyhow::Result<Vec<VerbLine>> {
        let mut conn = self.engine.pool.acquire().await?;
        let explained = explain(self.engine, &mut conn, id).await?;
        let explained = explained.with_context(|| format!("there is no run {id}"))?;
        Ok(explained.into_iter().map(|one| VerbLine::of(one, Language::En)).collect())
    }

    async fn seen(&self, id: RunId) -> anyhow::Result<(Seen, Around)> {
        let found = inspect::find(&self.engine.pool, &self.engine.tenant, id).await?;
        let run = found.with_context(|| format!("there is no run {id}"))?;
        Ok((run, Around::look(self.engine).await?))
    }

    fn sentence(&self, run: &Seen, around: &Around) -> String {
        why::sentence(&around.why(run), Language::En, self.tz)
    }

    fn as_json(&self, run: &Seen, around: &Around) -> Value {
        json!({
            "runId": run.id, "workflow": run.workflow, "key": run.key, "step": run.step,
            "status": around.status(run), "why": self.sentence(run, around), "turn": run.turn, "attempt": run.attempt, "deadline": run.due_at,
            "lastError": run.last_error, "createdAt": run.created_at, "updatedAt": run.updated_at,
            "endedAt": run.ended_at,
        })
    }
}
