-- By when a patient answers or pays, and who was asked something. An application's status changes `entry_queue` as well; a question and
-- a deadline that come without one are few.
create index entry_falls_due on entry (hospital, status, deadline, id) where live and deadline is not null;
create index entry_asked on entry (hospital, id) where live and question is not null;
