//! The engine alone, with a workflow that knows no hospital: a shop's orders, their payment and their parcels.

mod baskets;
mod children;
mod deadlines;
mod failures;
mod leases;
mod letters;
mod limits;
mod proofs;
mod shop;
mod signals;
mod staff;
mod staff_bulks;
mod staff_moves;
mod staff_trees;
mod starting;
mod strays;
mod town;
mod works;
