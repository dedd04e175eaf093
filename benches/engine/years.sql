-- What years leave in a hospital's database: {runs} runs, ids in the order of time, of which the first three of ten are archived, the
-- next half have ended and the last fifth lives. Eight of ten are applications with all that belongs to them.
create temp table made as
select n,
       -- As `Uuid::now_v7` makes them: the millisecond, then what tells two of it apart.
       (lpad(to_hex((extract(epoch from at) * 1000)::bigint), 12, '0') || '70008000' || lpad(to_hex(n), 12, '0'))::uuid as id,
       at, 10 * n > 8 * {runs}::bigint as lives, 10 * n <= 3 * {runs}::bigint as archived,
       case when n % 10 < 8 then 'waitlist_application'
            when n % 10 = 8 or n % 100 = 9 then 'slot_release'
            when n % 100 = 19 then 'breach_sync'
            when n % 100 = 29 then 'reconciliation'
            else 'schedule_sync' end as workflow,
       case when n % 10 = 8 or n % 100 = 9 then 's' || n else 'key-' || n end as key,
       'h' || n % greatest({runs} / 5, 1) as patient, 's' || n % greatest({runs} / 100, 1) as schedule
from (select n, now() - make_interval(secs => ({runs} - n) * 10) as at from generate_series(1, {runs}::bigint) as t (n)) t;

create temp table shaped as
select m.*,
       case when not lives then case when n % 500 = 1 then 'cancelled' when n % 1000 = 2 then 'faulted' else 'completed' end
            when workflow not in ('waitlist_application', 'slot_release') and n % 100 <> 39 then 'completed'
            when n % 500 = 3 then 'suspended'
            when n % 200 = 7 then 'pending'
            else 'waiting' end as status,
       case when not lives then
                case when workflow = 'slot_release' then 'Closed' when workflow = 'schedule_sync' then 'Synced'
                     when workflow = 'breach_sync' then 'Weighed' when workflow = 'reconciliation' then 'Reconciled'
                     when n % 20 < 9 then 'Expired' when n % 20 < 17 then 'Fulfilled' when n % 20 = 17 then 'Withdrawn'
                     when n % 20 = 18 then 'Declined' else 'Lapsed' end
            when workflow = 'slot_release' then 'Idle'
            when workflow <> 'waitlist_application' then case workflow when 'schedule_sync' then case when n % 100 = 39 then 'Resting' else 'Synced' end
                     when 'breach_sync' then 'Weighed' else 'Reconciled' end
            when n % 500 = 3 then 'Refunding'
            when n % 200 = 7 then 'Booking'
            when n % 20 = 5 then 'Visit'
            when n % 100 = 12 then 'Confirmation'
            else 'Waiting' end as step
from made m;

insert into run (tenant, id, workflow, key, step, status, turn, attempt, due_at, listens, last_error, lane, priority,
                 created_at, updated_at, ended_at)
select 'bench', id, workflow, key, step, status, 3 + n % 5, case when status in ('suspended', 'pending') then 4 else 0 end,
       case when status in ('pending', 'waiting') then now() + make_interval(hours => 2 + (n % 200)::int) end,
       case when status = 'waiting' then array['Offer', 'Withdrawal', 'Stoppage', 'Change'] else '{}' end,
       case when status in ('suspended', 'faulted') then 'the provider refused: 订单不存在 ORDERNOTEXIST ' || n
            when status = 'cancelled' then 'cancelled by staff'
            when status = 'pending' then 'HIS did not answer within 10 s' end,
       case when status = 'pending' then 'his' else '' end, 1, at, at + make_interval(mins => (n % 600)::int),
       case when status in ('completed', 'cancelled', 'faulted') then at + make_interval(mins => (n % 600)::int) end
from shaped where not archived order by n;

insert into run_state (tenant, run_id, state)
select 'bench', id, jsonb_build_object('schedule_id', schedule, 'patient_id', patient, 'policy',
                                       jsonb_build_object('queuePer', 'halfDay', 'paymentMode', 'lockThenPay', 'confirm_s', 7200))
from shaped where not archived order by n;

insert into run_archive (tenant, id, workflow, key, step, status, turn, last_error, created_at, updated_at, ended_at, archived_at)
select 'bench', id, workflow, key, step, status, 3 + n % 5,
       case when status = 'faulted' then 'the provider refused: 订单不存在 ORDERNOTEXIST ' || n
            when status = 'cancelled' then 'cancelled by staff' end,
       at, at + make_interval(mins => (n % 600)::int), at + make_interval(mins => (n % 600)::int), at + interval '90 days'
from shaped where archived order by n;

insert into department (hospital, id, campus_id, name) select 'bench', 'D' || n, 'C1', '科室' || n from generate_series(0, 39) n;
insert into doctor (hospital, id, department_id, name, title)
select 'bench', 'doctor-' || n, 'D' || n % 40, '医生' || n, '主任医师' from generate_series(0, 399) n;
insert into schedule (hospital, id, doctor_id, department_id, campus_id, visit_date, part, state, total, remaining, fee_fen,
                      synced_at)
select 'bench', 's' || n, 'doctor-' || n % 400, 'D' || n % 40, 'C1', current_date + (n % 14)::int,
       case when n % 2 = 0 then 'morning' else 'afternoon' end, 'open', 30, 0, 5000, now()
from generate_series(0, greatest({runs} / 100, 1) - 1) n;
insert into patient (hospital, id, id_type, id_hash, sealed, masked, updated_at, applied)
select 'bench', 'h' || n, '5', sha256(('h' || n)::bytea), sha256(('sealed' || n)::bytea),
       jsonb_build_object('name', '患*', 'phone', '138****' || lpad((n % 10000)::text, 4, '0')), now() - make_interval(secs => n), 4
from generate_series(0, greatest({runs} / 5, 1) - 1) n;

insert into entry (hospital, id, idempotency_key, schedule_id, doctor_id, department_id, campus_id, patient_id, status, live,
                   payment_mode, fee_fen, cutoff, created_at, updated_at)
select 'bench', id, key, schedule, 'doctor-' || n % 400, 'D' || n % 40, 'C1', patient,
       case when not lives or status = 'completed' then
                case step when 'Fulfilled' then 'fulfilled' when 'Withdrawn' then 'withdrawn' else 'expired' end
            when step = 'Visit' then 'booked' when step = 'Refunding' then 'refunding' when step = 'Booking' then 'booking'
            when step = 'Confirmation' then 'offered' else 'waiting' end,
       -- Two live applications of one patient for one schedule cannot be.
       lives and step <> 'Visit', 'lockThenPay', 5000, at + interval '10 days', at, at
from shaped where workflow = 'waitlist_application' order by n
on conflict do nothing;

insert into appointment (hospital, id, entry_id, patient_id, schedule_id, slot, his_order_id, serial, place, status, booked_at)
select 'bench', 'A' || n, id, patient, schedule, '{"begins": "08:00:00", "ends": "08:30:00"}', 'HIS' || n, (n % 30)::text, '3F',
       case when lives then 'booked' else 'fulfilled' end, at
from shaped where workflow = 'waitlist_application' and step in ('Fulfilled', 'Visit') order by n;

insert into payment (hospital, out_trade_no, entry_id, amount_fen, status, transaction_id, paid_at, refunded_fen, settled_at, updated_at)
select 'bench', 'HB' || n, id, 5000,
       case when step = 'Refunding' then 'refunding' when step = 'Fulfilled' or step = 'Visit' then 'paid' else 'refunded' end,
       '42000' || lpad(n::text, 20, '0'), at, case when step in ('Withdrawn', 'Lapsed') then 5000 else 0 end,
       case when step in ('Withdrawn', 'Lapsed') then at end, at
from shaped where workflow = 'waitlist_application' and step in ('Fulfilled', 'Visit', 'Withdrawn', 'Lapsed', 'Refunding') order by n;

insert into callback (hospital, source, event_id, kind, subject, body, received_at, fate)
select 'bench', 'wechat-pay', 'E' || n, 'TRANSACTION.SUCCESS', 'HB' || n, '{}', at,
       case when n % 5000 = 5 then 'no-run' else 'delivered' end
from shaped where workflow = 'waitlist_application' and step in ('Fulfilled', 'Visit') order by n;
drop table shaped;
drop table made;
