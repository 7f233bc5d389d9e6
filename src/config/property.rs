//! Properties of Graph objects, as a configuration may name them. Pure: no I/O, no clock.

use super::nearest;
use crate::directory::kind::Kind;

/// A property, and the way into it: `employeeOrgData/costCenter`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PropertyPath(Vec<String>);

impl PropertyPath {
    /// The property that is selected.
    pub fn root(&self) -> &str {
        self.0.first().map_or("", String::as_str)
    }

    /// The names from the object on.
    pub fn steps(&self) -> &[String] {
        &self.0
    }

    /// Reads a path.
    ///
    /// # Errors
    /// What is wrong, and the remedy.
    pub(super) fn parse(kind: Kind, text: &str) -> Result<Self, (String, String)> {
        let steps: Vec<String> = text.trim().split('/').map(str::to_owned).collect();
        let is_name = |step: &String| {
            !step.is_empty() && step.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
        };
        if !steps.iter().all(is_name) || steps.len() > 4 {
            let remedy = "write for example \"jobTitle\" or \"employeeOrgData/costCenter\"";
            return Err((format!("{text:?} is not a property"), remedy.to_owned()));
        }
        let root = steps.first().map_or("", String::as_str);
        if let Some(known) = untracked(kind).iter().find(|name| **name == root) {
            let message = format!("{known} is not told by delta queries of Graph");
            return Err((
                message,
                "choose another property; entraldap reads changes only".to_owned(),
            ));
        }
        if root.starts_with("extensionAttribute") && steps.len() == 1 && kind == Kind::User {
            let remedy = format!("write \"onPremisesExtensionAttributes/{root}\"");
            return Err((format!("{root} is a part of another property"), remedy));
        }
        // Directory and schema extensions are named by who made them.
        if !root.contains('_') && !base(kind).contains(&root) && !more(kind).contains(&root) {
            let all: Vec<&str> = base(kind).iter().chain(more(kind)).copied().collect();
            let remedy = match nearest::nearest(root, &all) {
                Some(meant) => format!("did you mean \"{meant}\"?"),
                None => {
                    "see the properties of the resource in the reference of Microsoft Graph 1.0"
                        .to_owned()
                }
            };
            return Err((format!("{root:?} is not a property of a {kind}"), remedy));
        }
        Ok(PropertyPath(steps))
    }
}

/// What is always selected (graph.md 3.7). `onPremisesLastSyncDateTime` is left out: it
/// would bring objects for no other change than that.
pub fn base(kind: Kind) -> &'static [&'static str] {
    match kind {
        Kind::User => USER,
        Kind::Group => GROUP,
        Kind::Contact => CONTACT,
        Kind::Domain => DOMAIN,
    }
}

const DOMAIN: &[&str] = &[
    "id",
    "isDefault",
    "isInitial",
    "isVerified",
    "isRoot",
    "authenticationType",
    "supportedServices",
];
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

/// What may be selected besides.
fn more(kind: Kind) -> &'static [&'static str] {
    match kind {
        Kind::User => &[
            "ageGroup",
            "assignedPlans",
            "consentProvidedForMinor",
            "creationType",
            "employeeHireDate",
            "employeeLeaveDateTime",
            "employeeOrgData",
            "externalUserStateChangeDateTime",
            "isResourceAccount",
            "legalAgeGroupClassification",
            "licenseAssignmentStates",
            "onPremisesLastSyncDateTime",
            "onPremisesProvisioningErrors",
            "passwordPolicies",
            "preferredDataLocation",
            "provisionedPlans",
            "refreshTokensValidFromDateTime",
            "securityIdentifier",
            "serviceProvisioningErrors",
            "signInSessionsValidFromDateTime",
        ],
        Kind::Group => &[
            "assignedLabels",
            "assignedLicenses",
            "classification",
            "expirationDateTime",
            "onPremisesLastSyncDateTime",
            "onPremisesProvisioningErrors",
            "preferredDataLocation",
            "preferredLanguage",
            "renewedDateTime",
            "resourceBehaviorOptions",
            "securityIdentifier",
            "serviceProvisioningErrors",
            "theme",
            "uniqueName",
        ],
        Kind::Contact => &[
            "onPremisesLastSyncDateTime",
            "onPremisesProvisioningErrors",
            "serviceProvisioningErrors",
        ],
        Kind::Domain => &[],
    }
}

/// What lies outside the directory's own store: delta queries refuse it or do not notice
/// its changes (graph.md 3.7).
fn untracked(kind: Kind) -> &'static [&'static str] {
    match kind {
        Kind::User => &[
            "aboutMe",
            "birthday",
            "cloudLicensing",
            "deviceEnrollmentLimit",
            "hireDate",
            "interests",
            "mailboxSettings",
            "mySite",
            "pastProjects",
            "photo",
            "preferredName",
            "print",
            "responsibilities",
            "schools",
            "signInActivity",
            "skills",
        ],
        Kind::Group => &[
            "acceptedSenders",
            "accessType",
            "allowExternalSenders",
            "autoSubscribeNewMembers",
            "cloudLicensing",
            "hideFromAddressLists",
            "hideFromOutlookClients",
            "isArchived",
            "isFavorite",
            "isSubscribedByMail",
            "membershipRuleProcessingStatus",
            "rejectedSenders",
            "unseenConversationsCount",
            "unseenCount",
            "unseenMessagesCount",
        ],
        Kind::Contact | Kind::Domain => &[],
    }
}
