-- What became of every place that was offered (R33): written in the transactions of the applications, so that figures of any
-- day are read from rows and never from history, which is forgotten some day.
create table offer (
    hospital text not null,
    entry_id uuid not null,
    nth integer not null,                  -- the application's how manieth
    schedule_id text not null,
    freed_at timestamptz,                  -- when we heard that a place of the schedule is free
    made_at timestamptz not null,
    taken_at timestamptz,                  -- when HIS locked or booked it for us; null: it did not
    outcome text not null check (outcome in
        ('out', 'held', 'booked', 'lost', 'withheld', 'declined', 'missed', 'ended')),
    primary key (hospital, entry_id, nth)
);
create index offer_of_schedule on offer (hospital, schedule_id);

-- Figures are asked for by the day of the visit.
create index schedule_of_day on schedule (hospital, visit_date);
