//! The engine alone, with a workflow that knows no hospital: a shop's orders, their payment and their parcels.

mod baskets;
mod children;
mod deadlines;
mod early_signals;
mod failures;
mod leases;
mod letters;
mod months;
mod past;
mod plans;
mod proofs;
mod shop;
mod signals;
mod sizes;
mod starting;
mod strays;
mod works;
