//! What has broken other LDAP servers, tried on this one: octets over TCP and TLS, then a
//! correct search on a fresh connection, and no connection left behind.
//!
//! The items are those of a list that was made from advisories, change logs and the code
//! of other servers. Where one stands:
//!
//! | item | what | where |
//! |---|---|---|
//! | 1 | PROTOS c06-ldapv3 | [`mutations`] |
//! | 2, 3, 8 | CVE-2015-6908, CVE-2022-0918: lengths, ids, classes that lie | [`framing`], [`mutations`] |
//! | 4, 5 | CVE-2015-7540: sizes that are only claimed | [`framing`], [`daemon`] |
//! | 6 | unknown operations, control values that crash | [`framing`], [`controls`] |
//! | 7 | memory lost with each bad control; unbind races | [`daemon`], [`sessions`] |
//! | 9 to 13, 33 | filters, names, values | [`filters`] |
//! | 14 to 20, 36 | controls, pages, cookies, Cancel | [`controls`] |
//! | 21, 22, 25 | unbinds and ends at every moment | [`sessions`] |
//! | 23, 26, 27 | silence, ends and injection around TLS | [`sessions`] |
//! | 24, 28, 29, 31 | binds | [`sessions`] |
//! | 34, 38 | readers that do not read, floods | [`resources`], [`daemon`] |
//! | 37 | floods of log lines | [`daemon`] |
//!
//! What cannot apply here, and what is tried instead:
//!
//! | item | why not | instead |
//! |---|---|---|
//! | 7, parts: schema text, C strings | no schema is read from anybody; there are no C strings | fuzz targets |
//! | 15, 17, 18, 20: dereference, VLV, ASQ, DirSync, syncrepl, persistent search | not implemented, so there is no state of theirs to corrupt | [`controls::controls_that_are_not_implemented`]: critical ones answer 12, others change nothing, whatever their value; together with pages, too |
//! | 16: mdb cursors | pages keep nothing on the server | [`controls::pages_of_size_zero`] |
//! | 25: security layers of SASL | none is offered, so no wrapped unbind can come | [`sessions::other_ways_to_bind`] |
//! | 30: confidential attributes | what an account may read is tested beside its profile | |
//! | 32: integrity of SASL binds | no SASL mechanism without TLS | |
//! | 33: SQL, regular expressions | filters are translated into neither | [`filters::a_value_is_only_a_value`] |
//! | 35: queues of sync providers | no consumer subscribes to anything | |

mod octets;
mod target;

mod controls;
#[cfg(unix)]
mod daemon;
mod filters;
mod framing;
mod mutations;
mod resources;
mod sessions;
