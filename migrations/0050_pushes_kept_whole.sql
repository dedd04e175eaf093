-- A cancelled booking of HIS (5007) by HIS's own id of it: what is booked at this moment asks whether it was cancelled already.
create index callback_cancelled on callback (hospital, (body #>> '{cancelled,hisOrderId}'))
    where source = 'his' and kind = '5007';
