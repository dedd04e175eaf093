-- A run whose first step acts may begin in the hands of the worker that starts it, without being claimed: `holder`. Should
-- that worker die, its lease ends as with any other run. The body is 0011's, but for that.
drop function start_runs(
    text, uuid[], text[], text[], text[], text[], text[], smallint[], timestamptz[], jsonb[], uuid[], text[], text[]);
create function start_runs(
    of_tenant text, ids uuid[], workflows text[], keys text[], steps text[], hears text[], lanes text[],
    priorities smallint[], dues timestamptz[], states jsonb[], parents uuid[], reports_by text[], traces text[],
    holder uuid default null
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
                         trace, worker, generation)
        select of_tenant, t.id, t.workflow, t.key, t.step,
               case when t.due is not null then 'waiting' when holder is null then 'pending' else 'running' end,
               coalesce(t.due, case when holder is null then engine_now() end), string_to_array(t.hears, ','), t.lane,
               t.priority, t.parent, t.reports, t.trace, case when t.due is null then holder end,
               case when t.due is null and holder is not null then 1 else 0 end
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
