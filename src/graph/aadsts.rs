//! What the codes of the token endpoint mean, and what to do, in the words of the Entra
//! portal (graph.md 1.6 to 1.9). Pure: no I/O, no clock.
//!
//! Nothing decides by this table; it is for people.

use super::error::Access;

/// A code, explained.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Meaning {
    pub(super) cause: &'static str,
    pub(super) remedy: &'static str,
}

/// Of `AADSTS...`, or of the word of RFC 6749 where a service gives no number.
pub(super) fn meaning(code: &str) -> Option<Meaning> {
    let code = code.strip_prefix("AADSTS").unwrap_or(code);
    let row = TABLE.iter().find(|(codes, ..)| codes.split(' ').any(|known| known == code));
    row.map(|(_, cause, remedy)| Meaning { cause, remedy })
}

/// The same by what the application proves itself with: what is one user's trouble, or one
/// certificate's, may be another's.
pub(super) fn meaning_for(code: &str, access: Access) -> Option<Meaning> {
    let found = meaning(code)?;
    let remedy = match (access, code.strip_prefix("AADSTS").unwrap_or(code)) {
        (Access::Person, "50126" | "50034" | "50053" | "50055" | "50144" | "50057" | "50020") => {
            "it concerns the person who signed in: mend that account, or run `entraldap authorize` as another person"
        }
        (Access::Person, "50076" | "50079" | "50074" | "50072" | "50158" | "65001") => {
            "run `entraldap authorize` and go through all that the page asks for"
        }
        (Access::Federated, "700024") => {
            "look at what renews the file of federated_token: the token in it is out of date; or set this machine's clock"
        }
        (Access::Federated, "700027" | "50012" | "50013") => FEDERATION,
        _ => found.remedy,
    };
    Some(Meaning { remedy, ..found })
}

const SECRETS: &str = "create a new one under App registrations > Certificates & secrets and configure its Value, which \
                       is shown once; not its Secret ID";
const SIGN_IN_AGAIN: &str = "run `entraldap authorize` and sign in again";
const PASSES: &str = "nothing: it is tried again; see status.cloud.microsoft if it stays";
const OF_A_USER: &str = "nothing here: it concerns one user's password";
const POLICY: &str = "ask who looks after Conditional Access (Entra portal > Protection > Conditional Access; the sign-in \
                      log names the policy) to exclude the application";
const AGENT: &str =
    "look at the pass-through authentication agents (Entra Connect > Pass-through authentication)";
const FEDERATION: &str = "compare issuer, subject and audience of the token with App registrations > Certificates & secrets \
                          > Federated credentials";

/// Codes, cause, remedy.
const TABLE: &[(&str, &str, &str)] = &[
    ("7000215", "the client secret is wrong", SECRETS),
    ("7000222", "the client secret has expired", SECRETS),
    (
        "700016 700038",
        "the application is not known in this tenant",
        "compare client_id with App registrations > Overview > Application (client) ID, and tenant with the tenant that it \
         is registered in",
    ),
    (
        "7000229",
        "the application is registered, but this tenant has no service principal of it",
        "let an administrator open the consent URL that `entraldap check` prints",
    ),
    (
        "90002",
        "the tenant is not known here",
        "check the tenant's id or domain, and that authority (or cloud) is the one of its cloud",
    ),
    (
        "900023 90013 9001023 90072 50194",
        "this is no tenant that applications can sign in to",
        "write the tenant's id (GUID) or one of its verified domains as tenant",
    ),
    (
        "500011 650057",
        "the Graph endpoint is not one that this tenant's cloud knows",
        "check that endpoint and authority (or cloud) belong to the same cloud",
    ),
    (
        "70011 invalid_scope",
        "the Graph endpoint is not a resource that Entra knows",
        "check endpoint (or cloud)",
    ),
    (
        "700027 50012 5000224",
        "the certificate is not one of those registered, or the key is another one",
        "upload the certificate (.cer) under App registrations > Certificates & secrets > Certificates and compare the \
         thumbprint with the one that `entraldap check` shows",
    ),
    (
        "700024",
        "what the certificate signed is not valid at this time: this machine's clock is wrong",
        "set the clock (chrony, systemd-timesyncd)",
    ),
    (
        "700021 700023 700026",
        "the assertion does not name this application and this token endpoint",
        "check cloud (or authority), tenant and client_id",
    ),
    (
        "7000218",
        "the application proves nothing, and is not allowed to",
        "configure client_secret or client_certificate; for `authorize` and user binds: App registrations > \
         Authentication > Allow public client flows: Yes",
    ),
    (
        "7000112 7000113",
        "the application is disabled in this tenant",
        "enable it: Enterprise applications > Properties > Enabled for users to sign-in",
    ),
    (
        "50013 70021 700211 700212 700213",
        "no federated credential of the application fits the token",
        FEDERATION,
    ),
    (
        "700025",
        "the application has no federated credentials",
        "add one under App registrations > Certificates & secrets > Federated credentials",
    ),
    (
        "700229 7002381",
        "a federated token of Entra must be an application's own, not a person's",
        "use an app-only token as federated_token",
    ),
    ("7002371 5001256", "the issuer of the federated token cannot be reached by Entra", FEDERATION),
    (
        "70003 unsupported_grant_type",
        "this way of signing in is not offered here",
        "check that authority is the one of Entra, and for user binds that the tenant allows passwords (ROPC)",
    ),
    (
        "700054 unauthorized_client",
        "the application may not sign in this way",
        "check client_id; for `authorize` and user binds: App registrations > Authentication > Allow public client flows",
    ),
    (
        "65001",
        "nobody has consented to the permissions of the application",
        "let an administrator open the consent URL that `entraldap check` prints",
    ),
    (
        "90094 90095",
        "consent to these permissions is for administrators",
        "let an administrator open the consent URL that `entraldap check` prints",
    ),
    (
        "50105",
        "the user is not assigned to the application, which asks for assignments",
        "Enterprise applications > Users and groups: assign the user, or Properties > Assignment required: No",
    ),
    (
        "53003 53000 53001 53002 530032 530034 530035 53004 53011",
        "Conditional Access blocks the sign-in",
        POLICY,
    ),
    (
        "50076 50079 50074 50072 50158",
        "the sign-in asks for a second factor",
        "exclude the application or the user from it, or use an application permission instead of a person",
    ),
    ("50126 50056 50064 50034", "user name or password is wrong", OF_A_USER),
    (
        "50053",
        "Entra has locked the account for a while, or distrusts this network address",
        OF_A_USER,
    ),
    ("50055 50144", "the password has expired", OF_A_USER),
    ("50057", "the account is disabled", OF_A_USER),
    ("50020", "the account belongs to another tenant", OF_A_USER),
    ("80012", "the account may not sign in at this hour", OF_A_USER),
    ("80001 80002 80005 80007 80013 80014", "the agent that checks passwords is in trouble", AGENT),
    (
        "50196",
        "Entra sees a client that asks the same thing without end",
        "look for a second entraldap with the same application, or for a client that binds in a loop",
    ),
    (
        "50000 90033 90024 90006 50033 90090 90055 temporarily_unavailable server_error",
        "Entra is in trouble for a moment, or limits this tenant",
        PASSES,
    ),
    (
        "70016 authorization_pending",
        "nobody has entered the code yet",
        "open the page and enter the code",
    ),
    ("authorization_declined", "the person has declined", SIGN_IN_AGAIN),
    ("70018 bad_verification_code", "the code is not the one that was given out", SIGN_IN_AGAIN),
    ("70019 expired_token", "the code was not entered in time", SIGN_IN_AGAIN),
    ("54005", "the sign-in has been used already", SIGN_IN_AGAIN),
    ("501481", "the sign-in was begun by another program", SIGN_IN_AGAIN),
    ("70008 700082", "the sign-in has not been used for too long and has ended", SIGN_IN_AGAIN),
    (
        "50173 50132 50133",
        "the sign-in was revoked: the person's password was changed, or an administrator ended all sessions",
        SIGN_IN_AGAIN,
    ),
    (
        "70043",
        "a policy ends sign-ins after some time (sign-in frequency)",
        "run `entraldap authorize` again, and exclude the account from the policy, or use an application permission",
    ),
    ("invalid_grant", "the sign-in is not valid any more", SIGN_IN_AGAIN),
    (
        "invalid_client",
        "Entra does not take what the application proves itself by",
        "check client_id and the secret or certificate",
    ),
    (
        "invalid_resource",
        "the Graph endpoint is not one that this cloud knows",
        "check endpoint (or cloud)",
    ),
    (
        "900561 invalid_request",
        "Entra does not understand the request",
        "check tenant and authority",
    ),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_of_the_reference_is_explained_once() {
        let known: Vec<&str> = TABLE.iter().flat_map(|(codes, ..)| codes.split(' ')).collect();
        for code in "50126 50034 50056 50064 50053 50055 50144 50057 50076 50079 50074 50072 50158 53003 53000 53001 \
                     53002 530032 530035 53004 50196 65001 50105 7000218 7000215 7000222 700016 700038 700027 50012 \
                     90002 500011 80001 80002 80005 80007 80012 80013 80014 50000 90033 90024 90006 50033 90090 90055 \
                     9001023 70003 70011 70016 70018 70019 54005 501481 70008 700082 50173 70043 50132 50133 700229"
            .split_whitespace()
        {
            assert_eq!(known.iter().filter(|one| **one == code).count(), 1, "{code}");
            assert!(meaning(&format!("AADSTS{code}")).is_some(), "{code}");
        }
        let mut once = known.clone();
        once.sort_unstable();
        once.dedup();
        assert_eq!(once.len(), known.len());
        assert_eq!(meaning("AADSTS1"), None);
    }
}
