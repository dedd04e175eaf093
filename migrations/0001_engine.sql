-- The engine's tables. A run is one row here; what it knows is apart in run_state; nothing here knows a hospital.
-- Every key begins with the tenant, so that a large installation can be distributed by it.

-- The clock. Empty: the server's own. With a row: an instant set by hand, which stands still, or runs on from
-- `running_since`. Demo and tests move it; a production database never has the row.
create table clock (
    only_row boolean primary key default true check (only_row),
    hand timestamptz not null,
    running_since timestamptz
);

-- What time it is for every deadline, timer and signal. Leases alone use the server's own clock.
create function engine_now() returns timestamptz language sql stable as $$
    select coalesce(
        (select hand + coalesce(clock_timestamp() - running_since, interval '0') from clock),
        clock_timestamp())
$$;

create table worker (
    tenant text not null,
    id uuid not null,
    name text not null,
    started_at timestamptz not null default clock_timestamp(),
    lease_until timestamptz not null,
    primary key (tenant, id)
);

create table run (
    tenant text not null,
    id uuid not null,
    workflow text not null,
    key text not null,                      -- the caller's name for it; the same key is the same run
    step text not null,                     -- a step of the workflow's table, or one of its endings
    status text not null check (status in
        ('pending', 'running', 'waiting', 'suspended', 'cancelled', 'faulted', 'completed')),
    generation integer not null default 0,  -- the fence: a claim raises it, a commit must still find it
    turn integer not null default 0,        -- how many turns have been committed
    attempt integer not null default 0,     -- failed attempts at the present step
    again boolean not null default false,   -- the present step may have called out before without a trace
    due_at timestamptz,                     -- when the next turn is due; null: only a signal or a person moves it
    listens text[] not null default '{}',   -- the signals that wake the present step
    signal_count integer not null default 0,-- signals ever received; a waiting turn commits only if it saw them all
    worker uuid,
    last_error text,
    created_at timestamptz not null default engine_now(),
    updated_at timestamptz not null default engine_now(),
    ended_at timestamptz,
    primary key (tenant, id)
) with (fillfactor = 70);
create unique index run_key on run (tenant, workflow, key);
-- The claim: live and due, oldest first. Ended runs are not in it.
create index run_due on run (tenant, due_at) where status in ('pending', 'waiting') and due_at is not null;
-- The reaper: what a dead worker left.
create index run_running on run (tenant, worker) where status = 'running';
-- The lists that people look at, newest first.
create index run_recent on run (tenant, workflow, id desc);
create index run_suspended on run (tenant, updated_at) where status = 'suspended';

create table run_state (
    tenant text not null,
    run_id uuid not null,
    state jsonb not null,                   -- references only, never personal data
    primary key (tenant, run_id)
) with (fillfactor = 70);

-- What happened, append-only: one row a committed turn, failed attempts included.
create table turn (
    tenant text not null,
    run_id uuid not null,
    seq bigint generated always as identity,
    turn integer not null,
    at timestamptz not null default engine_now(),
    step text not null,
    woke text,                              -- the signal's name, 'deadline', or null for a step that acts
    outcome text,                           -- null where the attempt failed
    next text not null,
    error text,
    attempt integer not null,
    took_ms integer not null,
    primary key (tenant, run_id, seq)
);

-- Signals, durable before they are acknowledged. A run hears each signal id once.
create table inbox (
    tenant text not null,
    run_id uuid not null,
    signal_id text not null,
    seq bigint generated always as identity,
    name text not null,
    payload jsonb not null,
    received_at timestamptz not null default engine_now(),
    read_turn integer,                      -- the turn that heard it; null: not yet; 0: it came too late for any
    primary key (tenant, run_id, signal_id)
);
create index inbox_unread on inbox (tenant, run_id, seq) where read_turn is null;

-- What is to be told outside, written in the transaction that enters a step; delivered at least once.
create table outbox (
    tenant text not null,
    id text not null,                       -- the dedupe id that the receiver sees
    run_id uuid not null,
    topic text not null,
    payload jsonb not null,
    status text not null default 'pending' check (status in
        ('pending', 'sending', 'sent', 'suppressed', 'undeliverable', 'suspended')),
    attempt integer not null default 0,
    due_at timestamptz not null default engine_now(),
    worker uuid,
    reference text,                         -- the receiver's id for it
    last_error text,
    created_at timestamptz not null default engine_now(),
    settled_at timestamptz,
    primary key (tenant, id)
);
create index outbox_due on outbox (tenant, due_at) where status = 'pending';
create index outbox_sending on outbox (tenant, worker) where status = 'sending';
create index outbox_run on outbox (tenant, run_id);
