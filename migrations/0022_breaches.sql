-- Breaches and what they lead to (R32): rules as data, breaches as HIS lists them (2015), appeals. A person stands here as
-- the keyed hash of the document alone, so that a breach counts whether or not the person is a patient here yet.

-- One rule: event, window, threshold, penalty, scope, appeal.
create table blacklist_rule (
    hospital text not null,
    id text not null,
    body jsonb not null,
    updated_at timestamptz not null default engine_now(),
    primary key (hospital, id)
);

-- Somebody who had booked and did not come, through whichever channel. Never deleted by a pull: what HIS takes back is
-- withdrawn, and counts again if HIS lists it again.
create table breach (
    hospital text not null,
    his_order_id text not null,            -- HOSP_ORDER_ID
    visit_date date not null,
    id_hash bytea not null,
    department_id text not null,
    channel_id text not null,
    event text not null check (event in ('noShow', 'lateCancel')),
    entry_id uuid,                         -- the application, where the visit came from the waitlist
    state text not null default 'counts' check (state in ('counts', 'withdrawn', 'excused')),
    why text,                              -- stopped, or who excused it; null: HIS's word
    seen_by uuid not null,                 -- the pull that listed it last
    first_seen_at timestamptz not null default engine_now(),
    changed_at timestamptz not null default engine_now(),
    primary key (hospital, his_order_id)
);
create index breach_of_day on breach (hospital, visit_date);
create index breach_of_person on breach (hospital, id_hash, visit_date);

-- An entry is a person's of the staff, or follows from a rule; one of a rule may hold in one department alone.
alter table blacklist
    add column rule_id text not null default '',
    add column department_id text;
alter table blacklist drop constraint blacklist_pkey, add primary key (hospital, patient_id, rule_id);

-- What a patient says against it, and what staff decide.
create table blacklist_appeal (
    hospital text not null,
    id uuid not null,                      -- time-ordered
    patient_id text not null,
    said text not null,
    state text not null default 'open' check (state in ('open', 'granted', 'refused')),
    opened_at timestamptz not null default engine_now(),
    due_at timestamptz,                    -- by when it is to be decided
    decided_at timestamptz,
    decided_by text,
    decision text,
    primary key (hospital, id),
    check ((state = 'open') = (decided_at is null))
);
create unique index blacklist_appeal_once on blacklist_appeal (hospital, patient_id) where state = 'open';
create index blacklist_appeal_state on blacklist_appeal (hospital, state, id desc);
