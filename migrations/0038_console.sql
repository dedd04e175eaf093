-- What the staff's console asks for.

-- Applications of a day. They arrive in order: a range a page costs an admission next to nothing.
create index entry_recent on entry using brin (created_at) with (pages_per_range = 16);
-- What a person is found by at the counter: the last four digits of the phone.
create index patient_by_phone_tail on patient (hospital, right(masked ->> 'phone', 4));
-- What a run is found by.
create index payment_by_transaction on payment (hospital, transaction_id) where transaction_id is not null;

-- Searches that the team keeps: the address of a page, with a name.
create table saved_view (
    hospital text not null,
    id uuid not null,                      -- time-ordered
    page text not null check (page in ('runs')),
    name text not null,
    query text not null,                   -- filters and columns, as they stand in the page's address
    made_by text not null,
    made_at timestamptz not null default engine_now(),
    primary key (hospital, id)
);
create unique index saved_view_name on saved_view (hospital, page, name);
