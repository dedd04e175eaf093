-- What sent a signal belongs to a trace; the turn that hears it links to it. A nullable column without a default costs no
-- rewrite, and a row without a trace no byte.

alter table inbox add column trace text;        -- the W3C traceparent of what sent it
alter table unmatched add column trace text;    -- goes with it

-- As before (migration 0006), and the trace goes with the signal.
create or replace function match_early(of_tenant text, runs uuid[]) returns bigint language sql as $$
    with mine as materialized (
        select id, workflow, key, status in ('completed', 'cancelled', 'faulted') as ended
        from run where tenant = of_tenant and id = any(runs)),
    found as (
        update unmatched u set status = 'matched', matched_run = m.id, settled_at = engine_now()
        from mine m
        where u.tenant = of_tenant and u.status = 'waiting'
          and ((u.workflow = m.workflow and u.key = m.key) or u.run_id = m.id)
        returning m.id as run_id, m.ended, u.id, u.signal_id, u.name, u.payload, u.received_at, u.trace),
    new as (
        insert into inbox (tenant, run_id, signal_id, name, payload, received_at, read_turn, trace)
        select of_tenant, run_id, signal_id, name, payload, received_at, case when ended then 0 end, trace
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
