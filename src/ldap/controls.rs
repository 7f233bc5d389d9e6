//! Which controls are understood, and what is done about the others (RFC 4511 4.1.11).
//! Pure: no I/O, no clock.

use super::wire::ber::{BOOLEAN, Malformed};
use super::wire::controls::{self, Control, PagedRequest, SortKey};
use super::wire::filter::{self, FilterProblem};
use super::wire::request::Operation;
use super::wire::response::Outcome;
use crate::config::settings::LimitSettings;
use crate::directory::filter::Filter;
use ldap3_proto::LdapResultCode;

/// Simple paged results (RFC 2696).
pub(crate) const PAGED_RESULTS: &str = "1.2.840.113556.1.4.319";
/// Server-side sorting (RFC 2891): the request.
pub(crate) const SORT_REQUEST: &str = "1.2.840.113556.1.4.473";
/// Server-side sorting (RFC 2891): the response.
pub(crate) const SORT_RESPONSE: &str = "1.2.840.113556.1.4.474";
const MATCHED_VALUES: &str = "1.2.826.0.1.3344810.2.3";
const ASSERTION: &str = "1.3.6.1.1.12";
const SUBENTRIES: &str = "1.3.6.1.4.1.4203.1.10.1";
const MANAGE_DSA_IT: &str = "2.16.840.1.113730.3.4.2";
const DOMAIN_SCOPE: &str = "1.2.840.113556.1.4.1339";
const SEARCH_OPTIONS: &str = "1.2.840.113556.1.4.1340";
const SD_FLAGS: &str = "1.2.840.113556.1.4.801";
const EXTENDED_DN: &str = "1.2.840.113556.1.4.529";
const SHOW_DELETED: &str = "1.2.840.113556.1.4.417";

/// Controls that change nothing here, so that obeying them is doing nothing: there are
/// no referrals, no other domains, no security descriptors and no tombstones. Clients of
/// Active Directory send them as critical.
const WITHOUT_EFFECT: [&str; 6] =
    [MANAGE_DSA_IT, DOMAIN_SCOPE, SEARCH_OPTIONS, SD_FLAGS, EXTENDED_DN, SHOW_DELETED];

/// What `supportedControl` lists: what is obeyed in full. Virtual list views
/// (draft-ietf-ldapext-ldapv3-vlv) are not: a list is counted and cut by position at each
/// keystroke there, clients have it off by default, and one that finds it listed and not
/// obeyed in every detail asks without end.
pub(crate) const SUPPORTED: [&str; 8] = [
    PAGED_RESULTS,
    SORT_REQUEST,
    MATCHED_VALUES,
    ASSERTION,
    SUBENTRIES,
    MANAGE_DSA_IT,
    DOMAIN_SCOPE,
    SEARCH_OPTIONS,
];

/// The controls of a request that change how it is carried out.
#[derive(Debug, Default)]
pub(crate) struct Wishes<'a> {
    /// The answer in pages.
    pub(crate) paged: Option<PagedRequest<'a>>,
    /// The answer in this order.
    pub(crate) sort: Option<Sort<'a>>,
    /// Of the attributes only the values that one of these is true of.
    pub(crate) matched_values: Option<Vec<Filter<'a>>>,
    /// The operation only if this is true of its entry.
    pub(crate) assertion: Option<Filter<'a>>,
    /// Subentries and nothing else.
    pub(crate) subentries_only: bool,
}

/// A wish for an order.
#[derive(Debug)]
pub(crate) struct Sort<'a> {
    /// The keys, the one that counts most first.
    pub(crate) keys: Vec<SortKey<'a>>,
    /// Whether no answer is better than one in another order.
    pub(crate) critical: bool,
    /// The keys as they came.
    pub(crate) value: &'a [u8],
}

/// Sorts the controls of a request.
///
/// RFC 4511 4.1.11: "If the server does not recognize the control type or it is not
/// appropriate for the operation [...] and criticality is TRUE, the server MUST NOT
/// perform the operation, and [...] return unavailableCriticalExtension".
pub(crate) fn sort<'a>(
    list: &[Control<'a>],
    operation: &Operation<'_>,
    limits: &LimitSettings,
) -> Result<Wishes<'a>, Outcome> {
    let mut wishes = Wishes::default();
    let is_search = matches!(operation, Operation::Search(_));
    let is_compare = matches!(operation, Operation::Compare(_));
    for control in list {
        let oid = std::str::from_utf8(control.oid).unwrap_or_default();
        let read = match oid {
            PAGED_RESULTS if is_search => {
                controls::paged(control.value).map(|paged| wishes.paged = Some(paged)).map_err(why)
            }
            SORT_REQUEST if is_search => controls::sort_keys(control.value)
                .map(|keys| {
                    let value = control.value.unwrap_or_default();
                    wishes.sort = Some(Sort { keys, critical: control.critical, value });
                })
                .map_err(why),
            MATCHED_VALUES if is_search => controls::only_element(control.value)
                .map_err(FilterProblem::from)
                .and_then(|list| filter::simple_items(&list, limits))
                .map(|items| wishes.matched_values = Some(items))
                .map_err(why),
            ASSERTION if is_search || is_compare => controls::only_element(control.value)
                .map_err(FilterProblem::from)
                .and_then(|tlv| filter::decode(&tlv, limits))
                .map(|filter| wishes.assertion = Some(filter))
                .map_err(why),
            SUBENTRIES if is_search => controls::only_element(control.value)
                .and_then(|tlv| {
                    if tlv.tag == BOOLEAN {
                        tlv.boolean()
                    } else {
                        Err(tlv.malformed("no boolean"))
                    }
                })
                .map(|only| wishes.subentries_only = only)
                .map_err(why),
            _ if control.critical && !WITHOUT_EFFECT.contains(&oid) => {
                let message = format!("control {oid} is not supported for this operation");
                return Err(Outcome::new(LdapResultCode::UnavailableCriticalExtension, message));
            }
            _ => Ok(()),
        };
        read.map_err(|(code, what)| Outcome::new(code, format!("control {oid}: {what}")))?;
    }
    Ok(wishes)
}

fn why(problem: impl Into<FilterProblem>) -> (LdapResultCode, &'static str) {
    match problem.into() {
        FilterProblem::Malformed(Malformed { what, .. }) => (LdapResultCode::ProtocolError, what),
        FilterProblem::TooLarge(what) => (LdapResultCode::AdminLimitExceeded, what),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ldap::wire::request::{CompareRequest, ExtendedRequest};

    fn control<'a>(oid: &'a str, critical: bool, value: Option<&'a [u8]>) -> Control<'a> {
        Control { oid: oid.as_bytes(), critical, value }
    }

    const COMPARE: Operation<'_> =
        Operation::Compare(CompareRequest { entry: b"", attribute: b"cn", value: b"x" });
    const EXTENDED: Operation<'_> =
        Operation::Extended(ExtendedRequest { name: b"1.2", value: None });

    /// The search that a message holds.
    fn of_search(controls: &[Control<'_>]) -> Result<bool, LdapResultCode> {
        use crate::ldap::wire::{request, samples};
        let limits = LimitSettings::default();
        let search = samples::search("dc=x", 2, "(cn=a)", &[]);
        let contents = [b"\x02\x01\x01".as_slice(), &search].concat();
        let request = request::decode(&contents, 2, &limits).unwrap();
        match sort(controls, &request.operation, &limits) {
            Ok(wishes) => Ok(wishes.paged.is_some()
                || wishes.sort.is_some()
                || wishes.matched_values.is_some()
                || wishes.assertion.is_some()
                || wishes.subentries_only),
            Err(outcome) => Err(outcome.code),
        }
    }

    fn code(controls: &[Control<'_>], operation: &Operation<'_>) -> Option<LdapResultCode> {
        sort(controls, operation, &LimitSettings::default()).err().map(|outcome| outcome.code)
    }

    #[test]
    fn an_unknown_control_matters_only_when_critical() {
        let refused = Some(LdapResultCode::UnavailableCriticalExtension);
        for oid in ["1.2.3", "2.16.840.1.113730.3.4.9", "1.2.840.113556.1.4.841"] {
            assert_eq!(of_search(&[control(oid, false, None)]), Ok(false));
            assert_eq!(of_search(&[control(oid, true, None)]).err(), refused);
            assert_eq!(code(&[control(oid, true, None)], &EXTENDED), refused);
        }
    }

    #[test]
    fn controls_without_effect_are_accepted_everywhere() {
        for oid in WITHOUT_EFFECT {
            assert_eq!(of_search(&[control(oid, true, None)]), Ok(false));
            assert_eq!(code(&[control(oid, true, None)], &COMPARE), None);
            assert_eq!(code(&[control(oid, true, None)], &EXTENDED), None);
        }
    }

    #[test]
    fn each_control_belongs_to_its_operations_and_is_read_strictly() {
        for (oid, value, in_compare) in [
            (PAGED_RESULTS, &b"\x30\x05\x02\x01\x05\x04\x00"[..], false),
            (SORT_REQUEST, b"\x30\x06\x30\x04\x04\x02sn", false),
            (MATCHED_VALUES, b"\x30\x04\x87\x02cn", false),
            (ASSERTION, b"\x87\x02cn", true),
            (SUBENTRIES, b"\x01\x01\xff", false),
        ] {
            assert_eq!(of_search(&[control(oid, true, Some(value))]), Ok(true), "{oid}");
            let elsewhere = code(&[control(oid, true, Some(value))], &COMPARE);
            let refused = Some(LdapResultCode::UnavailableCriticalExtension);
            assert_eq!(elsewhere, if in_compare { None } else { refused }, "{oid}");
            let trailing = [value, b"\x00"].concat();
            for bad in [None, Some(&b""[..]), Some(b"\x05\x00"), Some(trailing.as_slice())] {
                let error = of_search(&[control(oid, false, bad)]).err();
                assert_eq!(error, Some(LdapResultCode::ProtocolError), "{oid} {bad:?}");
            }
        }
    }

    #[test]
    fn matched_values_hold_simple_items_only() {
        let nested = control(MATCHED_VALUES, true, Some(b"\x30\x06\xa2\x04\x87\x02cn"));
        assert_eq!(of_search(&[nested]).err(), Some(LdapResultCode::ProtocolError));
    }
}
