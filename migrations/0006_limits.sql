-- Limits of what runs and letters call (rule 10): how many calls at one time, how many a second, and whether any at all
-- while the other side is down. Shared by all workers without a row that all of them write.

-- A destination: a system outside that steps call (`at his`) and letters go to. Written when its state changes and when
-- a worker begins, never by a call. Instants of the breaker are the engine's clock.
create table destination (
    tenant text not null,
    name text not null,                     -- as steps name it; `run.lane`
    concurrency_max integer not null check (concurrency_max > 0), -- calls at one time, all workers together
    rate_per_s float8 check (rate_per_s > 0), -- calls a second (real time), all workers together; null: any
    failures_min integer not null check (failures_min > 0), -- fewer failures in the window never open the breaker
    failures_share float8 not null check (failures_share > 0 and failures_share <= 1), -- of all calls in the window
    open_s float8 not null check (open_s > 0),         -- how long the first pause lasts; each next one twice as long
    open_max_s float8 not null check (open_max_s >= open_s), -- up to this
    topics text[] not null default '{}',    -- the topics of the outbox whose letters go there
    state text not null default 'closed' check (state in ('closed', 'open', 'half_open')),
    epoch integer not null default 0,       -- raised by every change of state and by the switch: what was counted before
                                            -- does not count; a tally of the same epoch is of a worker that has seen it
    opened_at timestamptz,                  -- since when it is down; null once it has recovered for good
    open_until timestamptz,                 -- when it may be tried again
    openings integer not null default 0,    -- pauses in a row
    prober uuid,                            -- half open: the worker that makes the one call
    ramp integer check (ramp > 0),          -- recovering: calls at one time for now; null: all of concurrency_max
    last_error text,                        -- what opened it last, without personal data
    paused_at timestamptz,                  -- a person's own switch, apart from the breaker; null: not paused
    paused_by text,
    paused_why text,
    primary key (tenant, name),
    check ((state = 'open') = (open_until is not null)),
    check ((state = 'half_open') = (prober is not null))
);

-- What one worker does at one destination. Each worker writes only its own rows, once a heartbeat and at once when the
-- breaker may open; the sum over live workers is what decides.
create table destination_tally (
    tenant text not null,
    destination text not null,
    worker uuid not null,
    holds integer not null default 0,       -- calls that it may have in hand until it says otherwise
    in_hand integer not null default 0,     -- calls that it had in hand when it wrote this
    short boolean not null default false,   -- it had more to do here than it may
    epoch integer not null default 0,       -- the destination's, when these were counted:
    ok integer not null default 0,          -- calls that were answered, in the last seconds before counted_at
    failed integer not null default 0,      -- calls that certainly did nothing
    unknown integer not null default 0,     -- calls that left the outcome unknown
    counted_at timestamptz not null default engine_now(),
    primary key (tenant, destination, worker)
) with (fillfactor = 70);

-- What became of destinations, for staff: opened, probed, recovered, paused, resumed. Append-only.
create table destination_event (
    tenant text not null,
    destination text not null,
    seq bigint generated always as identity,
    at timestamptz not null default engine_now(),
    what text not null check (what in ('opened', 'probed', 'closed', 'recovered', 'paused', 'resumed')),
    who text,                               -- the person, where one did it
    why text,                               -- the person's reason, or what went wrong
    primary key (tenant, destination, seq)
);

-- Which other workers this one reckons with when it takes its share; null: it does not share (a release before this).
alter table worker add column peers uuid[];

-- The claim: live and due, by destination and priority, so that what waits for one does not stand in the way of others.
drop index run_due;
create index run_due on run (tenant, lane, priority, due_at)
    where status in ('pending', 'waiting') and due_at is not null;
-- The same for letters.
drop index outbox_due;
create index outbox_due on outbox (tenant, topic, due_at) where status = 'pending';
