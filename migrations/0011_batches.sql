-- What workers do all the time, in as few trips and index entries as possible.

-- Steps that follow one another in a worker's hands change no column of any index, so that such an update stays on its
-- page (HOT). That is why lists by step read the step at which a run came to rest; what is in hand is found by
-- run_running.
alter table run add column rest_step text generated always as (case when status <> 'running' then step end) stored;
drop index run_step;
create index run_step on run (tenant, rest_step, id desc) where rest_step is not null;

-- Whether the beginning of a key is found by its index or on the way through the newest runs depends on how many begin so.
alter table run alter column key set statistics 1000;
alter table run_archive alter column key set statistics 1000;

-- Rows of a queue are rewritten many times and read at once afterwards: room on the page for the next version, and a
-- sweep that does not wait for a share of a table that mostly stands still.
alter table run set (fillfactor = 60, autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_cost_delay = 0);
alter table run_state set (fillfactor = 60, autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_cost_delay = 0);
alter table inbox set (fillfactor = 80, autovacuum_vacuum_scale_factor = 0.05);
alter table outbox set (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.05);

-- What a run knows, as of now and not as of the statement that asks: a claim locks the row of `run` first and reads this
-- afterwards, so that step and state are of one moment.
create function state_of(of_tenant text, of_run uuid) returns jsonb language plpgsql volatile as $$
begin
    return coalesce((select s.state from run_state s where s.tenant = of_tenant and s.run_id = of_run), 'null');
end $$;

-- Commits turns that finished together, each fenced by itself: one whose run was claimed again or moved changes nothing
-- and is not among the answers. What moves caused in other runs is written by the caller, in the same transaction.
--
-- First the rows of `run` are locked, in the order of their ids: those of the turns and `also`, which the caller is about
-- to signal. The instant of the turns is read behind that, the late signals behind everything: each statement in here
-- sees what was committed before it began.
--
-- `did` is 'moved', 'parked' (woken for nothing that the step hears) or 'failed'. A move that is `by_signals` is fenced by
-- the signals that it saw as well: one that arrived meanwhile must be looked at before a deadline may win.
--
-- A run that has ended and has a parent is answered with it: the caller tells the parent, in the same transaction. A
-- caller that has none (`alone`) gets HB002 and nothing is written.
create function commit_turns(
    of_tenant text, alone boolean, also uuid[],
    runs uuid[], generations integer[], turn_numbers integer[], attempts integer[], seen integer[],
    by_signals boolean[], steps text[], took integer[], did text[],
    statuses text[], nexts text[], dues timestamptz[], hears text[], lanes text[], priorities smallint[], owed text[],
    states jsonb[], wokes text[], heard text[], outcomes text[], said text[],   -- moves
    waits_s float8[], errors text[], faults text[],                             -- failed attempts
    letter_turns integer[], letter_ids text[], letter_topics text[], letter_payloads jsonb[]
) returns table (
    held_run uuid, held_generation integer, held_at timestamptz, of_key text, of_parent uuid, reports_by text
) language plpgsql
-- Whatever the statistics say today: each row is found by its key.
set jit = off set enable_seqscan = off set enable_hashjoin = off set enable_mergejoin = off
set plan_cache_mode = force_generic_plan
as $$
declare
    now_is timestamptz;
    held bigint[];
    ended uuid[];
    with_parent boolean;
begin
    if cardinality(runs) + cardinality(also) > 1 then
        perform from run r where r.tenant = of_tenant and r.id = any(runs || also) order by r.id for update;
    end if;
    now_is := engine_now();
    with t as (
        select * from unnest(runs, generations, turn_numbers, attempts, seen, by_signals, steps, took, did, statuses, nexts,
                             dues, hears, lanes, priorities, owed, states, wokes, heard, outcomes, said, waits_s,
                             errors, faults) with ordinality
            as t (run, generation, turn, attempt, seen, by_signals, step, took_ms, did, status, next, due, hears, lane, priority,
                  owes, state, woke, heard, outcome, said, wait_s, error, fault, nth)),
    moved as (
        update run r
        set step = coalesce(t.next, r.step), status = t.status,
            turn = r.turn + (t.did = 'moved')::int,
            attempt = case when t.did = 'failed' then r.attempt + 1 else 0 end,
            again = t.did = 'failed' and r.again,
            last_error = t.error, fault = t.fault,
            failing_since = case when t.did = 'failed' then coalesce(r.failing_since, now_is) end,
            lane = coalesce(t.lane, r.lane), priority = coalesce(t.priority, r.priority),
            owes = coalesce(string_to_array(t.owes, ','), r.owes),
            listens = case when t.did = 'failed' then r.listens else string_to_array(t.hears, ',') end,
            due_at = case when t.did = 'failed' then now_is + make_interval(secs => t.wait_s)
                          -- A run that comes to rest with signals that nobody has seen is due at once.
                          when t.status = 'pending' or (t.status = 'waiting' and r.signal_count > t.seen) then now_is
                          else t.due end,
            worker = case when t.status = 'running' then r.worker end,
            ended_at = case when t.status = 'completed' then now_is end,
            updated_at = now_is
        from t
        where r.tenant = of_tenant and r.id = t.run and r.generation = t.generation and r.status = 'running'
          and (not t.by_signals or r.signal_count = t.seen)
        returning t.nth, r.reports),
    known as (
        update run_state s set state = t.state
        from t join moved using (nth)
        where s.tenant = of_tenant and s.run_id = t.run and t.did = 'moved'),
    told as (
        insert into turn (tenant, run_id, turn, at, step, attempt, took_ms, woke, outcome, next, error, fault)
        select of_tenant, t.run, t.turn, now_is, t.step, t.attempt, t.took_ms, t.woke, t.outcome,
               coalesce(t.next, t.step), coalesce(t.error, t.said), t.fault
        from t join moved using (nth) where t.did <> 'parked' order by nth),
    listened as (
        update inbox i set read_turn = t.turn
        from t join moved using (nth)
        where t.heard is not null and i.tenant = of_tenant and i.run_id = t.run and i.signal_id = t.heard),
    posted as (
        insert into outbox (tenant, id, run_id, topic, payload)
        select of_tenant, l.id, t.run, l.topic, l.payload
        from unnest(letter_turns, letter_ids, letter_topics, letter_payloads) as l (nth, id, topic, payload)
        join moved on moved.nth = l.nth join t on t.nth = l.nth
        on conflict (tenant, id) do nothing)
    select array_agg(nth), array_agg(t.run) filter (where t.status = 'completed'),
           bool_or(t.status = 'completed' and moved.reports is not null)
    into held, ended, with_parent
    from moved join t using (nth);
    if alone and with_parent then raise 'a run that has ended has a parent' using errcode = 'HB002'; end if;
    -- What a run has not heard when it ends came too late: it stays visible as turn 0. Signals of which the turn knew
    -- nothing are among it: a step that acts is not fenced by them.
    if ended is not null then
        update inbox set read_turn = 0 where tenant = of_tenant and run_id = any(ended) and read_turn is null;
    end if;
    return query
        select runs[n], generations[n], now_is, r.key, r.parent, r.reports from unnest(held) as n
        left join run r on with_parent and statuses[n] = 'completed' and r.tenant = of_tenant and r.id = runs[n]
                       and r.reports is not null;
end $$;

-- Starts many runs; one whose key stands already, archived or not, is left out. Answers those that were started, and puts
-- the signals that came before them into their inboxes.
create or replace function start_runs(
    of_tenant text, ids uuid[], workflows text[], keys text[], steps text[], hears text[], lanes text[],
    priorities smallint[], dues timestamptz[], states jsonb[], parents uuid[], reports_by text[], traces text[]
) returns setof uuid language plpgsql
set jit = off set enable_seqscan = off set enable_hashjoin = off set enable_mergejoin = off
set plan_cache_mode = force_generic_plan
as $$
declare
    new uuid[];
    early uuid[];
begin
    with new_run as (
        insert into run (tenant, id, workflow, key, step, status, due_at, listens, lane, priority, parent, reports,
                         trace)
        select of_tenant, t.id, t.workflow, t.key, t.step,
               case when t.due is null then 'pending' else 'waiting' end, coalesce(t.due, engine_now()),
               string_to_array(t.hears, ','), t.lane, t.priority, t.parent, t.reports, t.trace
        from unnest(ids, workflows, keys, steps, hears, lanes, priorities, dues, parents, reports_by, traces)
             as t (id, workflow, key, step, hears, lane, priority, due, parent, reports, trace)
        -- Two that start the same keys at once wait for each other in one order.
        order by t.workflow, t.key
        on conflict (tenant, key, workflow) do nothing
        returning id)
    select array_agg(id) into new from new_run;
    if new is null then return; end if;
    -- A statement of its own sees what was archived while this one waited for a key. From here on the keys are ours, and
    -- nobody can archive them.
    with taken as (
        delete from run r using unnest(ids, workflows, keys) as t (id, workflow, key), run_archive a
        where t.id = any(new) and a.tenant = of_tenant and a.workflow = t.workflow and a.key = t.key
          and r.tenant = of_tenant and r.id = t.id
        returning r.id)
    select coalesce(array_agg(id) filter (where id not in (select id from taken)), '{}') into new from unnest(new) as id;
    insert into run_state (tenant, run_id, state)
    select of_tenant, t.id, t.state from unnest(ids, states) as t (id, state) where t.id = any(new);
    select array_agg(t.id) into early from unnest(ids, workflows, keys) as t (id, workflow, key)
    where t.id = any(new)
      and (exists (select from unmatched u where u.tenant = of_tenant and u.status = 'waiting'
                                              and u.workflow = t.workflow and u.key = t.key)
           or exists (select from unmatched u where u.tenant = of_tenant and u.status = 'waiting' and u.run_id = t.id));
    if early is not null then perform match_early(of_tenant, early); end if;
    return query select unnest(new);
end $$;
