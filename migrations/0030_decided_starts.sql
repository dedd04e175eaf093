-- A run that begins with a step which is decided by its state alone, as it rests after it: the rows that `start_runs` and
-- `commit_turns` leave, written once, in one commit. Null, and nothing is written, where its key stands or is in the archive, or
-- where a signal waits for it: then it starts like any other.
--
-- Of the settings of `start_runs` it needs one: each row is looked up by its whole key, and nothing is joined.
create function start_decided(
    of_tenant text, new_id uuid, of_workflow text, of_key text, of_trace text, first_step text, by_outcome text,
    took_ms integer, next_step text, rests_as text, until timestamptz, hears text, of_lane text, of_priority smallint,
    owed text, of_state jsonb
) returns timestamptz language plpgsql set enable_seqscan = off as $$
declare
    now_is timestamptz := engine_now();
begin
    insert into run (tenant, id, workflow, key, step, status, turn, due_at, listens, lane, priority, owes, trace,
                     created_at, updated_at, ended_at)
    values (of_tenant, new_id, of_workflow, of_key, next_step, rests_as, 1, until, string_to_array(hears, ','), of_lane,
            of_priority, string_to_array(owed, ','), of_trace, now_is, now_is,
            case when rests_as = 'completed' then now_is end)
    on conflict (tenant, key, workflow) do nothing;
    if not found then return null; end if;
    -- As in `start_runs`: these statements see what was archived, and what was kept for this run, while it waited for its key.
    if exists (select from run_archive a where a.tenant = of_tenant and a.key = of_key and a.workflow = of_workflow)
       or exists (select from unmatched u where u.tenant = of_tenant and u.status = 'waiting'
                                            and u.workflow = of_workflow and u.key = of_key)
       or exists (select from unmatched u where u.tenant = of_tenant and u.status = 'waiting' and u.run_id = new_id) then
        delete from run r where r.tenant = of_tenant and r.id = new_id;
        return null;
    end if;
    insert into run_state (tenant, run_id, state) values (of_tenant, new_id, of_state);
    insert into turn (tenant, run_id, turn, at, step, attempt, took_ms, outcome, next)
    values (of_tenant, new_id, 1, now_is, first_step, 0, took_ms, by_outcome, next_step);
    return now_is;
end $$;
