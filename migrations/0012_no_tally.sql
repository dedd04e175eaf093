-- What has ended is not counted any more: whoever looks at the whole sees what lives, and the figures of each process
-- count what happens. The triggers of 0006 cost a function call an ended run and letter.
drop trigger tally_run on run;
drop trigger tally_letter on outbox;
drop function tally_run();
drop function tally_letter();
drop table tally_change;
drop table tally;
