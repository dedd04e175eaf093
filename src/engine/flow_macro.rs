//! `flow!`: one declaration, from which the compiler gets the steps, outcomes and routes, and people the table.
//!
//! A misspelt step, handler, signal or obligation, an outcome that is not listed, a signal that a handler does not
//! treat and a wait without a deadline do not compile.

/// Declares a workflow. See `docs/writing-a-workflow.md`, and `workflows/waitlist_application/mod.rs` for a large one.
///
/// `obligations`, `emits`, `projects`, `quiet`, `sample` and `cancels` may be left out.
///
/// In the declaring module it makes `Step`, `Obligation`, `outcome::<Step>` (what the step's handler answers) and
/// `woke::<Step>` (what a waiting step's handler is woken by), and implements [`Flow`](crate::engine::flow::Flow).
#[macro_export]
macro_rules! flow {
    (
        $(#[doc = $flow_doc:literal])*
        $flow:ident = $name:literal;
        state $state:ty;
        ports $ports:ty;
        $(obligations $($obligation:ident),*;)?
        $(emits $effects:path;)?
        $(projects $project:path;)?
        starts $($start:ident),+;
        ends $($end:ident),+;
        $(quiet $($quiet:ident),+;)?
        $(sample $sample:path;)?
        $(cancels $cancels:ident;)?
        $(lacks $lacks:path;)?
        $(
            $(#[doc = $doc:literal])+
            $step:ident = $handler:ident
            $(at $lane:ident)? $(by $means:ident)? $(priority $priority:ident)? $(retry $retry:ident)? $(absorbs $($absorbed:ident),+)?
            $(on $($heard:ident),+ until $until:ident)?
            { $($outcome:ident $(+ $opens:ident)* $(- $closes:ident)* -> $next:ident),+ $(,)? }
        )+
    ) => {
        $(#[doc = $flow_doc])*
        #[derive(Debug, Clone, Copy)]
        pub struct $flow;

        impl $flow {
            /// The workflow's name, as stored with every run.
            pub const NAME: &'static str = $name;
        }

        /// The steps and endings.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        #[allow(missing_docs)]
        pub enum Step { $($step,)+ $($end),+ }

        impl Step {
            /// Every step and ending.
            pub const ALL: &'static [Step] = &[$(Step::$step,)+ $(Step::$end),+];

            /// The name as stored.
            pub const fn name(self) -> &'static str {
                match self { $(Step::$step => stringify!($step),)+ $(Step::$end => stringify!($end)),+ }
            }

            /// The step of this name, if the table has one.
            pub fn parse(name: &str) -> Option<Self> {
                Self::ALL.iter().copied().find(|step| step.name() == name)
            }
        }

        /// What a run may owe on its way.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        #[allow(missing_docs)]
        pub enum Obligation { $($($obligation),*)? }

        impl Obligation {
            /// The name in the table.
            pub const fn name(self) -> &'static str {
                match self { $($(Obligation::$obligation => stringify!($obligation)),*)? }
            }
        }

        /// What each step's handler may decide.
        #[allow(missing_docs)]
        pub mod outcome {
            $(
                #[derive(Debug, Clone, Copy, PartialEq, Eq)]
                pub enum $step { $($outcome),+ }

                impl $step {
                    pub(super) const fn chosen(self) -> $crate::engine::Chosen {
                        match self {
                            $($step::$outcome => $crate::engine::Chosen {
                                outcome: stringify!($outcome),
                                next: super::Step::$next.name(),
                            }),+
                        }
                    }
                }
            )+
        }

        /// What wakes each step that waits.
        #[allow(missing_docs)]
        pub mod woke {
            $($crate::flow!(@woke $step; $($($heard),+)?);)+
        }

        impl $crate::engine::flow::Flow for $flow {
            type State = $state;
            type Ports = $ports;

            const PROJECTS: bool = $crate::flow!(@projects $($project)?);

            const TABLE: $crate::engine::Table = $crate::engine::Table {
                name: $name,
                doc: concat!($($flow_doc, "\n"),*),
                starts: &[$(Step::$start.name()),+],
                ends: &[$(Step::$end.name()),+],
                quiet: &[$($(Step::$quiet.name()),+)?],
                cancels: $crate::flow!(@option $(Step::$cancels.name())?),
                steps: &[$($crate::engine::StepRow {
                    name: Step::$step.name(),
                    doc: concat!($($doc, "\n"),*),
                    hears: &[$($(stringify!($heard)),+)?],
                    until: $crate::flow!(@option $(stringify!($until))?),
                    lane: $crate::flow!(@option $(stringify!($lane))?),
                    by_state: $crate::flow!(@by $($means)? $(at $lane)? $(until $until)?),
                    priority: $crate::flow!(@priority $($priority)?),
                    absorbs: &[$($({ let _ = ::std::marker::PhantomData::<$absorbed>; stringify!($absorbed) }),+)?],
                    retry: $crate::flow!(@option $($retry)?),
                    outcomes: &[$($crate::engine::OutcomeRow {
                        name: stringify!($outcome),
                        opens: &[$(Obligation::$opens.name()),*],
                        closes: &[$(Obligation::$closes.name()),*],
                        next: Step::$next.name(),
                    }),+],
                }),+],
            };

            // A flow of which every step is decided by its state calls nobody.
            #[allow(unused_variables)]
            async fn act(
                step: &str,
                state: &mut $state,
                turn: &$crate::engine::Turn,
                ports: &$ports,
            ) -> Result<$crate::engine::Chosen, $crate::engine::Fault> {
                match Step::parse(step) {
                    $(Some(Step::$step) =>
                        $crate::flow!(@act $handler, $step, state, turn, ports $(, by $means)? $(, $until)?),)+
                    _ => Err($crate::engine::Fault::Stop(format!("no handler of {} acts at {step}", $name))),
                }
            }

            // A flow of which every step acts decides nothing.
            #[allow(unused_variables)]
            fn decide(
                step: &str,
                state: &mut $state,
                turn: &$crate::engine::Turn,
                woke: $crate::engine::Woke<'_>,
            ) -> Result<$crate::engine::Chosen, $crate::engine::Fault> {
                match Step::parse(step) {
                    $(Some(Step::$step) =>
                        $crate::flow!(@decide $handler, $step, state, turn, woke; $($($heard),+)?),)+
                    _ => Err($crate::engine::Fault::Stop(format!("no handler of {} waits at {step}", $name))),
                }
            }

            fn until(
                step: &str,
                state: &$state,
            ) -> Option<$crate::engine::parts::DateTime<$crate::engine::parts::Utc>> {
                match Step::parse(step)? {
                    $(Step::$step => $crate::flow!(@deadline state $($until)?),)+
                    _ => { let _ = state; None }
                }
            }

            fn lacks(step: &str, state: &$state) -> Vec<&'static str> {
                $crate::flow!(@lacks step, state $(, $lacks)?)
            }

            fn sample() -> Option<$state> {
                $crate::flow!(@option $($sample())?)
            }

            fn effects(
                run: $crate::engine::RunId,
                edge: &$crate::engine::Edge,
                state: &$state,
            ) -> Vec<$crate::engine::Effect> {
                $crate::flow!(@effects run, edge, state; $($effects)?)
            }

            fn project<'a>(
                conn: &'a mut $crate::engine::parts::PgConnection,
                tenant: &'a str,
                moved: &'a [$crate::engine::Projected<$state>],
            ) -> $crate::engine::parts::BoxFuture<'a, $crate::engine::parts::SqlResult<()>> {
                $crate::flow!(@project conn, tenant, moved; $($project)?)
            }
        }
    };

    (@woke $step:ident;) => {};
    (@woke $step:ident; $($heard:ident),+) => {
        #[derive(Debug, Clone)]
        pub enum $step { $($heard(super::$heard),)+ Deadline }

        impl $step {
            pub(super) fn from_wake(woke: $crate::engine::Woke<'_>) -> Result<Self, $crate::engine::Fault> {
                match woke {
                    $crate::engine::Woke::Deadline => Ok(Self::Deadline),
                    $($crate::engine::Woke::Signal { name: stringify!($heard), payload } => {
                        <super::$heard as $crate::engine::parts::Deserialize>::deserialize(payload).map(Self::$heard).map_err(|error| {
                            $crate::engine::Fault::Stop(format!(
                                "the signal {} cannot be read: {error}", stringify!($heard)
                            ))
                        })
                    })+
                    $crate::engine::Woke::Signal { name, .. } => Err($crate::engine::Fault::Stop(format!(
                        "the step {} does not hear the signal {name}", stringify!($step)
                    ))),
                }
            }
        }
    };

    (@effects $run:ident, $edge:ident, $state:ident;) => {{
        let _ = ($run, $edge, $state);
        Vec::new()
    }};
    (@effects $run:ident, $edge:ident, $state:ident; $effects:path) => { $effects($run, $edge, $state) };

    (@projects) => { false };
    (@projects $project:path) => { true };
    (@project $conn:ident, $tenant:ident, $moved:ident;) => {{
        let _ = ($conn, $tenant, $moved);
        Box::pin(std::future::ready(Ok(())))
    }};
    (@project $conn:ident, $tenant:ident, $moved:ident; $project:path) => {
        Box::pin($project($conn, $tenant, $moved))
    };

    (@option) => { None };
    (@option $one:expr) => { Some($one) };

    (@lacks $step:ident, $state:ident) => {{
        let _ = ($step, $state);
        Vec::new()
    }};
    (@lacks $step:ident, $state:ident, $lacks:path) => {
        Step::parse($step).map(|step| $lacks(step, $state)).unwrap_or_default()
    };

    // A step that calls somebody, or waits, is not decided by its state alone: there is no rule for both.
    (@by) => { false };
    (@by at $lane:ident) => { false };
    (@by until $until:ident) => { false };
    (@by at $lane:ident until $until:ident) => { false };
    (@by state) => { true };
    (@by $($other:tt)+) => { compile_error!("a step is decided `by state`, and then has neither `at` nor `until`") };

    (@priority) => { $crate::engine::Priority::Normal };
    (@priority $priority:ident) => { $crate::engine::Priority::$priority };

    (@act $handler:ident, $step:ident, $state:ident, $turn:ident, $ports:ident) => {
        $handler($state, $turn, $ports).await.map(outcome::$step::chosen)
    };
    (@act $handler:ident, $step:ident, $state:ident, $turn:ident, $ports:ident, by state) => {
        Ok($handler($state).chosen())
    };
    (@act $handler:ident, $step:ident, $state:ident, $turn:ident, $ports:ident, $until:ident) => {
        Err($crate::engine::Fault::Stop(concat!("the step ", stringify!($step), " waits and does not act").to_owned()))
    };
    (@decide $handler:ident, $step:ident, $state:ident, $turn:ident, $woke:ident;) => {
        Err($crate::engine::Fault::Stop(concat!("the step ", stringify!($step), " acts and does not wait").to_owned()))
    };
    (@decide $handler:ident, $step:ident, $state:ident, $turn:ident, $woke:ident; $($heard:ident),+) => {
        Ok($handler($state, $turn, woke::$step::from_wake($woke)?).chosen())
    };

    (@deadline $state:ident) => { None };
    (@deadline $state:ident $until:ident) => { Some($until($state)) };
}
