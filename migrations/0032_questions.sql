-- What patients are asked: whether they keep an application or a visit whose doctor, day or half-day is another one by now (R34),
-- or that another visit of theirs may have made needless (R35).
alter table schedule add column changed_at timestamptz,    -- when its doctor, day or half-day last became another one
                     add column sitting_at timestamptz;    -- when HIS told which they are; not all that it tells says so
alter table entry add column agreed_at timestamptz,        -- the change that the patient has agreed to; null: none since it was made
                  add column question jsonb;               -- what is being asked
alter table appointment add column sitting jsonb;          -- doctor, day and half-day that the visit is for
