//! Floor 1: the words and rules of the waitlist. Pure functions over plain data: no network, no SQL, no clock; the
//! time and the count of what is live are handed in.
//!
//! - [`policy`]: switches, caps and settings of doctor, department and campus, and what they come to together
//! - [`admission`]: whether one more may join, and which rule refuses
//! - [`breach`]: which breaches keep a person out, and until when
//! - [`draw`]: the order of a queue by chance, and how anybody checks it
//! - [`refusal`]: every reason to say no, with its code and a sentence for the patient
//! - [`status`]: where an application stands, as patients and FHIR call it
//! - [`calendar`]: cutoff, hard stop, quiet hours, offer deadlines; hospital time to UTC
//! - [`working_days`]: holidays and 调休, and the last day that is worked
//! - [`ids`]: the numbers that go outside, derived from the run, and the way back
//! - [`money`]: amounts, in whole 分
//! - [`fees`]: what a visit costs by now, what of the money it stands on, what goes back
//! - [`identity`]: ID numbers, phones and names: checked when read, masked when shown
//! - [`masking`]: what is stored of a run, as it is shown: whatever may be of a person is starred
//! - [`cipher`]: personal data sealed at rest, and the keyed hash to find it by
//! - [`pace`]: whoever asks faster than people do is decided later
//! - [`notice`]: what a patient is told, and whether it is still true
//! - [`reminder`]: when whoever is booked is told once more
//! - [`template`]: how it is said: texts as data, and what is wrong with one
//! - [`route`]: by which channels a notice goes, in which order
//! - [`reconciliation`]: what must agree between our books, HIS's and the payer's, and what is proposed where it does not
//! - [`chance`]: how likely one more comes to a place
//! - [`kpi`]: shares of sums
//! - [`language`]: the two languages that people are answered in

pub mod admission;
pub mod breach;
pub mod calendar;
pub mod chance;
pub mod cipher;
pub mod draw;
pub mod fees;
pub mod identity;
pub mod ids;
pub mod kpi;
pub mod language;
pub mod masking;
pub mod money;
pub mod notice;
pub mod pace;
pub mod policy;
pub mod reconciliation;
pub mod refusal;
pub mod reminder;
pub mod route;
pub mod status;
pub mod template;
pub mod working_days;
