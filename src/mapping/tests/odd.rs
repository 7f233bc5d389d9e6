//! Objects that nobody expects.

use super::*;

#[test]
fn an_object_without_properties_still_makes_an_entry() {
    for kind in Kind::ALL {
        let entry = entry(kind, ADA, json!({}));
        let (_, name) = entry.dn.rdn().unwrap().first().unwrap();
        assert_eq!(name, ADA.as_bytes());
        assert!(!values(&entry, "whenChanged").is_empty());
        assert!(values(&entry, "whenCreated").is_empty());
    }
}

#[test]
fn odd_json_never_panics_and_never_breaks_an_entry() {
    let odd = [
        json!(17),
        json!(true),
        json!({"a": [1, {}]}),
        json!([1, "two", null, {"x": 1}, ["y"]]),
        json!([]),
        json!(" "),
        json!("\u{0}\u{1f} long ".repeat(5_000)),
        json!("Ünïcode,+\"\\<>;#="),
    ];
    for kind in Kind::ALL {
        for value in &odd {
            let mapping = mapping();
            let selected = mapping.properties(kind);
            let all = selected.iter().map(|name| (name.to_string(), value.clone()));
            entry(kind, ADA, Value::Object(all.collect()));
        }
    }
    let entry =
        user(json!({"employeeId": 17, "jobTitle": true, "businessPhones": [47, "", {}, "48"]}));
    assert_eq!(one(&entry, "employeeID"), "17");
    assert_eq!((values(&entry, "title"), one(&entry, "telephoneNumber")), (vec![], "47".into()));
    assert_eq!(one(&entry, "otherTelephone"), "48");
}

#[test]
fn values_survive_unharmed_and_blank_ones_are_dropped() {
    let long = "x\u{7}y".repeat(9_999);
    let entry = group(json!({"displayName": "G", "description": long, "mailNickname": " \t"}));
    assert_eq!(one(&entry, "description"), long);
    assert!(values(&entry, "mailNickname").is_empty());
}
