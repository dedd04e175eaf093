-- `start_runs` (0016) and `commit_turns` (0017) as before, but for what they did once a row and need once a call: the clock
-- is asked once, and the looks for a parent are for calls in which one waits.
create or replace function start_runs(
    of_tenant text, ids uuid[], workflows text[], keys text[], steps text[], hears text[], lanes text[],
    priorities smallint[], dues timestamptz[], states jsonb[], parents uuid[], reports_by text[], traces text[],
    holder uuid default null
) returns setof uuid language plpgsql
set jit = off set enable_seqscan = off set enable_hashjoin = off set enable_mergejoin = off
set plan_cache_mode = force_generic_plan
as $$
declare
    now_is timestamptz := engine_now();
    new uuid[];
    early uuid[];
begin
    with new_run as (
        insert into run (tenant, id, workflow, key, step, status, due_at, listens, lane, priority, parent, reports,
                         trace, worker, generation, created_at, updated_at)
        select of_tenant, t.id, t.workflow, t.key, t.step,
               case when t.due is not null then 'waiting' when holder is null then 'pending' else 'running' end,
               coalesce(t.due, case when holder is null then now_is end), string_to_array(t.hears, ','), t.lane,
               t.priority, t.parent, t.reports, t.trace, case when t.due is null then holder end,
               case when t.due is null and holder is not null then 1 else 0 end, now_is, now_is
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
        delete from run r
        using (select r.place from unnest(ids, workflows, keys) as t (id, workflow, key)
               cross join lateral (
                   select from run_archive a
                   where a.tenant = of_tenant and a.key = t.key and a.workflow = t.workflow limit 1) a
               cross join lateral (
                   select r.ctid as place from run r where r.tenant = of_tenant and r.id = t.id limit 1) r
               where t.id = any(new)) t
        where r.ctid = t.place
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

create or replace function commit_turns(
    of_tenant text, alone boolean, also uuid[],
    runs uuid[], generations integer[], turn_numbers integer[], attempts integer[], seen integer[],
    by_signals boolean[], steps text[], took integer[], did text[],
    statuses text[], nexts text[], dues timestamptz[], hears text[], lanes text[], priorities smallint[], owed text[],
    states jsonb[], wokes text[], heard text[], outcomes text[], said text[],   -- moves
    waits_s float8[], errors text[], faults text[],                             -- failed attempts
    letter_turns integer[], letter_ids text[], letter_topics text[], letter_payloads jsonb[],
    absorbing_turns integer[], absorbed_ids text[]
) returns table (
    held_run uuid, held_generation integer, held_at timestamptz, of_key text, of_parent uuid, reports_by text
) language plpgsql
set jit = off set enable_seqscan = off set enable_hashjoin = off set enable_mergejoin = off
set plan_cache_mode = force_generic_plan
as $$
declare
    now_is timestamptz;
    held bigint[];
    ended uuid[];
    with_parent boolean;
begin
    perform from (select distinct id from unnest(runs || also) as id order by id) one
    cross join lateral (select from run r where r.tenant = of_tenant and r.id = one.id for update) locked;
    now_is := engine_now();
    with found as materialized (
        select t.*, r.place
        from unnest(runs, generations, turn_numbers, attempts, seen, by_signals, steps, took, did, statuses, nexts, dues,
                    hears, lanes, priorities, owed, states, wokes, heard, outcomes, said, waits_s, errors, faults)
             with ordinality
             as t (run, generation, turn, attempt, seen, by_signals, step, took_ms, did, status, next, due, hears, lane,
                   priority, owes, state, woke, heard, outcome, said, wait_s, error, fault, nth)
        cross join lateral (
            select r.ctid as place, r.generation, r.status, r.signal_count from run r
            where r.tenant = of_tenant and r.id = t.run limit 1) r
        where r.generation = t.generation and r.status = 'running'
          and (not t.by_signals or r.signal_count = t.seen)),
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
        from found t where r.ctid = t.place
        returning t.nth, t.run, t.turn, t.did, t.step, t.attempt, t.took_ms, t.woke, t.outcome,
                  coalesce(t.next, t.step) as next, coalesce(t.error, t.said) as error, t.fault, t.state, t.heard,
                  t.status, r.reports),
    known as (
        update run_state s set state = m.state
        from (select moved.state, s.place from moved cross join lateral (
                  select s.ctid as place from run_state s
                  where s.tenant = of_tenant and s.run_id = moved.run limit 1) s
              where moved.did = 'moved') m
        where s.ctid = m.place),
    told as (
        insert into turn (tenant, run_id, turn, at, step, attempt, took_ms, woke, outcome, next, error, fault)
        select of_tenant, m.run, m.turn, now_is, m.step, m.attempt, m.took_ms, m.woke, m.outcome, m.next, m.error, m.fault
        from moved m where m.did <> 'parked' order by m.nth),
    listened as (
        update inbox i set read_turn = m.turn
        from (select moved.turn, i.place from moved cross join lateral (
                  select i.ctid as place from inbox i
                  where i.tenant = of_tenant and i.run_id = moved.run and i.signal_id = moved.heard limit 1) i
              where moved.heard is not null) m
        where i.ctid = m.place),
    absorbed as (
        update inbox i set read_turn = m.turn
        from (select moved.turn, i.place
              from unnest(absorbing_turns, absorbed_ids) as a (nth, id)
              join moved on moved.nth = a.nth
              cross join lateral (
                  select i.ctid as place from inbox i
                  where i.tenant = of_tenant and i.run_id = moved.run and i.signal_id = a.id limit 1) i
              where moved.did = 'moved') m
        where i.ctid = m.place),
    posted as (
        insert into outbox (tenant, id, run_id, topic, payload, due_at, created_at)
        select of_tenant, l.id, m.run, l.topic, l.payload, now_is, now_is
        from unnest(letter_turns, letter_ids, letter_topics, letter_payloads) as l (nth, id, topic, payload)
        join moved m on m.nth = l.nth
        on conflict (tenant, id) do nothing)
    select array_agg(m.nth), array_agg(m.run) filter (where m.status = 'completed'),
           bool_or(m.status = 'completed' and m.reports is not null)
    into held, ended, with_parent
    from moved m;
    if alone and with_parent then raise 'a run that has ended has a parent' using errcode = 'HB002'; end if;
    -- What a run has not heard when it ends came too late: it stays visible as turn 0. Signals of which the turn knew
    -- nothing are among it: a step that acts is not fenced by them.
    if ended is not null then
        update inbox i set read_turn = 0
        from (select i.place from unnest(ended) as one (run) cross join lateral (
                  select i.ctid as place from inbox i
                  where i.tenant = of_tenant and i.run_id = one.run and i.read_turn is null offset 0) i) late
        where i.ctid = late.place;
    end if;
    if with_parent is not true then
        return query select runs[n], generations[n], now_is, null::text, null::uuid, null::text from unnest(held) as n;
        return;
    end if;
    return query
        select runs[n], generations[n], now_is, r.key, r.parent, r.reports from unnest(held) as n
        left join lateral (
            select r.key, r.parent, r.reports from run r where r.tenant = of_tenant and r.id = runs[n] limit 1) r
            on statuses[n] = 'completed' and r.reports is not null;
end $$;
