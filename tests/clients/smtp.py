"""Asks a mail server, as a sender does, for whom it takes mail.

Usage: smtp.py ADDRESS... -- PORT, or a COMMAND... that speaks SMTP on its input and
output. Prints a line "CODE ADDRESS" for each.
"""

import socket
import subprocess
import sys

at = sys.argv.index("--")
addresses, server = sys.argv[1:at], sys.argv[at + 1 :]

if len(server) == 1 and server[0].isdigit():
    connection = socket.create_connection(("127.0.0.1", int(server[0])), timeout=60)
    reader, writer = connection.makefile("rb"), connection.makefile("wb")
else:
    process = subprocess.Popen(
        server, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    )
    reader, writer = process.stdout, process.stdin


def reply():
    """The code of a reply, after its last line."""
    while True:
        line = reader.readline()
        if not line:
            sys.exit("the server closed the connection")
        # Between its replies, a server that is only tested may chat.
        if line[:3].isdigit() and line[3:4] != b"-":
            print("#", line.decode(errors="replace").strip())
            return line[:3].decode()


def say(command):
    writer.write(command.encode() + b"\r\n")
    writer.flush()
    return reply()


reply()
say("EHLO sender.example")
# Nobody, whose domain needs no DNS.
say("MAIL FROM:<>")
for address in addresses:
    print(say(f"RCPT TO:<{address}>"), address)
say("QUIT")
