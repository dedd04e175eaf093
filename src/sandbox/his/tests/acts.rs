//! What a person does to the HIS at the sandbox's page, as the port sees it.

use super::super::channel;
use super::world::{World, at, identity, place};
use crate::ports::his::{BookRequest, Booking, Protocol};

in_every_language! {
    async fn what_is_done_by_hand_is_seen_at_the_port(protocol) {
        let world = World::open_in(protocol).await;
        let day = place(0).visit_date;
        let listed = async || world.client.schedules("DEPT", None, day, day).await.unwrap().remove(0);
        let order =
            BookRequest { order_id: "W1".into(), locked: false, place: place(0), identity: identity(1), paid: None, at: at("2026-10-10T01:00:00Z") };
        let Booking::Booked(visit) = world.client.book(&order).await.unwrap() else { panic!("not booked") };
        assert_eq!(listed().await.remaining, 3);
        assert!(!world.his.free_place("R1", true).await.unwrap(), "nobody else has booked, and ours is not given away");
        assert!(world.his.grab("R1", channel::PLATFORM_114).await.unwrap());
        assert_eq!(listed().await.remaining, 2);
        assert!(world.his.free_place("R1", true).await.unwrap());
        assert_eq!((listed().await.remaining, world.his.books().await.pushes.len()), (3, 1));
        world.his.grab("R1", channel::WINDOW).await.unwrap();
        assert!(world.his.free_place("R1", false).await.unwrap());
        assert_eq!((listed().await.remaining, world.his.books().await.pushes.len()), (3, 1), "nobody is told");
        assert!(world.his.substitute("R1", "D-8").await.unwrap() && world.his.cost("R1", 8000).await.unwrap());
        let now = listed().await;
        assert_eq!((now.doctor_id.as_str(), now.fee_fen, now.visit_date), ("D-8", 8000, day));
        assert_eq!(world.his.books().await.pushes[1].function, "5008");
        assert!(world.his.misses("W1", "110101199003071234").await.unwrap());
        let breaches = world.client.breaches_of(day, 1).await.unwrap().lines;
        assert_eq!((breaches.len(), &breaches[0].his_order_id), (1, &visit.his_order_id));
        for nothing in [
            world.his.free_place("R9", true).await,
            world.his.grab("R9", channel::WINDOW).await,
            world.his.substitute("R9", "D-8").await,
            world.his.cost("R9", 1).await,
            world.his.misses("W9", "x").await,
        ] {
            assert!(!nothing.unwrap());
        }
    }
}
