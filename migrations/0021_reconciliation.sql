-- Reconciliation (R36): what HIS and the payment provider list for a day, what was asked because of it, and every difference
-- as a case for staff. References and amounts only.

-- When a payment was closed or refunded for good: a day's bill is compared with what was settled on it.
alter table payment add column settled_at timestamptz;
update payment set settled_at = updated_at where status in ('closed', 'refunded');
create index payment_paid on payment (hospital, paid_at) where paid_at is not null;
create index payment_settled on payment (hospital, settled_at) where settled_at is not null;
-- What is not settled: few, however many there ever were.
create index payment_unsettled on payment (hospital, entry_id) where status in ('open', 'refunding');

create index appointment_of_entry on appointment (hospital, entry_id);
create index appointment_booked on appointment (hospital, booked_at);
create index appointment_cancelled on appointment (hospital, cancelled_at) where cancelled_at is not null;
create index appointment_of_schedule on appointment (hospital, schedule_id, patient_id) where status <> 'cancelled';

-- One reconciliation of one day; the id is its run's.
create table reconciliation (
    hospital text not null,
    id uuid not null,
    day date not null,
    began_at timestamptz not null default engine_now(),
    ended_at timestamptz,
    compared integer not null default 0,   -- applications that the day concerned
    asked integer not null default 0,      -- of which both sides were asked again
    found integer not null default 0,      -- differences
    foreign_lines integer not null default 0, -- lines of the bill whose numbers are not of our form
    primary key (hospital, id)
);
create index reconciliation_recent on reconciliation (hospital, began_at desc);

-- What the outside listed, line by line; kept for a while as evidence.
create table reconciliation_line (
    hospital text not null,
    reconciliation uuid not null,
    book text not null check (book in ('payment', 'refund', 'order', 'lock')),
    reference text not null,               -- out_trade_no, out_refund_no, ORDER_ID, LOCK_ID
    entry_id uuid not null,                -- the application that the reference derives from
    body jsonb not null,
    read_at timestamptz not null default engine_now(),
    primary key (hospital, reconciliation, book, reference)
);
create index reconciliation_line_of_entry on reconciliation_line (hospital, entry_id, reconciliation);
create index reconciliation_line_read on reconciliation_line (hospital, read_at);

-- What is asked one by one before anything is concluded.
create table reconciliation_question (
    hospital text not null,
    reconciliation uuid not null,
    about text not null check (about in ('order', 'refund', 'visit')),
    reference text not null,
    entry_id uuid not null,
    answer jsonb,                          -- null: not asked yet
    asked_at timestamptz,
    primary key (hospital, reconciliation, about, reference)
);
create index reconciliation_question_open on reconciliation_question (hospital, reconciliation, about, reference)
    where answer is null;
create index reconciliation_question_of_entry on reconciliation_question (hospital, reconciliation, entry_id);

-- A difference. It is found once, however often it is seen; who closed it and why stands here and in the audit.
create table reconciliation_case (
    hospital text not null,
    id uuid not null,                      -- time-ordered
    kind text not null,
    subject text not null,                 -- the order, refund or lock
    entry_id uuid not null,                -- the application that the subject derives from
    day date not null,                     -- the day whose reconciliation found it
    ours text not null,
    theirs text not null,
    ours_fen bigint,
    theirs_fen bigint,
    state text not null check (state in ('suspect', 'open', 'resolved')), -- suspect: its run may still settle it
    found_at timestamptz not null default engine_now(),
    seen_at timestamptz not null default engine_now(), -- when it was last found
    resolved_at timestamptz,
    resolved_by text,                      -- a person, or 'reconciliation' where the books agree again
    resolution text,
    primary key (hospital, id),
    check ((state = 'resolved') = (resolved_at is not null))
);
create unique index reconciliation_case_once on reconciliation_case (hospital, kind, subject);
create index reconciliation_case_state on reconciliation_case (hospital, state, id desc);
create index reconciliation_case_of_entry on reconciliation_case (hospital, entry_id) where state <> 'resolved';
