"""A mail server with STARTTLS and login that writes what it takes into a folder:
mail_server.py PORT CERTIFICATE KEY USER PASSWORD FOLDER"""

import json
import os
import ssl
import sys
import threading

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult, LoginPassword

port, certificate, key, user, password, folder = sys.argv[1:]
os.makedirs(folder, exist_ok=True)


class Keep:
    number = 0

    async def handle_DATA(self, server, session, envelope):
        Keep.number += 1
        mail = {
            "tls": session.ssl is not None,
            "from": envelope.mail_from,
            "to": envelope.rcpt_tos,
            "text": envelope.content.decode(),
        }
        path = os.path.join(folder, f"{Keep.number:03}.json")
        with open(path + ".part", "w") as out:
            json.dump(mail, out)
        os.rename(path + ".part", path)
        return "250 taken"


def authenticate(server, session, envelope, mechanism, data):
    good = isinstance(data, LoginPassword) and (
        data.login == user.encode() and data.password == password.encode()
    )
    # Not handled: the server itself refuses.
    return AuthResult(success=good, handled=False)


context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
context.load_cert_chain(certificate, key)
controller = Controller(
    Keep(),
    hostname="127.0.0.1",
    port=int(port),
    tls_context=context,
    require_starttls=True,
    authenticator=authenticate,
    auth_required=True,
)
controller.start()
print("listening", flush=True)
threading.Event().wait()
