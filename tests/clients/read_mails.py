"""Whether a mail with this in its subject has come to all of these, whole and over TLS:
read_mails.py FOLDER SUBJECT RECIPIENT...  or  read_mails.py FOLDER --count SUBJECT"""

import email
import email.policy
import glob
import json
import os
import sys


def mails(folder):
    for path in sorted(glob.glob(os.path.join(folder, "*.json"))):
        with open(path) as text:
            mail = json.load(text)
        yield mail, email.message_from_string(mail["text"], policy=email.policy.default)


folder, *arguments = sys.argv[1:]
if arguments[0] == "--count":
    print(sum(arguments[1] in message["Subject"] for _, message in mails(folder)))
    sys.exit()
subject, *recipients = arguments
for mail, message in mails(folder):
    if subject not in message["Subject"] or mail["to"] != recipients:
        continue
    plain = message.get_body(("plain",)).get_content()
    html = message.get_body(("html",)).get_content()
    assert mail["tls"], "not over TLS"
    assert message["From"] == "entraldap@contoso.com", message["From"]
    assert message["Date"] and message["Message-ID"] and message["Auto-Submitted"]
    assert "entraldap" in plain or "Connection" in plain, plain
    assert html.startswith("<!DOCTYPE html>") and "</html>" in html, html
    assert "mail-password" not in mail["text"] and "simulated-secret" not in mail["text"]
    sys.exit()
sys.exit(1)
