-- What falls due when, in the order of time: each of these has only rows that wait for an instant, and is read from there on.

-- A step's next try. A turn that fails or no longer fails changes `run_due` as well, so no write that could have kept to its page now
-- cannot.
create index run_tries on run (tenant, due_at, id) where status = 'pending' and attempt > 0;
-- A refund's next look at the payment provider.
create index run_refund_looks on run (tenant, due_at, id)
    where status = 'waiting' and step in ('RefundWait', 'PartRefundWait');
