//! Which account a bind name means. Pure: no I/O, no clock.

use crate::directory::dn::{Dn, DnKey};
use std::borrow::Cow;

/// The account name inside a bind name: alone, before `@`, behind `DOMAIN\`, or as the
/// first RDN of a DN whose rest `is_ours`. It depends on the form alone, never on
/// whether there is such an account.
pub(crate) fn bare_name<'n>(bind_name: &'n str, is_ours: &dyn Fn(&DnKey) -> bool) -> Cow<'n, str> {
    if bind_name.contains('=') {
        return name_of_dn(bind_name, is_ours).map_or(Cow::Borrowed(bind_name), Cow::Owned);
    }
    if let Some((_, name)) = bind_name.rsplit_once('\\') {
        return Cow::Borrowed(name);
    }
    Cow::Borrowed(bind_name.rsplit_once('@').map_or(bind_name, |(name, _)| name))
}

fn name_of_dn(bind_name: &str, is_ours: &dyn Fn(&DnKey) -> bool) -> Option<String> {
    let dn = Dn::parse(bind_name).ok()?;
    let above = dn.parent()?.key();
    let (attribute, value) = dn.rdn()?.first()?;
    let is_name = ["cn", "uid", "2.5.4.3", "0.9.2342.19200300.100.1.1"]
        .iter()
        .any(|known| attribute.eq_ignore_ascii_case(known));
    let name = std::str::from_utf8(value).ok()?;
    (is_name && is_ours(&above)).then(|| name.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_form_of_the_name_is_the_same_account() {
        let base = Dn::parse("dc=contoso,dc=com").unwrap().key();
        let is_ours = |key: &DnKey| key.is_within(&base);
        for name in [
            "gateway",
            "gateway@contoso.com",
            "gateway@any.where",
            "CONTOSO\\gateway",
            "cn=gateway,dc=contoso,dc=com",
            "CN=gateway, OU=x, DC=Contoso, DC=com",
            "uid=gateway,ou=users,dc=contoso,dc=com",
        ] {
            assert_eq!(bare_name(name, &is_ours), "gateway", "{name}");
        }
        for name in [
            "",
            "another",
            "cn=gateway",
            "cn=gateway,dc=example,dc=com",
            "sn=gateway,dc=contoso,dc=com",
            "cn=gateway,,dc=contoso",
            "@contoso.com",
            "gateway\\",
        ] {
            assert_ne!(bare_name(name, &is_ours), "gateway", "{name}");
        }
    }
}
