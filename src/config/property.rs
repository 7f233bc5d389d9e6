//! Properties of Graph objects, as a configuration may name them. Pure: no I/O, no clock.

use crate::directory::kind::Kind;
use crate::directory::nearest;

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
        if !root.contains('_') {
            way_in(root, steps.get(1..).unwrap_or_default())?;
        }
        Ok(PropertyPath(steps))
    }
}

/// Whether a property of Graph's own has such a part, and a value there.
fn way_in(root: &str, steps: &[String]) -> Result<(), (String, String)> {
    let parts = parts(root);
    let (Some(step), false) = (steps.first(), parts.is_empty()) else {
        return match (steps.first(), parts.first()) {
            (None, Some(part)) => {
                let remedy = format!("write one of them, for example \"{root}/{part}\"");
                Err((format!("{root} is no value but has parts"), remedy))
            }
            (Some(_), _) => Err((format!("{root} has no parts"), format!("write \"{root}\""))),
            (None, None) => Ok(()),
        };
    };
    if !parts.contains(&step.as_str()) {
        let remedy = match nearest::nearest(step, parts) {
            Some(meant) => format!("did you mean \"{root}/{meant}\"?"),
            None => format!("choose one of {}", parts.join(", ")),
        };
        return Err((format!("{step:?} is not a part of {root}"), remedy));
    }
    match steps.len() {
        1 => Ok(()),
        _ => Err((format!("{root}/{step} has no parts"), format!("write \"{root}/{step}\""))),
    }
}

/// The parts of a property that is a structure, or a list of such.
fn parts(root: &str) -> &'static [&'static str] {
    match root {
        "addresses" => {
            &["city", "countryOrRegion", "officeLocation", "postalCode", "state", "street"]
        }
        "assignedLabels" => &["displayName", "labelId"],
        "assignedLicenses" => &["skuId", "disabledPlans"],
        "assignedPlans" => &["service", "servicePlanId", "capabilityStatus", "assignedDateTime"],
        "employeeOrgData" => &["costCenter", "division"],
        "identities" => &["issuerAssignedId", "issuer", "signInType"],
        "licenseAssignmentStates" => {
            &["skuId", "state", "assignedByGroup", "disabledPlans", "error", "lastUpdatedDateTime"]
        }
        "onPremisesExtensionAttributes" => &[
            "extensionAttribute1",
            "extensionAttribute2",
            "extensionAttribute3",
            "extensionAttribute4",
            "extensionAttribute5",
            "extensionAttribute6",
            "extensionAttribute7",
            "extensionAttribute8",
            "extensionAttribute9",
            "extensionAttribute10",
            "extensionAttribute11",
            "extensionAttribute12",
            "extensionAttribute13",
            "extensionAttribute14",
            "extensionAttribute15",
        ],
        "onPremisesProvisioningErrors" => {
            &["value", "propertyCausingError", "category", "occurredDateTime"]
        }
        "phones" => &["number", "type"],
        "provisionedPlans" => &["service", "provisioningStatus", "capabilityStatus"],
        "serviceProvisioningErrors" => &["serviceInstance", "isResolved", "createdDateTime"],
        _ => &[],
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
