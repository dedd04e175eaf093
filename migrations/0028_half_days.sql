-- Where HIS keeps no times of day (`ISTIME` 0), a place is of the whole half-day (R18).
alter table schedule add column timed boolean not null default true;
