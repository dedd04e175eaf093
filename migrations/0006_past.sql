-- What is past stays readable and stops growing: history by month, ended runs in an archive, early signals kept until
-- their run appears, and counts of what has ended that nobody has to count again.

-- History, partitioned by the month (UTC) of `at`, so that an old month is dropped as a whole. Its numbers come from a
-- sequence of its own: they rise over all months.
alter table turn rename to turn_before;
alter index turn_pkey rename to turn_before_pkey;
create table turn (like turn_before including defaults including constraints) partition by range (at);
create sequence turn_number as bigint owned by turn.seq;
alter table turn
    alter column seq set default nextval('turn_number'),
    add primary key (tenant, run_id, seq, at);  -- a run's history: one index scan a month
-- What has no month of its own: a clock that was moved by hand, and lines of old months that live runs still need.
create table turn_default partition of turn default;
-- How much of a month stands here, and what of it is too old, without reading all of it.
create index turn_default_at on turn_default (at);
do $$
declare
    month timestamp;
begin
    for month in
        select date_trunc('month', at at time zone 'UTC') from turn_before
        union
        select date_trunc('month', engine_now() at time zone 'UTC') + make_interval(months => n)
        from generate_series(0, 1) as n
    loop
        execute format('create table turn_y%sm%s partition of turn for values from (%L) to (%L)',
                       to_char(month, 'YYYY'), to_char(month, 'MM'),
                       month at time zone 'UTC', (month + interval '1 month') at time zone 'UTC');
    end loop;
end $$;
insert into turn select * from turn_before;
select setval('turn_number', coalesce(max(seq), 0) + 1, false) from turn_before;
drop table turn_before;

-- The same uniqueness as before in an order that also finds the beginning of a key (byte order, whatever the collation).
drop index run_key;
create unique index run_key on run (tenant, key text_pattern_ops, workflow);
-- Live runs by status, newest first: lists and counts read these however many have ended. Replaces run_suspended.
drop index run_suspended;
create index run_live on run (tenant, status, id desc) include (workflow)
    where status in ('pending', 'running', 'waiting', 'suspended');
-- Runs at a step or an ending, newest first.
create index run_step on run (tenant, step, id desc);
-- The few that ended badly; those that completed are most of what there is and need no index of their own.
create index run_ended_badly on run (tenant, status, id desc) where status in ('cancelled', 'faulted');
-- What may go into the archive, oldest first.
create index run_ended on run (tenant, ended_at) where status in ('completed', 'cancelled', 'faulted');

-- Runs that ended long ago, with what they knew. A key that stands here is taken: the same key is the same run.
create table run_archive (like run including defaults including constraints);
alter table run_archive
    add column state jsonb not null default '{}',
    add column archived_at timestamptz not null default engine_now(),
    add primary key (tenant, id);
create unique index run_archive_key on run_archive (tenant, key text_pattern_ops, workflow);
-- The same lists as of `run`.
create index run_archive_recent on run_archive (tenant, workflow, id desc);
create index run_archive_step on run_archive (tenant, step, id desc);
create index run_archive_ended_badly on run_archive (tenant, status, id desc) where status in ('cancelled', 'faulted');
-- What is to be forgotten, oldest first.
create index run_archive_ended on run_archive (tenant, ended_at);

-- Settled letters, oldest first, for retention; and the few that wait for a person, for their count.
create index outbox_settled on outbox (tenant, settled_at) where settled_at is not null;
create index outbox_awaits_person on outbox (tenant) where status = 'suspended';

-- Signals that were heard long ago by runs that never end. They lie in the order of arrival: a summary of pages will do.
create index inbox_received on inbox using brin (received_at) with (autosummarize = on);

-- Signals whose run there is not (yet): matched when it appears, expired by policy, shown to staff in any case.
create table unmatched (
    tenant text not null,
    id bigint generated always as identity, -- the order of arrival
    workflow text,                          -- by key: which workflow and key
    key text,
    run_id uuid,                            -- by id: an id that no run has
    name text not null,
    signal_id text not null,
    payload jsonb not null,
    received_at timestamptz not null default engine_now(),
    kept_at timestamptz not null default clock_timestamp(), -- by the server's clock: when the sweep may meet it first
    status text not null default 'waiting' check (status in ('waiting', 'matched', 'expired')),
    matched_run uuid,
    settled_at timestamptz,                 -- when it was matched or expired
    primary key (tenant, id),
    check ((workflow is null) = (key is null) and (key is null) <> (run_id is null))
);
-- Heard once, and found by whoever starts or signals the run.
create unique index unmatched_key on unmatched (tenant, workflow, key, signal_id)
    where status = 'waiting' and key is not null;
create unique index unmatched_run on unmatched (tenant, run_id, signal_id)
    where status = 'waiting' and run_id is not null;
-- The sweep looks at what came lately, expiry at what came long ago.
create index unmatched_kept on unmatched (tenant, kept_at) where status = 'waiting';
create index unmatched_received on unmatched (tenant, received_at) where status = 'waiting';
-- Staff's list, newest first, and what retention removes.
create index unmatched_status on unmatched (tenant, status, id desc);
create index unmatched_settled on unmatched (tenant, settled_at) where status <> 'waiting';

-- Puts what waits for these runs into their inboxes in the order of arrival and wakes those that listen. The caller has
-- their rows: it made them or locked them. A function, so that whoever starts runs inside the server does it too.
create function match_early(of_tenant text, runs uuid[]) returns bigint language sql as $$
    with mine as materialized (
        select id, workflow, key, status in ('completed', 'cancelled', 'faulted') as ended
        from run where tenant = of_tenant and id = any(runs)),
    found as (
        update unmatched u set status = 'matched', matched_run = m.id, settled_at = engine_now()
        from mine m
        where u.tenant = of_tenant and u.status = 'waiting'
          and ((u.workflow = m.workflow and u.key = m.key) or u.run_id = m.id)
        returning m.id as run_id, m.ended, u.id, u.signal_id, u.name, u.payload, u.received_at),
    new as (
        insert into inbox (tenant, run_id, signal_id, name, payload, received_at, read_turn)
        select of_tenant, run_id, signal_id, name, payload, received_at, case when ended then 0 end
        from found order by id
        on conflict (tenant, run_id, signal_id) do nothing
        returning run_id, name),
    woken as (
        update run r
        set signal_count = r.signal_count + t.n,
            due_at = case when r.status = 'waiting' and r.listens && t.names
                          then least(r.due_at, engine_now()) else r.due_at end
        from (select run_id, count(*)::int as n, array_agg(name) as names from new group by run_id) t
        where r.tenant = of_tenant and r.id = t.run_id)
    select count(*) from found
$$;

-- How many have ended, so that nobody counts ten million rows a scrape. Changes are appended by the triggers below (no
-- row that everybody waits for) and folded into the sums by whoever keeps house; what is read is the sum of both.
create table tally (
    tenant text not null,
    what text not null check (what in ('run', 'letter')),
    workflow text not null,                 -- '' for letters
    status text not null,
    n bigint not null,
    primary key (tenant, what, workflow, status)
);
create table tally_change (
    tenant text not null,
    what text not null,
    workflow text not null,
    status text not null,
    n integer not null
);
insert into tally
    select tenant, 'run', workflow, status, count(*) from run
    where status in ('completed', 'cancelled', 'faulted') group by tenant, workflow, status;
insert into tally
    select tenant, 'letter', '', status, count(*) from outbox
    where status in ('sent', 'suppressed', 'undeliverable') group by tenant, status;

-- Whoever moves a run or a letter: the condition is checked without calling the function, which runs once a life.
create function tally_run() returns trigger language plpgsql as $$
begin
    if old.status in ('completed', 'cancelled', 'faulted') then
        insert into tally_change values (old.tenant, 'run', old.workflow, old.status, -1);
    end if;
    if new.status in ('completed', 'cancelled', 'faulted') then
        insert into tally_change values (new.tenant, 'run', new.workflow, new.status, 1);
    end if;
    return null;
end $$;
create trigger tally_run after update of status on run for each row
    when (old.status is distinct from new.status
          and (old.status in ('completed', 'cancelled', 'faulted')
               or new.status in ('completed', 'cancelled', 'faulted')))
    execute function tally_run();
create function tally_letter() returns trigger language plpgsql as $$
begin
    if old.status in ('sent', 'suppressed', 'undeliverable') then
        insert into tally_change values (old.tenant, 'letter', '', old.status, -1);
    end if;
    if new.status in ('sent', 'suppressed', 'undeliverable') then
        insert into tally_change values (new.tenant, 'letter', '', new.status, 1);
    end if;
    return null;
end $$;
create trigger tally_letter after update of status on outbox for each row
    when (old.status is distinct from new.status
          and (old.status in ('sent', 'suppressed', 'undeliverable')
               or new.status in ('sent', 'suppressed', 'undeliverable')))
    execute function tally_letter();
