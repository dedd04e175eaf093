-- Jobs: what starts runs by the clock (rule 11). One row a job; a handful of rows, so none needs an index besides the key.

create table job (
    tenant text not null,
    name text not null,
    workflow text not null,                 -- what its ticks start
    cron text not null,                     -- five fields
    zone text not null,                     -- in whose clock
    missed text not null check (missed in ('skip', 'one', 'all')), -- what becomes of ticks that nobody started in time
    jitter_s float8 not null check (jitter_s >= 0), -- a tick starts up to so much later, derived from job and tick
    next_tick timestamptz,                  -- the first tick that was neither started nor passed over; null: none is left
    due_at timestamptz,                     -- when it is tried: the tick with its jitter, or the next attempt
    last_tick timestamptz,                  -- the last tick whose runs were started
    last_started_at timestamptz,            -- when runs were started last, by a tick or by a person
    last_runs uuid[] not null default '{}', -- which
    missed_from timestamptz,                -- the first of those ticks that were passed over last
    failures integer not null default 0,    -- starts that have failed since the last one that did not
    failing_since timestamptz,
    last_error text,                        -- why a start failed last; kept until one succeeds
    paused_at timestamptz,                  -- a person's switch; null: not paused
    paused_by text,
    paused_why text,
    primary key (tenant, name)
);

-- A deed to a job.
alter table audit add column job text;
