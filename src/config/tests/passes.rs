//! Claims about when passes run, whom they serve and what they report.

use super::*;

#[test]
fn mistakes_in_when_passes_run_are_told() {
    let sync = |line: &str| read_after(&format!("[connection.sync]\n{line}"));
    for (line, expected) in [
        ("times = [\"25:00\"]", "\"25:00\" is not a time of day; write for example \"06:30\""),
        ("times = [\"6:30\"]", "is not a time of day"),
        ("times = []", "is empty"),
        ("times = [\"06:30\"]\nzone = \"Europe/Berln\"", "\"Europe/Berln\" is not a time zone"),
        ("cron = \"*/10 * * *\"", "has 4 fields, not five; write minute, hour"),
        ("cron = \"0 0 31 2 *\"", "sync.cron: never comes; choose a day that months have"),
        ("cron = \"0 0 * * *\"\ntimes = [\"06:30\"]", "contradicts times: there is one way"),
        ("interval = \"5m\"\nmanual = true", "keep either interval or manual"),
        ("zone = \"UTC\"", "sync.zone: has no meaning here; it belongs to times or cron"),
        ("jitter = \"2d\"", "choose a duration from"),
        ("domains = [\"contoso\"]", "\"contoso\" is not a domain"),
    ] {
        refused(sync(line), expected);
    }
    let weekly = sync("cron = \"0 3 * * mon\"").unwrap();
    assert!(weekly.warnings.to_string().contains("pauses for more than six days"));
    let twice = sync("times = [\"00:00\", \"12:00\"]\nzone = \"Europe/Berlin\"\nmanual = false");
    let twice = twice.unwrap();
    assert!(!twice.warnings.to_string().contains("six days"), "{}", twice.warnings);
}

#[test]
fn mistakes_in_rules_are_told() {
    let rule = |line: &str| read_after(&format!("[[connection.rule]]\n{line}"));
    let exclude = "\naction = \"exclude\"";
    for (line, expected) in [
        ("action = \"exclude\"", "rule[0].filter: is missing; write for example filter ="),
        ("filter = \"(mail=b)\"", "rule[0].action: is missing; write \"include\", \"exclude\""),
        (&*format!("filter = \"(mail=x\"{exclude}"), "is not a filter"),
        (
            &*format!("filter = \"(departmint=x)\"{exclude}"),
            "tests \"departmint\", which is not an attribute",
        ),
        (
            &*format!("filter = \"(!(member=x))\"{exclude}"),
            "tests \"member\", which depends on other entries",
        ),
        (
            "filter = \"(mail=*)\"\naction = \"drop\"",
            "\"drop\" is not known; choose \"include\" or",
        ),
        ("filter = \"(mail=*)\"\naction = \"group\"", "rule[0].group: is missing"),
        (
            "filter = \"(mail=*)\"\naction = \"include\"\ngroup = \"x\"",
            "group: has no meaning here",
        ),
    ] {
        refused(rule(line), expected);
    }
}

#[test]
fn mistakes_in_scope_guard_and_local_file_are_told() {
    for (section, expected) in [
        ("[connection.scope]\ngroups = []", "is empty"),
        ("[connection.scope]\ngroups = [\"a\", \"A\"]", "names \"A\" twice"),
        (
            "[connection.guard]\nusers = { share = \"10\" }",
            "\"10\" is not a share; write a whole number",
        ),
        ("[connection.guard.users]\nshare = \"101%\"", "is not a share"),
        ("[connection.guard.users]\ncount = 3", "users.count: is less than free, which is 5"),
        ("[connection.guard.user]\ncount = 3", "did you mean \"users\"?"),
        ("[connection.local]\nfile = \"no-such.ldif\"", "no-such.ldif:0: No such file"),
        ("[connection.local]\nprefer = \"local\"", "local.file: is missing"),
    ] {
        refused(read_after(section), expected);
    }
}

#[test]
fn mistakes_in_a_local_file_are_told_with_their_lines() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("local.ldif");
    for (text, expected) in [
        (
            "dn: cn=a,dc=fabrikam,dc=com\nobjectClass: contact\ncn: a\n",
            ":1: cn=a,dc=fabrikam,dc=com stands in no container",
        ),
        ("dn: nothing\nobjectClass: contact\n", ":1: \"nothing\" is not a DN"),
        ("dn: cn=a,dc=contoso,dc=com\ncn: a\n", ":1: has no objectClass"),
        (
            "dn: cn=a,dc=contoso,dc=com\nobjectClass: contect\ncn: a\n",
            ":1: contect is not an object class",
        ),
        (
            "dn: cn=a,dc=contoso,dc=com\nobjectClass: contact\ncn: b\n",
            ":1: lacks the value of its name, cn",
        ),
        (
            "dn: cn=a,dc=contoso,dc=com\nobjectClass: contact\ncn: a\ncn: b\n",
            ":4: cn can have one value only",
        ),
        (
            "dn: cn=a,dc=contoso,dc=com\nobjectClass: contact\ncn: a\nuidNumber: x\n",
            ":4: the value of uidNumber is not of its syntax",
        ),
        (
            "dn: cn=a,dc=contoso,dc=com\nobjectClass: contact\ncn: a\nmemberOf: cn=b\n",
            ":4: memberOf is made by entraldap",
        ),
        (
            "dn: cn=a,dc=contoso,dc=com\nobjectClass: contact\ncn: a\n\ndn: CN=A,dc=contoso,dc=com\nobjectClass: contact\ncn: a\n",
            ":5: CN=A,dc=contoso,dc=com stands in line 1 already",
        ),
    ] {
        std::fs::write(&file, text).unwrap();
        refused(
            read_after(&format!("[connection.local]\nfile = \"{}\"", file.display())),
            expected,
        );
    }
}

#[test]
fn mistakes_in_reports_are_told() {
    let mail = "[report.mail]\nserver = \"smtp.contoso.com:587\"\nfrom = \"a@contoso.com\"\nto = [\"b@contoso.com\"]";
    let report = |text: &str| read_after(&format!("[[report]]\nname = \"admins\"\n{text}"));
    assert!(report(mail).is_ok());
    for (text, expected) in [
        ("", "needs exactly one of [report.mail] and [report.webhook]"),
        (
            "on = \"never\"\n[report.webhook]\nurl = \"https://x.example/\"",
            "\"never\" is not known",
        ),
        (
            "connections = [\"fabrikam\"]\n[report.webhook]\nurl = \"https://x.example/\"",
            "\"fabrikam\" is not a connection; choose \"contoso\"",
        ),
        ("[report.webhook]\nurl = \"http://x.example/\"", "would send reports in clear text"),
        ("[report.webhook]\nurl = \"ftp://x.example/\"", "is not an https:// URL"),
        (&*mail.replace(":587", ""), "\"smtp.contoso.com\" has no port"),
        (&*mail.replace("b@contoso.com", "b"), "\"b\" is not a mail address"),
        (
            &*format!("{mail}\nuser = \"x\""),
            "report[0].mail.password: is missing; a login needs both",
        ),
        (
            &*format!("{mail}\npassword = \"x\""),
            "holds a text, but secrets do not belong in this file",
        ),
    ] {
        let problems = report(text).unwrap_err().to_string();
        assert!(problems.contains(expected), "{expected} not in\n{problems}");
    }
    let plain = report(&format!("{mail}\nsecurity = \"none\"")).unwrap();
    assert!(plain.warnings.to_string().contains("in clear text"), "{}", plain.warnings);
}
