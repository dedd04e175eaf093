//! The integration tests: one binary on a private PostgreSQL, a database a test, the clock moved by hand.
//!
//! | module | what it shows |
//! |---|---|
//! | `cluster` | the private server, its migrated template, a database for each test |
//! | `engine` | durable runs, with a workflow of another trade |
//! | `example` | the engine without a hospital: `examples/order.rs` and the guide to it |
//! | `hospital` | a small hospital with the outside world over real HTTP; what must be true when a story ends |
//! | `stories` | what happens to applications, as steps; every row of the tables at least once |
//! | `every_crash` | every step failed, repeated and crashed, and a day of heavy faults: the ending is the same |
//! | `simulation` | thousands of runs by seed while workers die and connections break, and a judge |
//! | `access` | who may come in to the console and to the API, and what the audit knows of it |
//! | `admission`, `surface` | caps exact under concurrency; the HTTP surface, bad input included, at a small `clinic` |
//! | `client`, `described` | the typed client; the description of the API and its examples, held against server and client |
//! | `calendar` | the cutoff before a holiday |
//! | `fairness` | limits of persons, accounts and days; the slow lane |
//! | `joining` | what a patient finds at the door of a queue, and on what terms one joins |
//! | `staff_surface`, `terminal` | what staff do over the API and with `houbu runs` |
//! | `console` | the support staff's pages: what they show, to whom, and what their forms do |
//! | `console_forms` | what the console's forms ask for, and what they say where something is wrong |
//! | `console_desk` | who got which place of a schedule and why; the lines behind the numbers of the first page |
//! | `console_operations` | the pages of callbacks, signals without a run, destinations and workers |
//! | `deadline_calendar` | what falls due when, by kind and day, however many runs fail |
//! | `long_lists` | lists of the console that are longer than a page |
//! | `kpi_plans` | the figures of a day read that day's rows alone |
//! | `destinations` | `houbu check` with every destination right, with another secret, unreachable, at a wrong address |
//! | `early_by_key` | signals by a run's key over HTTP, before and after the run is there; what is too large |
//! | `bad_input` | what must not be done is refused by name, and changes nothing |
//! | `endless` | an outside system that answers without end is cut off |
//! | `fuzzing` | what comes from outside is read without panic, and believed only where it is right; so many cases a run |
//! | `hammering` | thousands of malformed callbacks: none panics, none is answered 500, none stays in memory |
//! | `pay_contract` | both adapters of the port of payments against the sandbox and against recorded exchanges; the callbacks of a platform |
//! | `notices` | what patients are told: texts as data, and what becomes of a notice |
//! | `meetings` | transactions that wait for each other: one is done again, and nobody hears of it |
//! | `persons` | one person's data handed over, forgotten, sealed anew |
//! | `stored_books` | the sandbox's books, read while another process keeps them |
//! | `chaos` | real processes stopped, killed and asked to end, and the database killed under them |
//! | `health` | what is wrong with the whole, over the API and at the terminal; readiness with its reasons |
//! | `recorded` | every function of HIS in each language, and the clients of messages, against exchanges as they are on the wire |
//! | `tokens` | the message platform's token, shared by processes that never end each other's |
//! | `traces` | a request, the turns of its run and the calls they make are one trace, from real processes |
//! | `watch` | dashboard, alerts and runbook, held against the figures that there are |
//! | `why` | `houbu runs why` for a run in each kind of standing still |
//! | `patience` | waiting for what others do |
//! | `demo_day` | a day of the demo holds all that it has to, and names nobody where nobody may be named |
//! | `emptied` | a demo removes nobody's database but a demo's |
//! | `floors` | the house's own rules: who imports whom, how long a file is, what is generated, the table of requirements |
//!
//! Nothing here sleeps to let time pass: whatever must happen later stands in a database, and the clock is moved there.

#![allow(clippy::unwrap_used, clippy::expect_used)]

mod access;
mod admission;
mod bad_input;
mod calendar;
mod chaos;
mod client;
mod clinic;
mod cluster;
mod console;
mod console_desk;
mod console_forms;
mod console_operations;
mod console_words;
mod day_queues;
mod deadline_calendar;
mod demo_day;
mod described;
mod destinations;
mod early_by_key;
mod emptied;
mod endless;
mod engine;
mod every_crash;
mod example;
mod fairness;
mod floors;
mod fuzzing;
mod hammering;
mod health;
mod his_events;
mod his_kit;
mod hospital;
mod inbox;
mod joining;
mod kpi_plans;
mod live;
mod long_lists;
mod meetings;
mod notices;
mod patience;
mod pay_contract;
mod persons;
mod recorded;
mod run_content;
mod searching;
mod simulation;
mod staff_surface;
mod stored_books;
mod stories;
mod surface;
mod terminal;
mod tokens;
mod traces;
mod watch;
mod why;
