//! `houbu runs list|show|why|history|verbs`: looks, and changes nothing.

use std::process::ExitCode;

use anyhow::Context;
use chrono::{DateTime, Utc};
use chrono_tz::Tz;
use clap::Args;
use comfy_table::Table;
use comfy_table::presets::UTF8_FULL_CONDENSED;
use serde_json::{Value, json};

use crate::desk::{verbs, why};
use crate::engine::around::Around;
use crate::engine::inspect::{self, Filter, Seen};
use crate::engine::staff::Refused;
use crate::engine::staff::explain::{Explained, Would, explain};
use crate::engine::{Engine, RunId};
use crate::waitlist::language::Language;

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
        let state = inspect::state(&self.engine.pool, &self.engine.tenant, id).await?.unwrap_or_default();
        let explained = self.explained(id).await?;
        if self.json {
            let mut shown = self.as_json(&run, &around);
            if let Some(shown) = shown.as_object_mut() {
                shown.insert("state".to_owned(), state);
                shown.insert("verbs".to_owned(), explained.iter().map(verb_json).collect());
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
            ("due", run.due_at.map(|at| self.local(at)).unwrap_or_default()),
            ("last error", run.last_error.clone().unwrap_or_default()),
            ("started", self.local(run.created_at)),
            ("last moved", self.local(run.updated_at)),
            ("ended", run.ended_at.map(|at| self.local(at)).unwrap_or_default()),
            ("knows", serde_json::to_string_pretty(&state)?),
        ];
        for (name, value) in lines.into_iter().filter(|(_, value)| !value.is_empty()) {
            table.add_row([name.to_owned(), value]);
        }
        println!("{table}");
        print_verbs(&explained, false);
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
        if self.json {
            let line = |line: &inspect::Told| {
                json!({
                    "turn": line.turn, "at": line.at, "step": line.step, "woke": line.woke, "outcome": line.outcome,
                    "next": line.next, "error": line.error, "attempt": line.attempt, "tookMs": line.took_ms,
                })
            };
            println!("{}", json!({ "items": told.iter().map(line).collect::<Vec<_>>() }));
            return Ok(ExitCode::SUCCESS);
        }
        let mut table = table(["at", "step", "woken by", "outcome", "next", "error or reason", "ms"]);
        for line in told {
            table.add_row([
                self.local(line.at),
                line.step,
                line.woke.unwrap_or_default(),
                line.outcome.unwrap_or_else(|| "failed".to_owned()),
                line.next,
                line.error.unwrap_or_default(),
                line.took_ms.to_string(),
            ]);
        }
        println!("{table}");
        Ok(ExitCode::SUCCESS)
    }

    pub(super) async fn verbs(&self, id: RunId) -> anyhow::Result<ExitCode> {
        let explained = self.explained(id).await?;
        if self.json {
            println!("{}", json!({ "items": explained.iter().map(verb_json).collect::<Vec<_>>() }));
        } else {
            print_verbs(&explained, true);
        }
        Ok(ExitCode::SUCCESS)
    }

    async fn explained(&self, id: RunId) -> anyhow::Result<Vec<Explained>> {
        let mut conn = self.engine.pool.acquire().await?;
        explain(self.engine, &mut conn, id).await?.with_context(|| format!("there is no run {id}"))
    }

    async fn seen(&self, id: RunId) -> anyhow::Result<(Seen, Around)> {
        let found = inspect::find(&self.engine.pool, &self.engine.tenant, id).await?;
        let run = found.with_context(|| format!("there is no run {id}"))?;
        Ok((run, Around::look(self.engine).await?))
    }

    fn sentence(&self, run: &Seen, around: &Around) -> String {
        why::sentence(&around.why(run), Language::En, self.tz)
    }

    fn local(&self, at: DateTime<Utc>) -> String {
        at.with_timezone(&self.tz).format("%Y-%m-%d %H:%M:%S").to_string()
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

/// A table with these headings.
pub(super) fn table<const N: usize>(headings: [&str; N]) -> Table {
    let mut table = Table::new();
    table.load_style(UTF8_FULL_CONDENSED);
    if headings.iter().any(|heading| !heading.is_empty()) {
        table.set_header(headings);
    }
    table
}

fn print_verbs(explained: &[Explained], choices: bool) {
    let mut table = table(["verb", "choice", "now", "what it would do"]);
    for one in explained {
        table.add_row(line(one.verb, "", &one.would));
        for choice in one.choices.iter().filter(|_| choices) {
            table.add_row(line("", &choice.name, &choice.would));
        }
    }
    println!("{table}");
}

fn line(verb: &str, choice: &str, would: &Result<Would, Refused>) -> [String; 4] {
    let (now, what) = match would {
        Ok(would) => ("yes", verbs::would(would, Language::En)),
        Err(refused) => ("no", verbs::refusal(refused, Language::En)),
    };
    [verb.to_owned(), choice.to_owned(), now.to_owned(), what]
}

fn verb_json(one: &Explained) -> Value {
    let verdict = |would: &Result<Would, Refused>| match would {
        Ok(would) => json!({ "allowed": true, "message": verbs::would(would, Language::En) }),
        Err(refused) => {
            let (owed, instead) = refused.alternatives();
            json!({
                "allowed": false, "code": refused.code(), "message": verbs::refusal(refused, Language::En),
                "owed": owed, "instead": instead,
            })
        }
    };
    let choices: Vec<Value> =
        one.choices.iter().map(|choice| json!({ "name": choice.name, "would": verdict(&choice.would) })).collect();
    json!({ "verb": one.verb, "would": verdict(&one.would), "choices": choices })
}
