-- The waitlist's tables. Every key begins with the hospital. Personal data stands sealed in `patient` and nowhere else.

create table campus (
    hospital text not null, id text not null, name text not null,
    primary key (hospital, id)
);
create table department (
    hospital text not null, id text not null, campus_id text not null, name text not null,
    primary key (hospital, id)
);
create table doctor (
    hospital text not null, id text not null, department_id text not null, name text not null, title text not null,
    primary key (hospital, id)
);

-- One doctor's half-day, as HIS last told it (2003). The id is HIS's REG_ID.
create table schedule (
    hospital text not null,
    id text not null,
    doctor_id text not null,
    department_id text not null,
    campus_id text not null,
    visit_date date not null,
    part text not null check (part in ('morning', 'afternoon', 'evening', 'wholeDay')),
    state text not null check (state in ('stopped', 'open', 'notOpen')),
    total integer not null,
    remaining integer not null,
    fee_fen bigint not null check (fee_fen >= 0),
    synced_at timestamptz not null,
    primary key (hospital, id)
);
create index schedule_of_department on schedule (hospital, department_id, visit_date);
create index schedule_of_doctor on schedule (hospital, doctor_id, visit_date);

-- Who visits. Names, numbers and phones are sealed (AES-256-GCM); `id_hash` is a keyed hash for look-up.
create table patient (
    hospital text not null,
    id text not null,
    id_type text not null,
    id_hash bytea not null,
    sealed bytea not null,                 -- name, idNumber, phone, openid, guardian as sealed JSON
    masked jsonb not null,                 -- the same, masked for showing
    updated_at timestamptz not null default engine_now(),
    primary key (hospital, id)
);
create index patient_by_id_number on patient (hospital, id_hash);

create table blacklist (
    hospital text not null,
    patient_id text not null,
    reason text not null,
    until timestamptz,                     -- null: until it is lifted
    created_at timestamptz not null default engine_now(),
    primary key (hospital, patient_id)
);

-- Switches, caps and windows of one level (R2, R24, R29); what is absent is inherited.
create table policy (
    hospital text not null,
    level text not null check (level in ('doctor', 'department', 'campus')),
    id text not null,
    body jsonb not null,
    updated_at timestamptz not null default engine_now(),
    primary key (hospital, level, id)
);

-- One application for the waitlist: what its run says, for lists, places and caps. Written in the run's transactions.
create table entry (
    hospital text not null,
    id uuid not null,                      -- the run
    seq bigint generated always as identity,-- the place in the queue: smaller was admitted earlier
    idempotency_key text not null,
    schedule_id text not null,
    doctor_id text not null,
    department_id text not null,
    campus_id text not null,
    patient_id text not null,
    status text not null,
    live boolean not null,                 -- counts toward the caps
    payment_mode text not null check (payment_mode in ('none', 'prepay', 'lockThenPay')),
    fee_fen bigint not null,
    cutoff timestamptz not null,
    slot jsonb,                            -- the time slot that is offered or booked
    deadline timestamptz,                  -- by when the patient must answer or pay
    reason text,                           -- why it ended, as a code
    payment jsonb,                         -- number, amount, client parameters, refund state
    order_id text,                         -- ours, as HIS knows the booking
    version integer not null default 0,
    created_at timestamptz not null default engine_now(),
    updated_at timestamptz not null default engine_now(),
    primary key (hospital, id)
);
create unique index entry_once on entry (hospital, schedule_id, patient_id) where live;
create unique index entry_idempotency on entry (hospital, idempotency_key);
-- The queue of a schedule in order of admission.
create index entry_queue on entry (hospital, schedule_id, seq) where status = 'waiting';
create index entry_of_schedule on entry (hospital, schedule_id, seq);
create index entry_of_patient on entry (hospital, patient_id, seq desc);

-- How many live entries each doctor, department and campus has: what the caps are compared with. The rows are locked
-- in the order (level, id) by every transaction that changes them, so that a cap of 200 admits 200.
create table capacity (
    hospital text not null,
    level text not null check (level in ('doctor', 'department', 'campus')),
    id text not null,
    live integer not null default 0 check (live >= 0),
    primary key (hospital, level, id)
) with (fillfactor = 50);

-- A visit that came from the waitlist (R22).
create table appointment (
    hospital text not null,
    id text not null,                      -- our ORDER_ID
    entry_id uuid not null,
    patient_id text not null,
    schedule_id text not null,
    slot jsonb not null,
    his_order_id text not null,
    serial text not null,
    place text not null,
    status text not null check (status in ('booked', 'fulfilled', 'cancelled')),
    source text not null default 'waitlist',
    booked_at timestamptz not null,
    cancelled_at timestamptz,
    primary key (hospital, id)
);
create index appointment_by_his_order on appointment (hospital, his_order_id);
create index appointment_of_patient on appointment (hospital, patient_id, booked_at desc);

-- Money by order number: what the payer paid and what went back.
create table payment (
    hospital text not null,
    out_trade_no text not null,
    entry_id uuid not null,
    amount_fen bigint not null check (amount_fen > 0),
    status text not null check (status in ('open', 'paid', 'closed', 'refunding', 'refunded')),
    transaction_id text,
    paid_at timestamptz,
    out_refund_no text,
    refunded_fen bigint not null default 0,
    updated_at timestamptz not null default engine_now(),
    primary key (hospital, out_trade_no)
);
create index payment_of_entry on payment (hospital, entry_id);

-- What the outside world told us, with its fate. The body is kept only where nobody can be named by it.
create table callback (
    hospital text not null,
    source text not null,                  -- 'his', 'wechat-pay', 'wechat'
    event_id text not null,
    kind text not null,
    subject text not null,                 -- our id of the thing it is about
    body jsonb not null,
    received_at timestamptz not null default engine_now(),
    times integer not null default 1,      -- how often it came
    fate text not null,                    -- 'delivered', 'duplicate', 'no-run', 'ignored'
    primary key (hospital, source, event_id)
);
create index callback_recent on callback (hospital, received_at desc);

-- Answers already given, by caller and Idempotency-Key: the same key and body gets the same answer.
create table idempotency (
    hospital text not null,
    caller text not null,
    key text not null,
    request_hash bytea not null,
    status integer,
    answer jsonb,
    created_at timestamptz not null default clock_timestamp(),
    primary key (hospital, caller, key)
);
