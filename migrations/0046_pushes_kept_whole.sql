-- A cancelled booking of HIS (5007) by HIS's own id of it: what is booked at this moment asks whether it was cancelled already.
create index callback_cancelled on callback (hospital, (body #>> '{cancelled,hisOrderId}'))
    where source = 'his' and kind = '5007';

-- Callbacks that may wait for a person: few, counted whenever somebody opens the console.
create index callback_for_a_person on callback (hospital, received_at desc)
    where fate in ('no-run', 'received', 'refused', 'for-staff');
