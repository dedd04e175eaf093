//! `houbu runs --api …`: the same over the API of a Houbu that runs elsewhere, with a key and no way to its database. Who does
//! a deed is the key's name there. `--json` prints what the API answers.

use std::process::ExitCode;

use anyhow::Context;
use chrono_tz::Tz;
use futures::{StreamExt, TryStreamExt};
use serde::Serialize;
use serde_json::{Value, json};
use uuid::Uuid;

use super::bulk::{self, bar};
use super::look::List;
use super::shown::{local, print_history, print_plan, print_verbs, table};
use super::{Command, Deed, REFUSED, Which};
use crate::client::shapes::{
    BulksWanted, Language, NewAnswer, NewBulk, NewJump, NewSignal, Reason, Run, RunFilter, RunsWanted, ShownBulk,
    WholeRun,
};
use crate::client::{BulkAnswer, Client, Error, Reply};

/// Where the key is taken from: a command line is seen by everybody on the machine.
const KEY: &str = "HOUBU_API_KEY";

pub(super) struct Afar {
    client: Client,
    tz: Tz,
    json: bool,
}

impl Afar {
    pub(super) fn new(url: &str, tz: Tz, json: bool) -> anyhow::Result<Self> {
        let key = std::env::var(KEY).with_context(|| format!("put the API key for {url} into {KEY}"))?;
        Ok(Self { client: Client::new(url, &key)?.reading(Language::En), tz, json })
    }

    /// Does what is asked; exit code 2 where it is refused.
    pub(super) async fn run(&self, command: Command) -> anyhow::Result<ExitCode> {
        match command {
            Command::List(list) => self.list(&list).await,
            Command::Show(which) => self.show(&which).await,
            Command::Why(which) => self.why(&which).await,
            Command::History(which) => self.history(&which).await,
            Command::Verbs(which) => self.verbs(&which).await,
            Command::Bulk(bulk) => self.bulk(bulk).await,
            deed => self.deed(deed).await,
        }
    }

    /// The run of this id, or of this workflow and key.
    async fn find(&self, which: &Which) -> anyhow::Result<Uuid> {
        if let Ok(id) = which.run.parse() {
            return Ok(id);
        }
        let Some((workflow, key)) = which.run.split_once('/') else {
            anyhow::bail!("{} is neither a run's id nor workflow/key", which.run);
        };
        let wanted =
            RunsWanted { workflow: Some(workflow.to_owned()), q: Some(key.to_owned()), ..RunsWanted::default() };
        let mut found = Box::pin(self.client.every(&wanted));
        while let Some(run) = found.try_next().await? {
            if run.key == key {
                return Ok(run.run_id);
            }
        }
        anyhow::bail!("there is no run {}", which.run)
    }

    /// True where it was printed as JSON.
    fn printed(&self, value: &impl Serialize) -> anyhow::Result<bool> {
        if self.json {
            println!("{}", serde_json::to_string(value)?);
        }
        Ok(self.json)
    }

    async fn list(&self, list: &List) -> anyhow::Result<ExitCode> {
        let List { workflow, status, step, q, error, most } = list;
        let wanted = RunsWanted {
            workflow: workflow.clone(),
            status: status.clone(),
            step: step.clone(),
            q: q.clone(),
            error: error.clone(),
            ..RunsWanted::default()
        };
        let most = usize::try_from(*most).unwrap_or(0);
        let found: Vec<Run> = self.client.every(&wanted).take(most).try_collect().await?;
        if self.printed(&json!({ "items": found }))? {
            return Ok(ExitCode::SUCCESS);
        }
        let mut table = table(["run", "workflow", "key", "step", "status", "why"]);
        for run in found {
            table.add_row([run.run_id.to_string(), run.workflow, run.key, run.step, run.status, run.why]);
        }
        println!("{table}");
        Ok(ExitCode::SUCCESS)
    }

    async fn show(&self, which: &Which) -> anyhow::Result<ExitCode> {
        let id = self.find(which).await?;
        let (whole, verbs) = (self.client.run(id).await?.body, self.client.verbs(id).await?.body);
        if self.json {
            let mut shown = serde_json::to_value(&whole)?;
            if let Value::Object(fields) = &mut shown {
                fields.insert("verbs".to_owned(), serde_json::to_value(&verbs.items)?);
            }
            println!("{shown}");
            return Ok(ExitCode::SUCCESS);
        }
        let WholeRun { run, state, .. } = whole;
        let mut table = table(["", ""]);
        let lines = [
            ("run", run.run_id.to_string()),
            ("workflow", run.workflow),
            ("key", run.key),
            ("step", run.step),
            ("status", run.status),
            ("why", run.why),
            ("turns", run.turn.to_string()),
            ("failed attempts", run.attempt.to_string()),
            ("due", run.deadline.map(|at| local(at, self.tz)).unwrap_or_default()),
            ("last error", run.last_error.unwrap_or_default()),
            ("started", local(run.created_at, self.tz)),
            ("last moved", local(run.updated_at, self.tz)),
            ("ended", run.ended_at.map(|at| local(at, self.tz)).unwrap_or_default()),
            ("knows", serde_json::to_string_pretty(&state)?),
        ];
        for (name, value) in lines.into_iter().filter(|(_, value)| !value.is_empty()) {
            table.add_row([name.to_owned(), value]);
        }
        println!("{table}");
        print_verbs(verbs.items, false);
        Ok(ExitCode::SUCCESS)
    }

    async fn why(&self, which: &Which) -> anyhow::Result<ExitCode> {
        let run = self.client.run(self.find(which).await?).await?.body.run;
        if !self.printed(&json!({ "runId": run.run_id, "why": run.why }))? {
            println!("{}", run.why);
        }
        Ok(ExitCode::SUCCESS)
    }

    async fn history(&self, which: &Which) -> anyhow::Result<ExitCode> {
        let told: Vec<_> = self.client.every_line(self.find(which).await?).try_collect().await?;
        if self.printed(&json!({ "items": told }))? {
            return Ok(ExitCode::SUCCESS);
        }
        print_history(told, self.tz);
        Ok(ExitCode::SUCCESS)
    }

    async fn verbs(&self, which: &Which) -> anyhow::Result<ExitCode> {
        let verbs = self.client.verbs(self.find(which).await?).await?.body;
        if !self.printed(&verbs)? {
            print_verbs(verbs.items, true);
        }
        Ok(ExitCode::SUCCESS)
    }

    /// One verb to one run.
    async fn deed(&self, command: Command) -> anyhow::Result<ExitCode> {
        let client = &self.client;
        let asked = async |deed: &Deed| -> anyhow::Result<(Uuid, Reason)> {
            let reason = deed.why.of_key()?.to_owned();
            Ok((self.find(&deed.which).await?, Reason { reason }))
        };
        let (verb, done) = match command {
            Command::Retry(deed) => {
                let (id, reason) = asked(&deed).await?;
                ("retry", client.retry(id, &reason).await)
            }
            Command::Suspend(deed) => {
                let (id, reason) = asked(&deed).await?;
                ("suspend", client.suspend(id, &reason).await)
            }
            Command::Resume(deed) => {
                let (id, reason) = asked(&deed).await?;
                ("resume", client.resume(id, &reason).await)
            }
            Command::Cancel(deed) => {
                let (id, reason) = asked(&deed).await?;
                ("cancel", client.cancel(id, &reason).await)
            }
            Command::Answer { deed, outcome, patch } => {
                let (id, Reason { reason }) = asked(&deed).await?;
                ("answer", client.answer(id, &NewAnswer { reason, outcome, patch }).await)
            }
            Command::Jump { deed, step, patch } => {
                let (id, Reason { reason }) = asked(&deed).await?;
                ("jump", client.jump(id, &NewJump { reason, step, patch }).await)
            }
            Command::Signal { deed, signal, id: signal_id, payload } => {
                let (id, Reason { reason }) = asked(&deed).await?;
                let signal_id = signal_id.unwrap_or_else(|| Uuid::now_v7().to_string());
                match client.signal(id, &signal, &NewSignal { signal_id, payload, reason }).await {
                    Ok(heard) if heard.duplicate && !self.json => {
                        println!("– a signal of this id was there before");
                        return Ok(ExitCode::SUCCESS);
                    }
                    Ok(_) => ("signal", client.run(id).await),
                    Err(error) => ("signal", Err(error)),
                }
            }
            Command::List(_)
            | Command::Show(_)
            | Command::Why(_)
            | Command::History(_)
            | Command::Verbs(_)
            | Command::Bulk(_) => anyhow::bail!("this is no deed to one run"),
        };
        self.stands(verb, done)
    }

    /// Says how a run stands after a verb, or why it was refused.
    fn stands(&self, verb: &str, done: Result<Reply<WholeRun>, Error>) -> anyhow::Result<ExitCode> {
        match done {
            Ok(whole) => {
                if !self.printed(&whole.body)? {
                    println!("✓ {verb}: the run is {} at {}", whole.run.status, whole.run.step);
                }
                Ok(ExitCode::SUCCESS)
            }
            Err(error) => self.refused(verb, error),
        }
    }

    fn refused(&self, verb: &str, error: Error) -> anyhow::Result<ExitCode> {
        let Error::Refused(problem) = error else { return Err(error.into()) };
        if !matches!(problem.status, 409 | 422) {
            return Err(Error::Refused(problem).into());
        }
        if !self.printed(&problem)? {
            eprintln!("✗ {verb}: {}", problem.detail);
        }
        Ok(ExitCode::from(REFUSED))
    }

    async fn bulk(&self, bulk: bulk::Bulk) -> anyhow::Result<ExitCode> {
        let done = match bulk.command {
            bulk::Command::Begin(begin) => return self.begin(*begin).await,
            bulk::Command::List => self.client.bulks(&BulksWanted::default()).await.map(|bulks| bulks.body.items),
            bulk::Command::Show { id } => self.client.bulk_progress(id).await.map(|bulk| vec![bulk.body]),
            bulk::Command::Pause(turn) => {
                let reason = Reason { reason: turn.why.of_key()?.to_owned() };
                self.client.pause_bulk(turn.id, &reason).await.map(|bulk| vec![bulk.body])
            }
            bulk::Command::Resume(turn) => {
                let reason = Reason { reason: turn.why.of_key()?.to_owned() };
                self.client.resume_bulk(turn.id, &reason).await.map(|bulk| vec![bulk.body])
            }
            bulk::Command::Cancel(turn) => {
                let reason = Reason { reason: turn.why.of_key()?.to_owned() };
                self.client.cancel_bulk(turn.id, &reason).await.map(|bulk| vec![bulk.body])
            }
        };
        match done {
            Ok(bulks) => self.print_bulks(bulks),
            Err(error) => self.refused("bulk", error),
        }
    }

    async fn begin(&self, begin: bulk::Begin) -> anyhow::Result<ExitCode> {
        let Value::Object(arguments) = begin.arguments else { anyhow::bail!("--arguments is an object of JSON") };
        let asked = NewBulk {
            verb: begin.verb,
            arguments,
            filter: RunFilter {
                workflow: begin.workflow,
                status: begin.status,
                step: begin.step,
                fault: begin.fault,
                error: begin.error,
                q: begin.q,
                ids: None,
            },
            reason: begin.why.of_key()?.to_owned(),
            dry_run: !begin.yes,
            preview_id: begin.preview,
            per_second: Some(begin.per_second),
        };
        let mut bulk = match self.client.bulk(&asked).await {
            Ok(Reply { body: BulkAnswer::Begun(bulk), .. }) => *bulk,
            Ok(Reply { body: BulkAnswer::Would(dry), .. }) => {
                if self.printed(&dry)? {
                    return Ok(ExitCode::SUCCESS);
                }
                print_plan(&dry, &asked.verb, &asked.reason);
                return Ok(ExitCode::SUCCESS);
            }
            Err(error) => return self.refused("bulk", error),
        };
        let bar = bar(self.json);
        while !begin.no_wait && bulk.status == "running" {
            bar.set_length(u64::try_from(bulk.total).unwrap_or(0));
            bar.set_position(u64::try_from(bulk.done + bulk.skipped).unwrap_or(0) + refused(&bulk));
            tokio::time::sleep(bulk::LOOK_EVERY).await;
            bulk = self.client.bulk_progress(bulk.bulk_id).await?.body;
        }
        bar.finish_and_clear();
        self.print_bulks(vec![bulk])
    }

    fn print_bulks(&self, bulks: Vec<ShownBulk>) -> anyhow::Result<ExitCode> {
        if self.printed(&json!({ "items": bulks }))? {
            return Ok(ExitCode::SUCCESS);
        }
        let mut table = table(["bulk", "verb", "status", "runs", "done", "refused", "skipped", "who", "reason"]);
        for bulk in bulks {
            let refused = refused(&bulk);
            table.add_row([
                bulk.bulk_id.to_string(),
                bulk.verb,
                bulk.status,
                bulk.total.to_string(),
                bulk.done.to_string(),
                refused.to_string(),
                bulk.skipped.to_string(),
                bulk.who,
                bulk.reason,
            ]);
        }
        println!("{table}");
        Ok(ExitCode::SUCCESS)
    }
}

fn refused(bulk: &ShownBulk) -> u64 {
    bulk.refused.as_object().into_iter().flatten().filter_map(|(_, count)| count.as_u64()).sum()
}
