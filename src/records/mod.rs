//! Floor 2, our own tables of the trade: every statement on them, as named functions. Nothing here decides.
//!
//! | file | table |
//! |---|---|
//! | `schedules` | campuses, departments, doctors, schedules as HIS last told them |
//! | `departments` | which departments were named |
//! | `breaches` | breaches, the rules they are counted by, appeals |
//! | `patients` | patients, sealed; the blacklist |
//! | `policies` | the settings of doctors, departments, campuses; their live entries |
//! | `policy_tree` | which of them there are, and which have settings of their own |
//! | `accounts` | for whom an account has joined queues |
//! | `entries`, `entry_changes` | applications: the queue, the places in it; what a run's move changes |
//! | `hand_outs` | schedules whose places are being handed out |
//! | `draws` | draws of queues' orders, before and after they are held |
//! | `visits` | appointments and payments that runs made |
//! | `admission_ground`, `admissions` | what decisions about applications stand on, and what writes them |
//! | `notices` | what a notice says that its letter does not |
//! | `templates` | texts of notices, every version of them |
//! | `dossier`, `queues`, `deadlines` | what is kept of one patient; who stands where in a queue; what falls due when |
//! | `overview`, `search`, `views` | what the console asks for: the day in numbers, whose number it is, searches that the team keeps |
//! | `offers`, `slots`, `kpis` | what became of every offered place, as rows and as staff look at it; figures by day of visit |
//! | `persons` | all that is kept of one person; seals of an older key |
//! | `reconciliation` | a day's books compared with the outside's, and the cases that came of it |
//! | `callbacks`, `untaken` | what the outside told us; what of it was signed rightly and could not be taken |
//! | `seals` | what is sealed, for a rotation of keys |
//! | `schema` | which migrations have run |
//! | `tokens` | the message platform's access token, for all processes |
//! | `answers` | answers already given, by idempotency key |
//! | `api_keys` | keys of the API that administrators make |
//! | `staff_users`, `staff_sessions`, `staff_places` | users of the console; who is logged in, links that are good once; where passwords were tried |

pub mod accounts;
pub mod admission_ground;
pub mod admissions;
pub mod answers;
pub mod api_keys;
pub mod breaches;
pub mod callbacks;
pub mod concern;
pub mod day_lines;
pub mod deadlines;
pub mod departments;
pub mod dossier;
pub mod draws;
pub mod entries;
pub mod entry_changes;
pub mod hand_outs;
pub mod kpis;
pub mod notices;
pub mod offers;
pub mod overview;
pub mod patients;
pub mod persons;
pub mod policies;
pub mod policy_tree;
pub mod queues;
pub mod reconciliation;
pub mod schedules;
pub mod schema;
pub mod seals;
pub mod search;
pub mod slots;
pub mod staff_places;
pub mod staff_sessions;
pub mod staff_users;
pub mod templates;
pub mod tokens;
pub mod untaken;
pub mod views;
pub mod visits;
