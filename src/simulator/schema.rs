//! Which properties exist on each kind, which of them delta can track, and which are sent when nobody asks. Pure: no I/O, no clock.

use super::object::Kind;

const USER_DEFAULT: &[&str] = &[
    "id",
    "businessPhones",
    "displayName",
    "givenName",
    "jobTitle",
    "mail",
    "mobilePhone",
    "officeLocation",
    "preferredLanguage",
    "surname",
    "userPrincipalName",
];
const USER_MORE: &[&str] = &[
    "accountEnabled",
    "ageGroup",
    "assignedLicenses",
    "assignedPlans",
    "authorizationInfo",
    "city",
    "companyName",
    "consentProvidedForMinor",
    "country",
    "createdDateTime",
    "creationType",
    "customSecurityAttributes",
    "deletedDateTime",
    "department",
    "employeeHireDate",
    "employeeId",
    "employeeLeaveDateTime",
    "employeeOrgData",
    "employeeType",
    "externalUserState",
    "externalUserStateChangeDateTime",
    "faxNumber",
    "identities",
    "imAddresses",
    "isManagementRestricted",
    "isResourceAccount",
    "lastPasswordChangeDateTime",
    "legalAgeGroupClassification",
    "licenseAssignmentStates",
    "mailNickname",
    "onPremisesDistinguishedName",
    "onPremisesDomainName",
    "onPremisesExtensionAttributes",
    "onPremisesImmutableId",
    "onPremisesLastSyncDateTime",
    "onPremisesProvisioningErrors",
    "onPremisesSamAccountName",
    "onPremisesSecurityIdentifier",
    "onPremisesSyncEnabled",
    "onPremisesUserPrincipalName",
    "otherMails",
    "passwordPolicies",
    "passwordProfile",
    "postalCode",
    "preferredDataLocation",
    "provisionedPlans",
    "proxyAddresses",
    "securityIdentifier",
    "serviceProvisioningErrors",
    "showInAddressList",
    "signInSessionsValidFromDateTime",
    "state",
    "streetAddress",
    "usageLocation",
    "userType",
];
const USER_OUTSIDE: &[&str] = &[
    "signInActivity",
    "cloudLicensing",
    "mailboxSettings",
    "deviceEnrollmentLimit",
    "print",
    "aboutMe",
    "birthday",
    "hireDate",
    "interests",
    "mySite",
    "pastProjects",
    "preferredName",
    "responsibilities",
    "schools",
    "skills",
    "photo",
];
const GROUP_DEFAULT: &[&str] = &[
    "id",
    "deletedDateTime",
    "classification",
    "createdDateTime",
    "creationOptions",
    "description",
    "displayName",
    "expirationDateTime",
    "groupTypes",
    "isAssignableToRole",
    "mail",
    "mailEnabled",
    "mailNickname",
    "membershipRule",
    "membershipRuleProcessingState",
    "onPremisesDomainName",
    "onPremisesLastSyncDateTime",
    "onPremisesNetBiosName",
    "onPremisesSamAccountName",
    "onPremisesSecurityIdentifier",
    "onPremisesSyncEnabled",
    "preferredDataLocation",
    "preferredLanguage",
    "proxyAddresses",
    "renewedDateTime",
    "resourceBehaviorOptions",
    "resourceProvisioningOptions",
    "securityEnabled",
    "securityIdentifier",
    "theme",
    "uniqueName",
    "visibility",
    "onPremisesProvisioningErrors",
    "serviceProvisioningErrors",
];
const GROUP_MORE: &[&str] = &[
    "assignedLabels",
    "assignedLicenses",
    "hasMembersWithLicenseErrors",
    "isManagementRestricted",
    "licenseProcessingState",
];
const GROUP_OUTSIDE: &[&str] = &[
    "accessType",
    "allowExternalSenders",
    "autoSubscribeNewMembers",
    "cloudLicensing",
    "hideFromAddressLists",
    "hideFromOutlookClients",
    "isFavorite",
    "isSubscribedByMail",
    "unseenConversationsCount",
    "unseenCount",
    "unseenMessagesCount",
    "membershipRuleProcessingStatus",
    "isArchived",
];
const CONTACT_DEFAULT: &[&str] = &[
    "id",
    "addresses",
    "companyName",
    "department",
    "displayName",
    "givenName",
    "jobTitle",
    "mail",
    "mailNickname",
    "onPremisesLastSyncDateTime",
    "onPremisesProvisioningErrors",
    "onPremisesSyncEnabled",
    "phones",
    "proxyAddresses",
    "surname",
    "serviceProvisioningErrors",
];

/// What a name in `$select` stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Property {
    /// A property in the directory store.
    Stored,
    /// A relation that delta can carry: `members`, `manager`.
    Relation,
    /// A property that exists but lives outside the directory store.
    Outside,
    /// No such property.
    Missing,
}

/// The properties sent when there is no `$select`.
pub(super) fn defaults(kind: Kind) -> &'static [&'static str] {
    match kind {
        Kind::User => USER_DEFAULT,
        Kind::Group => GROUP_DEFAULT,
        Kind::Contact => CONTACT_DEFAULT,
        _ => &["id"],
    }
}

/// Looks a name of `$select` up.
pub(super) fn property(kind: Kind, name: &str) -> Property {
    let (more, outside, relations): (&[&str], &[&str], &[&str]) = match kind {
        Kind::User => (USER_MORE, USER_OUTSIDE, &["manager"]),
        Kind::Group => (GROUP_MORE, GROUP_OUTSIDE, &["members", "owners"]),
        _ => (&[], &[], &[]),
    };
    if defaults(kind).contains(&name) || more.contains(&name) || name.starts_with("extension_") {
        Property::Stored
    } else if relations.contains(&name) {
        Property::Relation
    } else if outside.contains(&name) {
        Property::Outside
    } else {
        Property::Missing
    }
}
