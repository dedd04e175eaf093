//! The engine alone, with a workflow that knows no hospital: a shop's orders, their payment and their parcels.

mod baskets;
mod children;
mod crews;
mod deadlines;
mod early_signals;
mod failures;
mod figures;
mod laundry;
mod leases;
mod letters;
mod limits;
mod months;
mod past;
mod plans;
mod proofs;
mod shop;
mod signals;
mod sizes;
mod staff;
mod staff_bulks;
mod staff_moves;
mod staff_trees;
mod starting;
mod strays;
mod town;
mod works;
