-- Admission in one statement: what is locked is locked inside the server, never while somebody waits for a reply.

-- Raised whenever the person behind a patient is admitted or blacklisted: what was decided by an older count is decided
-- again.
alter table patient add column applied integer not null default 0;

-- Starts many runs; one whose key stands already is left out. Answers those that were started.
create function start_runs(
    of_tenant text, ids uuid[], workflows text[], keys text[], steps text[], hears text[], lanes text[],
    priorities smallint[], dues timestamptz[], states jsonb[], parents uuid[], reports_by text[], traces text[]
) returns setof uuid language sql as $$
    with new as (
        insert into run (tenant, id, workflow, key, step, status, due_at, listens, lane, priority, parent, reports,
                         trace)
        select of_tenant, t.id, t.workflow, t.key, t.step,
               case when t.due is null then 'pending' else 'waiting' end, coalesce(t.due, engine_now()),
               string_to_array(t.hears, ','), t.lane, t.priority, t.parent, t.reports, t.trace
        from unnest(ids, workflows, keys, steps, hears, lanes, priorities, dues, parents, reports_by, traces)
             as t (id, workflow, key, step, hears, lane, priority, due, parent, reports, trace)
        -- Two that start the same keys at once wait for each other in one order.
        order by t.workflow, t.key
        on conflict (tenant, workflow, key) do nothing
        returning id),
    known as (
        insert into run_state (tenant, run_id, state)
        select of_tenant, t.id, t.state from unnest(ids, states) as t (id, state) join new on new.id = t.id)
    select id from new
$$;

-- Admits applications that were decided by what was read a moment ago. Where something that the decision stood on has
-- moved since, nothing is written and HB001 is raised: it is decided again. Counts that have fallen since are no reason:
-- who was admitted has room all the more. The order of locks is that of a worker's commit: runs, persons, inserts,
-- capacity.
create function admit(
    of_hospital text,
    hand_outs uuid[], over_at text[],                       -- slot_release runs, and the steps at which they are over
    persons text[], person_counts integer[],                -- patients, and `applied` as it was read
    ids uuid[], workflow text, keys text[], steps text[], hears text[], lanes text[], priorities smallint[],
    dues timestamptz[], states jsonb[], traces text[],
    schedules text[], doctors text[], departments text[], campuses text[], patients text[], statuses text[],
    modes text[], fees bigint[], cutoffs timestamptz[],
    letter_ids text[], letter_runs uuid[], letter_topics text[], letter_payloads jsonb[],
    levels text[], level_ids text[], seen integer[], added integer[]
) returns void language plpgsql as $$
declare n bigint;
begin
    perform from run r where r.tenant = of_hospital and r.id = any(hand_outs) and r.step <> all(over_at)
    order by r.id for share;
    get diagnostics n = row_count;
    if n <> cardinality(hand_outs) then raise 'a hand-out is over' using errcode = 'HB001'; end if;

    perform from patient p where p.hospital = of_hospital and p.id = any(persons) order by p.id for update;
    update patient p set applied = p.applied + 1
    from unnest(persons, person_counts) as t (id, applied)
    where p.hospital = of_hospital and p.id = t.id and p.applied = t.applied;
    get diagnostics n = row_count;
    if n <> cardinality(persons) then raise 'a person was admitted elsewhere' using errcode = 'HB001'; end if;

    select count(*) into n from start_runs(
        of_hospital, ids, array_fill(workflow, array[cardinality(ids)]), keys, steps, hears, lanes, priorities, dues,
        states, array_fill(null::uuid, array[cardinality(ids)]), array_fill(null::text, array[cardinality(ids)]),
        traces);
    if n <> cardinality(ids) then raise 'a key is taken' using errcode = 'HB001'; end if;

    -- In the order of arrival: `seq`, the place in the queue, is given in it.
    insert into entry (hospital, id, idempotency_key, schedule_id, doctor_id, department_id, campus_id, patient_id,
                       status, live, payment_mode, fee_fen, cutoff)
    select of_hospital, t.id, t.key, t.schedule, t.doctor, t.department, t.campus, t.patient, t.status, true, t.mode,
           t.fee, t.cutoff
    from unnest(ids, keys, schedules, doctors, departments, campuses, patients, statuses, modes, fees, cutoffs)
         with ordinality
         as t (id, key, schedule, doctor, department, campus, patient, status, mode, fee, cutoff, nth)
    order by t.nth;

    insert into outbox (tenant, id, run_id, topic, payload)
    select of_hospital, t.* from unnest(letter_ids, letter_runs, letter_topics, letter_payloads) as t
    on conflict (tenant, id) do nothing;

    -- Last, for as short as can be: everybody in the hospital meets here.
    insert into capacity (hospital, level, id)
    select of_hospital, t.level, t.id from unnest(levels, level_ids) as t (level, id)
    where not exists (select from capacity c where c.hospital = of_hospital and c.level = t.level and c.id = t.id)
    order by t.level, t.id
    on conflict do nothing;
    perform from capacity c join unnest(levels, level_ids, seen) as t (level, id, seen)
                 on c.level = t.level and c.id = t.id
    where c.hospital = of_hospital and c.live <= t.seen
    order by c.level, c.id for update of c;
    get diagnostics n = row_count;
    if n <> cardinality(levels) then raise 'a queue has grown' using errcode = 'HB001'; end if;
    update capacity c set live = c.live + t.added
    from unnest(levels, level_ids, added) as t (level, id, added)
    where c.hospital = of_hospital and c.level = t.level and c.id = t.id;
end $$;
