-- A queue a doctor and day (Q2): who was admitted to one waits for a place of any half-day that the doctor has on that day in that
-- department. `schedule_id` is the half-day that was asked for, then the one that was offered last.
alter table entry add column whole_day boolean not null default false;
create index entry_day_queue on entry (hospital, schedule_id, seq) where status = 'waiting' and whole_day;

-- The half-days of a day are drawn together: all but one have the draw of that one, and no seed of their own.
alter table draw add column of_schedule text;
create index draw_of_day on draw (hospital, of_schedule) where of_schedule is not null;

-- `admit` (0033) as before, and the entry keeps which kind of queue it was admitted to. It writes nothing where a hand-out has found
-- nobody to hand a place to since it was looked at, while somebody is to wait for it from now on: then it is decided again, and the
-- hand-out is told.
create or replace function admit(
    of_hospital text,
    hand_outs uuid[], over_at text[],                       -- slot_release runs, and the steps at which they are over
    persons text[], person_counts integer[],                -- patients, and `applied` as it was read
    ids uuid[], workflow text, keys text[], steps text[], hears text[], lanes text[], priorities smallint[],
    dues timestamptz[], states jsonb[], traces text[],
    schedules text[], doctors text[], departments text[], campuses text[], patients text[], statuses text[],
    modes text[], fees bigint[], cutoffs timestamptz[],
    letter_ids text[], letter_runs uuid[], letter_topics text[], letter_payloads jsonb[],
    levels text[], level_ids text[], most integer[], added integer[] -- the most live entries before; null: no cap
) returns void language plpgsql as $$
declare n bigint;
begin
    perform from run r where r.tenant = of_hospital and r.id = any(hand_outs) and r.step <> all(over_at)
                         and r.status not in ('cancelled', 'faulted')
    order by r.id for share;
    get diagnostics n = row_count;
    if n <> cardinality(hand_outs) then raise 'a hand-out is over' using errcode = 'HB001'; end if;

    -- A statement of its own sees what one of them has found while this one waited for it: who would wait from now on must have it
    -- asked, and does not know.
    if 'waiting' = any(statuses) and exists (
        select from unnest(hand_outs) as h (id)
        cross join lateral (
            select k.state from run_state k where k.tenant = of_hospital and k.run_id = h.id limit 1) k
        where k.state -> 'unasked' = 'true'
          and exists (select from run r
                      cross join unnest(schedules, statuses, states) as t (schedule, status, state)
                      where r.tenant = of_hospital and r.id = h.id and t.status = 'waiting'
                        and (t.schedule = r.key
                             or t.state #>> '{policy,queuePer}' = 'day' and exists (
                                 select from schedule s
                                 join schedule o on o.hospital = s.hospital and o.doctor_id = s.doctor_id
                                                and o.visit_date = s.visit_date and o.department_id = s.department_id
                                 where s.hospital = of_hospital and s.id = t.schedule and o.id = r.key)))) then
        raise 'a hand-out has found nobody' using errcode = 'HB001';
    end if;

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

    insert into outbox (tenant, id, run_id, topic, payload)
    select of_hospital, t.* from unnest(letter_ids, letter_runs, letter_topics, letter_payloads) as t
    on conflict (tenant, id) do nothing;

    -- Last, for as short as can be: everybody in the hospital meets here.
    insert into capacity (hospital, level, id)
    select of_hospital, t.level, t.id from unnest(levels, level_ids) as t (level, id)
    where not exists (select from capacity c where c.hospital = of_hospital and c.level = t.level and c.id = t.id)
    order by t.level, t.id
    on conflict do nothing;
    perform from capacity c join unnest(levels, level_ids, most) as t (level, id, most)
                 on c.level = t.level and c.id = t.id
    where c.hospital = of_hospital and (t.most is null or c.live <= t.most)
    order by c.level, c.id for update of c;
    get diagnostics n = row_count;
    if n <> cardinality(levels) then raise 'a queue has grown' using errcode = 'HB001'; end if;
    update capacity c set live = c.live + t.added
    from unnest(levels, level_ids, added) as t (level, id, added)
    where c.hospital = of_hospital and c.level = t.level and c.id = t.id;

    -- In the order of arrival, and under the locks that all admissions of a schedule share: `seq`, the place in the queue,
    -- is given in the order in which they commit.
    insert into entry (hospital, id, idempotency_key, schedule_id, doctor_id, department_id, campus_id, patient_id,
                       status, live, payment_mode, pay_type, fee_fen, cutoff, whole_day)
    select of_hospital, t.id, t.key, t.schedule, t.doctor, t.department, t.campus, t.patient, t.status, true, t.mode,
           coalesce(t.state ->> 'pay_type', 'selfPay'), t.fee, t.cutoff,
           (t.state #>> '{policy,queuePer}') is not distinct from 'day'
    from unnest(ids, keys, schedules, doctors, departments, campuses, patients, statuses, modes, fees, cutoffs,
                states) with ordinality
         as t (id, key, schedule, doctor, department, campus, patient, status, mode, fee, cutoff, state, nth)
    order by t.nth;
end $$;
