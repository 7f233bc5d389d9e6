//! The Graph properties that are selected (Microsoft Graph v1.0). Pure: no I/O, no clock.
//!
//! They are more than the preset maps: who is in scope is decided by some, and another
//! mapping is derived from what is stored, without a download.

use crate::directory::kind::Kind;

pub(super) const fn selected(kind: Kind) -> &'static [&'static str] {
    match kind {
        Kind::User => USER,
        Kind::Group => GROUP,
        Kind::Contact => CONTACT,
        Kind::Domain => DOMAIN,
    }
}

const USER: &[&str] = &[
    "id",
    "userPrincipalName",
    "displayName",
    "givenName",
    "surname",
    "mail",
    "mailNickname",
    "proxyAddresses",
    "otherMails",
    "accountEnabled",
    "userType",
    "externalUserState",
    "showInAddressList",
    "jobTitle",
    "department",
    "companyName",
    "officeLocation",
    "businessPhones",
    "mobilePhone",
    "faxNumber",
    "streetAddress",
    "city",
    "state",
    "postalCode",
    "country",
    "employeeId",
    "employeeType",
    "preferredLanguage",
    "usageLocation",
    "assignedLicenses",
    "createdDateTime",
    "identities",
    "imAddresses",
    "onPremisesSyncEnabled",
    "onPremisesImmutableId",
    "onPremisesSamAccountName",
    "onPremisesDomainName",
    "onPremisesDistinguishedName",
    "onPremisesUserPrincipalName",
    "onPremisesSecurityIdentifier",
    "onPremisesExtensionAttributes",
    "lastPasswordChangeDateTime",
];

const GROUP: &[&str] = &[
    "id",
    "displayName",
    "description",
    "mail",
    "mailNickname",
    "mailEnabled",
    "securityEnabled",
    "groupTypes",
    "proxyAddresses",
    "visibility",
    "membershipRule",
    "membershipRuleProcessingState",
    "isAssignableToRole",
    "resourceProvisioningOptions",
    "onPremisesSyncEnabled",
    "onPremisesSamAccountName",
    "onPremisesDomainName",
    "onPremisesNetBiosName",
    "onPremisesSecurityIdentifier",
    "createdDateTime",
];

const CONTACT: &[&str] = &[
    "id",
    "displayName",
    "givenName",
    "surname",
    "mail",
    "mailNickname",
    "proxyAddresses",
    "jobTitle",
    "department",
    "companyName",
    "addresses",
    "phones",
    "onPremisesSyncEnabled",
];

const DOMAIN: &[&str] = &[
    "id",
    "isDefault",
    "isInitial",
    "isVerified",
    "isRoot",
    "authenticationType",
    "supportedServices",
];
