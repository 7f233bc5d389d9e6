//! The root DSE: what the server is and can do (RFC 4512 5.1). Pure: no I/O, no clock.

use super::controls::SUPPORTED;
use super::extended::{CANCEL, START_TLS, WHO_AM_I};
use super::generated::Generated;
use super::schema_entry;
use super::server::Server;
use super::session::Session;
use crate::replica::reader::Snapshot;
use jiff::Timestamp;

/// All operational attributes by `+` (RFC 3673).
const ALL_OPERATIONAL: &str = "1.3.6.1.4.1.4203.1.5.1";
/// `(&)` and `(|)` (RFC 4526).
const TRUE_FALSE_FILTERS: &str = "1.3.6.1.4.1.4203.1.5.3";

/// `@class` in attribute lists (RFC 4529).
const CLASS_ATTRIBUTES: &str = "1.3.6.1.4.1.4203.1.5.2";

/// What clients recognise Active Directory by (MS-ADTS 3.1.1.3.4.3): that it is one, and of
/// Windows Server 2003, 2008 and 2008 R2 at least.
const CAPABILITIES: [&str; 4] = [
    "1.2.840.113556.1.4.800",
    "1.2.840.113556.1.4.1670",
    "1.2.840.113556.1.4.1935",
    "1.2.840.113556.1.4.2080",
];
/// The functional level of Windows Server 2016 (MS-ADTS 6.1.4.2).
const LEVEL: &str = "7";

/// Makes the root DSE for a connection. Nothing is listed that is not implemented:
/// clients choose the best mechanism, control and extension they find here.
pub(crate) fn make(server: &Server, session: &Session, snapshot: &Snapshot) -> Generated {
    let mut entry = Generated { dn: "", attributes: Vec::with_capacity(24) };
    // Clients take the first of these for their base, so it must not be another's.
    let shown = snapshot
        .contexts()
        .iter()
        .filter(|context| session.bases().is_empty() || session.sees_below(&context.key));
    let contexts: Vec<String> = shown.map(|context| context.base.to_string()).collect();
    let published = snapshot.contexts().iter().all(|context| context.entry.is_some());
    let first = contexts.first().cloned();
    entry.add("objectClass", ["top"]);
    entry.add("namingContexts", contexts);
    entry.add("defaultNamingContext", first.clone());
    entry.add("rootDomainNamingContext", first);
    entry.add("subschemaSubentry", [schema_entry::DN]);
    entry.add("supportedControl", SUPPORTED);
    let start_tls = (server.tls().is_some() && !session.tls).then_some(START_TLS);
    entry.add("supportedExtension", start_tls.into_iter().chain([WHO_AM_I, CANCEL]));
    entry.add("supportedFeatures", [ALL_OPERATIONAL, CLASS_ATTRIBUTES, TRUE_FALSE_FILTERS]);
    entry.add("supportedLDAPVersion", ["3", "2"]);
    entry.add("supportedSASLMechanisms", session.mechanisms(server));
    entry.add("vendorName", ["entraldap"]);
    entry.add("vendorVersion", [env!("CARGO_PKG_VERSION")]);
    entry.add("dnsHostName", Some(server.host.clone()).filter(|host| !host.is_empty()));
    entry.add("currentTime", Timestamp::try_from((server.clock)()).map(generalized_time).ok());
    entry.add("highestCommittedUSN", [snapshot.sequence().to_string()]);
    entry.add("isGlobalCatalogReady", [if published { "TRUE" } else { "FALSE" }]);
    if server.active_directory {
        entry.add("supportedCapabilities", CAPABILITIES);
        for name in ["domainFunctionality", "forestFunctionality", "domainControllerFunctionality"]
        {
            entry.add(name, [LEVEL]);
        }
    }
    entry
}

fn generalized_time(time: Timestamp) -> String {
    time.strftime("%Y%m%d%H%M%S.0Z").to_string()
}
