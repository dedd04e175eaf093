-- A fee that changes after it was paid (R6): what a visit stands on of each order, and the number under which the rest went back
-- while the visit stands.
alter table payment add column kept_fen bigint check (kept_fen >= 0);
alter table payment add column part_refund_no text;
