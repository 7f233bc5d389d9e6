//! The object classes, as a table. Pure: no I/O, no clock.
//!
//! Superiors are Active Directory's (`inetOrgPerson` refines `user`). What AD attaches
//! to `user`, `group` and `contact` by auxiliary classes that entries do not name
//! (`mailRecipient`, `securityPrincipal`) stands in the classes themselves.

use crate::directory::schema::{
    ClassKind::{self, Abstract, Auxiliary, Structural},
    ObjectClass,
};

type List = &'static [&'static str];

/// What a mail recipient may have, and more.
macro_rules! recipient {
    ($($more:literal)*) => {
        &[
            "mailNickname", "mailLocalAddress", "mailAlternateAddress", "mailAlternativeAddress",
            "mailPrimaryAddress", "mailRoutingAddress", "mailHost", "maildrop", "otherMailbox",
            "targetAddress", "legacyExchangeDN", "textEncodedORAddress", "showInAddressBook",
            "info", "garbageCollPeriod", "telephoneNumber", "userCertificate",
            "userSMIMECertificate", "extensionAttribute1", "extensionAttribute2",
            "extensionAttribute3", "extensionAttribute4", "extensionAttribute5",
            "extensionAttribute6", "extensionAttribute7", "extensionAttribute8",
            "extensionAttribute9", "extensionAttribute10", "extensionAttribute11",
            "extensionAttribute12", "extensionAttribute13", "extensionAttribute14",
            "extensionAttribute15", "msExchRecipientTypeDetails", "msExchRecipientDisplayType",
            "msExchRemoteRecipientType", "msExchHideFromAddressLists", "msExchHomeServerName",
            "msExchMailboxGuid", "msExchArchiveGUID", "msExchArchiveName", "msExchVersion",
            "msExchRequireAuthToSendTo", "msExchExternalDirectoryObjectId", "msExchUsageLocation",
            "msExchExtensionCustomAttribute1", "msExchExtensionCustomAttribute2",
            "msExchExtensionCustomAttribute3", "msExchExtensionCustomAttribute4",
            "msExchExtensionCustomAttribute5", "homeMDB", "homeMTA", "delivContLength",
            "submissionContLength", "authOrig", "unauthOrig", "dLMemSubmitPerms",
            "dLMemRejectPerms", "publicDelegates", "altRecipient", "deliverAndRedirect",
            "msDS-ExternalDirectoryObjectId", $($more),*
        ]
    };
}

fn class(
    (kind, oid, name, superior): (ClassKind, &'static str, &'static str, &'static str),
    must: List,
    may: List,
) -> ObjectClass {
    ObjectClass { oid, name, superior, kind, must, may }
}

/// All object classes.
pub(super) fn classes() -> Vec<ObjectClass> {
    vec![
        class((Abstract, "2.5.6.0", "top", ""), &["objectClass"], TOP),
        class((Structural, "2.5.6.6", "person", "top"), &["cn", "sn"], PERSON),
        class(
            (Structural, "2.5.6.7", "organizationalPerson", "person"),
            &[],
            ORGANIZATIONAL_PERSON,
        ),
        class(
            (Structural, "1.2.840.113556.1.5.9", "user", "organizationalPerson"),
            &[],
            recipient!(
                "uid" "userPrincipalName" "sAMAccountName" "sAMAccountType" "userAccountControl"
                "objectSid" "sIDHistory" "primaryGroupID" "accountExpires" "pwdLastSet"
                "lockoutTime" "lastLogon" "lastLogonTimestamp" "lastLogoff" "badPwdCount"
                "badPasswordTime" "logonCount" "countryCode" "codePage" "servicePrincipalName"
                "altSecurityIdentities" "homeDirectory" "homeDrive" "scriptPath" "profilePath"
                "userWorkstations" "userParameters" "mS-DS-ConsistencyGuid" "employeeNumber"
                "employeeType" "msRTCSIP-PrimaryUserAddress" "msRTCSIP-UserEnabled"
                "msRTCSIP-Line" "unixHomeDirectory" "msExchUserCulture" "msExchImmutableId"
                "uidNumber" "gidNumber" "loginShell" "gecos" "businessCategory"
            ),
        ),
        class(
            (Structural, "2.16.840.1.113730.3.2.2", "inetOrgPerson", "user"),
            &[],
            &[
                "audio",
                "businessCategory",
                "carLicense",
                "departmentNumber",
                "displayName",
                "employeeNumber",
                "employeeType",
                "givenName",
                "homePhone",
                "homePostalAddress",
                "initials",
                "jpegPhoto",
                "labeledURI",
                "mail",
                "manager",
                "mobile",
                "o",
                "pager",
                "photo",
                "roomNumber",
                "secretary",
                "uid",
                "userCertificate",
                "x500uniqueIdentifier",
                "preferredLanguage",
                "userSMIMECertificate",
                "userPKCS12",
            ],
        ),
        class(
            (Structural, "1.2.840.113556.1.5.8", "group", "top"),
            &["cn", "groupType"],
            recipient!(
                "mail" "member" "sAMAccountName" "sAMAccountType" "objectSid" "sIDHistory"
                "managedBy" "gidNumber" "memberUid" "url" "uniqueMember" "owner"
                "mS-DS-ConsistencyGuid" "hideDLMembership" "msExchCoManagedByLink"
                "msExchExpansionServerName" "msExchEnableModeration" "msExchModeratedByLink"
            ),
        ),
        class(
            (Structural, "1.2.840.113556.1.5.15", "contact", "organizationalPerson"),
            &[],
            recipient!("employeeNumber" "employeeType" "mAPIRecipient" "mS-DS-ConsistencyGuid"),
        ),
        class(
            (Structural, "2.5.6.5", "organizationalUnit", "top"),
            &["ou"],
            &[
                "l",
                "st",
                "street",
                "postalCode",
                "postalAddress",
                "telephoneNumber",
                "seeAlso",
                "managedBy",
            ],
        ),
        class((Structural, "1.2.840.113556.1.3.23", "container", "top"), &["cn"], &[]),
        class(
            (Structural, "2.5.6.4", "organization", "top"),
            &["o"],
            &["l", "st", "street", "postalCode", "postalAddress", "telephoneNumber", "seeAlso"],
        ),
        class(
            (Structural, "0.9.2342.19200300.100.4.13", "domain", "top"),
            &["dc"],
            &[
                "associatedName",
                "o",
                "l",
                "st",
                "street",
                "postalCode",
                "telephoneNumber",
                "seeAlso",
            ],
        ),
        class(
            (Structural, "1.2.840.113556.1.5.67", "domainDNS", "domain"),
            &[],
            &[
                "managedBy",
                "objectSid",
                "maxPwdAge",
                "minPwdAge",
                "minPwdLength",
                "pwdHistoryLength",
                "pwdProperties",
                "lockoutDuration",
                "lockoutThreshold",
                "lockOutObservationWindow",
                "msDS-Behavior-Version",
                "nTMixedDomain",
                "gPLink",
                "fSMORoleOwner",
            ],
        ),
        class((Auxiliary, "1.3.6.1.4.1.1466.344", "dcObject", "top"), &["dc"], &[]),
        class(
            (Auxiliary, "0.9.2342.19200300.100.4.17", "domainRelatedObject", "top"),
            &["associatedDomain"],
            &[],
        ),
        class((Auxiliary, "1.2.840.113556.1.3.46", "mailRecipient", "top"), &["cn"], recipient!()),
        class(
            (Auxiliary, "1.2.840.113556.1.5.6", "securityPrincipal", "top"),
            &["objectSid", "sAMAccountName"],
            &["sAMAccountType", "sIDHistory", "altSecurityIdentities", "nTSecurityDescriptor"],
        ),
        class(
            (Auxiliary, "2.16.840.1.113730.3.2.147", "inetLocalMailRecipient", "top"),
            &[],
            &["mailLocalAddress", "mailHost", "mailRoutingAddress"],
        ),
        class(
            (Auxiliary, "1.3.6.1.1.1.2.0", "posixAccount", "top"),
            &[],
            &[
                "cn",
                "uid",
                "uidNumber",
                "gidNumber",
                "homeDirectory",
                "unixHomeDirectory",
                "userPassword",
                "loginShell",
                "gecos",
                "description",
            ],
        ),
        class(
            (Auxiliary, "1.3.6.1.1.1.2.1", "shadowAccount", "top"),
            &[],
            &[
                "uid",
                "userPassword",
                "shadowLastChange",
                "shadowMin",
                "shadowMax",
                "shadowWarning",
                "shadowInactive",
                "shadowExpire",
                "shadowFlag",
                "description",
            ],
        ),
        class(
            (Auxiliary, "1.3.6.1.1.1.2.2", "posixGroup", "top"),
            &[],
            &["cn", "gidNumber", "userPassword", "memberUid", "description"],
        ),
        class(
            (Structural, "2.5.6.9", "groupOfNames", "top"),
            &["cn", "member"],
            &["businessCategory", "seeAlso", "owner", "ou", "o", "description"],
        ),
        class(
            (Structural, "2.5.6.17", "groupOfUniqueNames", "top"),
            &["cn", "uniqueMember"],
            &["businessCategory", "seeAlso", "owner", "ou", "o", "description"],
        ),
        class((Structural, "2.5.17.0", "subentry", "top"), &["cn"], &["subtreeSpecification"]),
        class(
            (Auxiliary, "2.5.20.1", "subschema", "top"),
            &[],
            &[
                "dITStructureRules",
                "nameForms",
                "dITContentRules",
                "objectClasses",
                "attributeTypes",
                "matchingRules",
                "matchingRuleUse",
                "ldapSyntaxes",
            ],
        ),
        class((Auxiliary, "1.3.6.1.4.1.1466.101.120.111", "extensibleObject", "top"), &[], &[]),
    ]
}

/// What Active Directory allows in every entry.
const TOP: List = &[
    "cn",
    "name",
    "displayName",
    "displayNamePrintable",
    "description",
    "distinguishedName",
    "objectCategory",
    "objectGUID",
    "instanceType",
    "nTSecurityDescriptor",
    "whenCreated",
    "whenChanged",
    "uSNCreated",
    "uSNChanged",
    "memberOf",
    "directReports",
    "managedObjects",
    "proxyAddresses",
    "adminCount",
    "adminDescription",
    "adminDisplayName",
    "isCriticalSystemObject",
    "isDeleted",
    "isRecycled",
    "dSCorePropagationData",
    "showInAdvancedViewOnly",
    "systemFlags",
    "url",
    "wWWHomePage",
    "publicDelegatesBL",
    "altRecipientBL",
    "objectVersion",
    "wellKnownObjects",
    "otherWellKnownObjects",
];

const PERSON: List =
    &["userPassword", "telephoneNumber", "seeAlso", "serialNumber", "x500uniqueIdentifier"];

const ORGANIZATIONAL_PERSON: List = &[
    "title",
    "department",
    "division",
    "company",
    "o",
    "ou",
    "givenName",
    "initials",
    "middleName",
    "personalTitle",
    "generationQualifier",
    "mail",
    "manager",
    "assistant",
    "physicalDeliveryOfficeName",
    "streetAddress",
    "street",
    "l",
    "st",
    "c",
    "co",
    "postalCode",
    "postOfficeBox",
    "postalAddress",
    "homePostalAddress",
    "telephoneNumber",
    "otherTelephone",
    "mobile",
    "otherMobile",
    "homePhone",
    "otherHomePhone",
    "pager",
    "otherPager",
    "ipPhone",
    "otherIpPhone",
    "facsimileTelephoneNumber",
    "otherFacsimileTelephoneNumber",
    "telexNumber",
    "primaryTelexNumber",
    "internationalISDNNumber",
    "teletexTerminalIdentifier",
    "x121Address",
    "registeredAddress",
    "destinationIndicator",
    "preferredDeliveryMethod",
    "employeeID",
    "preferredLanguage",
    "comment",
    "countryCode",
    "thumbnailPhoto",
    "thumbnailLogo",
    "houseIdentifier",
    "otherMailbox",
    "roomNumber",
    "telephoneAssistant",
    "msExchAssistantName",
    "msDS-PhoneticDisplayName",
    "msDS-PhoneticFirstName",
    "msDS-PhoneticLastName",
    "msDS-PhoneticDepartment",
    "msDS-PhoneticCompanyName",
];
