-- What people do to runs: every deed with its reason, and deeds on many runs at once.

-- Who did what to which run, when and why; written in the transaction of the deed, never changed.
create table audit (
    tenant text not null,
    id uuid not null,                       -- time-ordered
    at timestamptz not null default engine_now(),
    who text not null,                      -- the API key's name, or user@cli
    verb text not null,                     -- retry, answer, jump, signal, suspend, resume, cancel; bulk.begin and so on
    run_id uuid,                            -- null: a deed on a bulk itself
    reason text not null,
    before jsonb not null,                  -- how the run stood: status, step, attempts, what it owed
    after jsonb not null,                   -- how it stands, and what was supplied
    bulk uuid,                              -- the bulk that it belonged to
    written_at timestamptz not null default clock_timestamp(), -- by the server's own clock: calls outside take real time
    primary key (tenant, id)
);
-- What was done to one run, newest first.
create index audit_of_run on audit (tenant, run_id, id desc) where run_id is not null;
-- What one person did, newest first.
create index audit_of_person on audit (tenant, who, id desc);

-- One verb for many runs. Any worker takes a chunk: the verbs, the counts and the cursor are one transaction.
create table bulk (
    tenant text not null,
    id uuid not null,
    verb text not null,
    arguments jsonb not null,               -- the whole verb, as it is done to each run
    filter jsonb not null,
    who text not null,
    reason text not null,
    status text not null check (status in ('running', 'paused', 'done', 'cancelled')),
    up_to uuid not null,                    -- the newest run when it began: later ones are not its business
    cursor uuid,                            -- the last run that was looked at
    total bigint not null,                  -- how many the filter held when it began
    done bigint not null default 0,
    refused jsonb not null default '{}',    -- how many were refused, by code
    per_second integer not null check (per_second > 0),
    next_at timestamptz not null default clock_timestamp(), -- rates go by the server's own clock
    created_at timestamptz not null default engine_now(),
    updated_at timestamptz not null default engine_now(),
    ended_at timestamptz,
    primary key (tenant, id)
);
-- What a worker looks for between its polls; ended bulks are not in it.
create index bulk_running on bulk (tenant, next_at) where status = 'running';
