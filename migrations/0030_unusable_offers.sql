-- A place that could not be had although nobody else took it (HIS refused its lock, or the offer came too late) is told apart
-- from one that somebody of another channel took (R33).
alter table offer drop constraint offer_outcome_check;
alter table offer add constraint offer_outcome_check check (outcome in
    ('out', 'held', 'booked', 'lost', 'unusable', 'withheld', 'declined', 'missed', 'ended'));
