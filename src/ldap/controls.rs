//! Which controls are understood, and what is done about the others (RFC 4511 4.1.11).
//! Pure: no I/O, no clock.

use super::wire::controls::{self, Control, PagedRequest};
use super::wire::response::Outcome;
use ldap3_proto::LdapResultCode;

/// Simple paged results (RFC 2696).
pub(crate) const PAGED_RESULTS: &str = "1.2.840.113556.1.4.319";
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

/// What `supportedControl` lists: what is obeyed in full.
pub(crate) const SUPPORTED: [&str; 4] =
    [PAGED_RESULTS, MANAGE_DSA_IT, DOMAIN_SCOPE, SEARCH_OPTIONS];

/// The controls of a request that change how it is carried out.
#[derive(Debug, Default, Clone, Copy)]
pub(crate) struct Wishes<'a> {
    /// The answer in pages.
    pub(crate) paged: Option<PagedRequest<'a>>,
}

/// Sorts the controls of a request; `is_search` says whether it is a search.
///
/// RFC 4511 4.1.11: "If the server does not recognize the control type or it is not
/// appropriate for the operation [...] and criticality is TRUE, the server MUST NOT
/// perform the operation, and [...] return unavailableCriticalExtension".
pub(crate) fn sort<'a>(list: &[Control<'a>], is_search: bool) -> Result<Wishes<'a>, Outcome> {
    let mut wishes = Wishes::default();
    for control in list {
        let oid = std::str::from_utf8(control.oid).unwrap_or_default();
        if oid == PAGED_RESULTS && is_search {
            let paged = controls::paged(control.value).map_err(|problem| {
                Outcome::new(
                    LdapResultCode::ProtocolError,
                    format!("paged results: {}", problem.what),
                )
            })?;
            wishes.paged = Some(paged);
        } else if control.critical && !WITHOUT_EFFECT.contains(&oid) {
            let message = format!("control {oid} is not supported for this operation");
            return Err(Outcome::new(LdapResultCode::UnavailableCriticalExtension, message));
        }
    }
    Ok(wishes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn control(oid: &str, critical: bool) -> Control<'_> {
        Control { oid: oid.as_bytes(), critical, value: None }
    }

    #[test]
    fn an_unknown_control_matters_only_when_critical() {
        assert!(sort(&[control("1.2.3", false)], true).is_ok());
        let refused = sort(&[control("1.2.3", true)], true).unwrap_err();
        assert_eq!(refused.code, LdapResultCode::UnavailableCriticalExtension);
    }

    #[test]
    fn controls_without_effect_are_accepted_everywhere() {
        for oid in WITHOUT_EFFECT {
            assert!(sort(&[control(oid, true)], true).is_ok());
            assert!(sort(&[control(oid, true)], false).is_ok());
        }
    }

    #[test]
    fn paging_belongs_to_searches_and_is_read_strictly() {
        let paged = Control {
            value: Some(b"\x30\x05\x02\x01\x05\x04\x00"),
            ..control(PAGED_RESULTS, true)
        };
        assert_eq!(sort(&[paged], true).unwrap().paged.unwrap().size, 5);
        assert_eq!(
            sort(&[paged], false).unwrap_err().code,
            LdapResultCode::UnavailableCriticalExtension
        );
        let bad = sort(&[control(PAGED_RESULTS, false)], true).unwrap_err();
        assert_eq!(bad.code, LdapResultCode::ProtocolError);
    }
}
