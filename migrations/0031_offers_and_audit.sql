-- A place that could not be had although nobody else took it (HIS refused its lock, or the offer came too late) is told apart
-- from one that somebody of another channel took (R33).
alter table offer drop constraint offer_outcome_check;
alter table offer add constraint offer_outcome_check check (outcome in
    ('out', 'held', 'booked', 'lost', 'unusable', 'withheld', 'declined', 'missed', 'ended'));

-- What staff did about one patient, for whoever is handed all that is kept of them. Deeds on a run of theirs are found by
-- `audit_of_run`.
create index audit_of_patient on audit (tenant, (coalesce(before ->> 'patientId', after ->> 'patientId')))
    where coalesce(before ->> 'patientId', after ->> 'patientId') is not null;
