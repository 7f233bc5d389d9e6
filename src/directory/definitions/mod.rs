//! The attribute types and object classes themselves. Pure: no I/O, no clock.

mod attributes;
mod classes;

use super::attribute::{AttributeId, AttributeType};
use super::schema::ObjectClass;
use attributes::{ASKED, INDEXED, ONE, ROWS, Row};

/// All attribute types, by number.
pub(super) fn attributes() -> Vec<AttributeType> {
    let attribute = |(at, row): (usize, &Row)| {
        let (oid, name, aliases, syntax, flags) = *row;
        AttributeType {
            id: AttributeId(u16::try_from(at).unwrap_or(u16::MAX)),
            oid,
            name,
            aliases,
            syntax,
            single_value: flags & ONE != 0,
            operational: flags & ASKED != 0,
            substrings_index: flags & INDEXED != 0,
        }
    };
    ROWS.iter().enumerate().map(attribute).collect()
}

/// All object classes.
pub(super) fn classes() -> Vec<ObjectClass> {
    classes::classes()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::directory::schema::{self, ClassKind};
    use std::collections::HashSet;

    #[test]
    fn names_and_object_identifiers_are_unique() {
        let (mut names, mut oids) = (HashSet::new(), HashSet::new());
        for attribute in attributes() {
            for name in attribute.aliases.iter().chain([&attribute.name]) {
                assert!(names.insert(name.to_ascii_lowercase()), "attribute {name}");
                assert!(name.len() <= 64 && name.is_ascii(), "{name}");
            }
            assert!(oids.insert(attribute.oid), "{} {}", attribute.name, attribute.oid);
        }
        for class in classes() {
            assert!(names.insert(format!("class {}", class.name.to_ascii_lowercase())));
            assert!(oids.insert(class.oid), "{} {}", class.name, class.oid);
        }
        for oid in oids {
            assert!(oid.split('.').count() > 2, "{oid}");
            assert!(oid.bytes().all(|b| b.is_ascii_digit() || b == b'.'), "{oid}");
        }
    }

    #[test]
    fn classes_refer_to_what_is_there() {
        let schema = schema::standard();
        for class in classes() {
            for name in class.must.iter().chain(class.may) {
                assert!(schema.attribute(name.as_bytes()).is_some(), "{}: {name}", class.name);
            }
            let superior = schema.class(class.superior);
            assert!(class.name == "top" || superior.is_some(), "{}", class.name);
            if class.kind == ClassKind::Auxiliary {
                assert_ne!(superior.unwrap().kind, ClassKind::Structural, "{}", class.name);
            }
        }
    }

    /// python ldap3 chooses formatters by these identifiers and decides by
    /// SINGLE-VALUE between a scalar and a list.
    #[test]
    fn active_directory_attributes_have_their_identifiers_and_arity() {
        let schema = schema::standard();
        for (name, oid, single) in [
            ("objectGUID", "1.2.840.113556.1.4.2", true),
            ("objectSid", "1.2.840.113556.1.4.146", true),
            ("pwdLastSet", "1.2.840.113556.1.4.96", true),
            ("accountExpires", "1.2.840.113556.1.4.159", true),
            ("lastLogonTimestamp", "1.2.840.113556.1.4.1696", true),
            ("sAMAccountName", "1.2.840.113556.1.4.221", true),
            ("groupType", "1.2.840.113556.1.4.750", true),
            ("proxyAddresses", "1.2.840.113556.1.2.210", false),
            ("extensionAttribute10", "1.2.840.113556.1.2.432", true),
            ("extensionAttribute11", "1.2.840.113556.1.2.599", true),
            ("msExchHideFromAddressLists", "1.2.840.113556.1.4.7000.102.73", true),
            ("street", "2.5.4.9", true),
            ("streetAddress", "1.2.840.113556.1.2.256", true),
            ("mail", "0.9.2342.19200300.100.1.3", true),
            ("description", "2.5.4.13", false),
            ("otherMailbox", "1.2.840.113556.1.4.651", false),
            ("telephoneNumber", "2.5.4.20", true),
            ("otherTelephone", "1.2.840.113556.1.2.18", false),
        ] {
            let attribute = schema.attribute(name.as_bytes()).unwrap();
            assert_eq!((attribute.oid, attribute.single_value), (oid, single), "{name}");
            assert_eq!(schema.attribute(oid.as_bytes()).unwrap().name, name);
        }
    }

    #[test]
    fn every_attribute_that_a_known_client_tests_or_asks_for_is_defined() {
        let asked = "\
            msExchHideFromAddressLists homeMDB msExchHomeServerName legacyExchangeDN targetAddress \
            mailNickname gn commonname surname xmozillanickname mozillaSecondEmail notes company \
            department title url fax pagerphone sudoHost sudoUser sudoCommand shadowExpire \
            shadowFlag uidNumber gidNumber homeDirectory unixHomeDirectory loginShell gecos \
            memberUid userPassword userCertificate thumbnailPhoto jpegPhoto mailLocalAddress \
            mailRoutingAddress mailAlternateAddress mailAlternativeAddress mailPrimaryAddress \
            maildrop otherMailbox uniqueMember memberURL rfc822MailMember tokenGroups \
            tokenGroupsGlobalAndUniversal primaryGroupID primaryGroupToken accountExpires \
            pwdLastSet lockoutTime lastLogon badPwdCount msDS-User-Account-Control-Computed \
            msDS-PrincipalName msDS-ExternalDirectoryObjectId mS-DS-ConsistencyGuid \
            nTSecurityDescriptor sDRightsEffective allowedAttributesEffective canonicalName anr \
            userSMIMECertificate entryUUID entryDN entryCSN contextCSN hasSubordinates \
            numSubordinates namingContexts defaultNamingContext supportedCapabilities \
            domainControllerFunctionality currentTime highestCommittedUSN lastUSN vendorVersion \
            attributeTypes objectClasses matchingRules matchingRuleUse ldapSyntaxes \
            dITContentRules dITStructureRules nameForms info division secretary assistant \
            roomNumber departmentNumber preferredLanguage wWWHomePage displayNamePrintable \
            mailacceptinggeneralid sendmailMTAKey sshPublicKey krbLastPwdChange middleName \
            OU DC UserID cellphone";
        for name in asked.split_whitespace() {
            assert!(schema::standard().attribute(name.as_bytes()).is_some(), "{name}");
        }
    }
}
