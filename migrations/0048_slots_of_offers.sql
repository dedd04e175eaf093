-- Which time an offer was of, and when it came to what it did: the page of a schedule says who got which place, how, when and why.
alter table offer add column slot jsonb, add column settled_at timestamptz;
