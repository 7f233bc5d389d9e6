# Mail servers with the files of config/gateways/. Sourced by `.ci/clients`.

client_postfix() {
  local folder=$work/postfix out port
  mkdir -p "$folder"/{etc/ldap,queue,data}
  chown postfix "$folder/data"
  for table in recipients aliases lists domains; do
    recipe "postfix/$table.cf" >"$folder/etc/ldap/$table.cf"
  done
  asks() { postmap -q "$2" "ldap:$folder/etc/ldap/$1.cf" 2>&1 || true; }
  is() { [ "$(asks "$2" "$3")" = "$4" ] && ok "$1" || fail "$1" "$(asks "$2" "$3")"; }
  is "postfix: an alias in other case" recipients A.ADAMS@CONTOSO.com alice@contoso.com
  is "postfix: a shared mailbox" recipients contact@contoso.com info@contoso.com
  is "postfix: a contact by its address here" recipients dora@contoso.com dora@fabrikam.com
  is "postfix: a list" recipients team@contoso.com team@contoso.com
  is "postfix: nobody" recipients nobody@contoso.com ""
  is "postfix: a wildcard is no wildcard" recipients '*@contoso.com' ""
  is "postfix: from alias to primary address" aliases robert@contoso.com bob@contoso.com
  out=$(asks lists team@contoso.com | tr , '\n' | sort | paste -sd,)
  [ "$out" = "alice@contoso.com,bob@contoso.com,carol@fabrikam.com,dora@fabrikam.com,info@contoso.com,zoe@contoso.com" ] &&
    ok "postfix: a list and the list in it" || fail "postfix: a list and the list in it" "$out"
  is "postfix: an empty list is not expanded" lists empty@contoso.com ""
  is "postfix: an accepted domain" domains contoso.com contoso.com
  is "postfix: another domain" domains fabrikam.com ""
  out=$(asks lists everyone@contoso.com | tr , '\n' | sort -u | wc -l)
  [ "$out" = 1600 ] && ok "postfix: a list of 1600" || fail "postfix: a list of 1600" "$out"
  # Read member by member, lists in a circle are more than Postfix can follow.
  out=$(asks lists all@contoso.com | tr , '\n' | sort -u | wc -l)
  [ "$out" = 1604 ] && ok "postfix: lists in a circle" || fail "postfix: lists in a circle" "$out"
  sed -e 's/^result_attribute.*/result_attribute =/' "$folder/etc/ldap/lists.cf" >"$folder/etc/ldap/members.cf"
  printf 'special_result_attribute = member\nleaf_result_attribute = mail\n' >>"$folder/etc/ldap/members.cf"
  out=$(asks members everyone@contoso.com | tr , '\n' | sort -u | wc -l)
  [ "$out" = 1600 ] && ok "postfix: a list of 1600, member by member" || fail "postfix: a list of 1600, member by member" "$out"

  # main.cf in a Postfix of its own that really takes mail.
  port=$(free_port)
  {
    printf '%s\n' "compatibility_level = 3.6" "queue_directory = $folder/queue" "data_directory = $folder/data" \
      "myhostname = gateway.contoso.com" "mynetworks =" "mydestination =" "inet_interfaces = 127.0.0.1" "inet_protocols = ipv4" \
      "maillog_file = /dev/stdout" "alias_maps =" "local_recipient_maps ="
    recipe postfix/main.cf -e "s|/etc/postfix/ldap|$folder/etc/ldap|g" -e 's|^#virtual|virtual|'
  } >"$folder/etc/main.cf"
  sed -e "s|^smtp  *inet.*|127.0.0.1:$port inet n - n - - smtpd|" \
    -e 's|^\(\S\+\s\+\S\+\s\+\S\+\s\+\S\+\s\+\)y|\1n|' /usr/share/postfix/master.cf.dist >"$folder/etc/master.cf"
  chmod 711 "$folder" "$folder/etc"
  # Its master outlives the command that starts it.
  trap 'postfix -c "$work/postfix/etc" stop >/dev/null 2>&1; stop' EXIT
  postfix -c "$folder/etc" start-fg >"$work/postfix.log" 2>&1 </dev/null &
  pids+=("$!")
  until_true "postfix listens" bash -c "echo >/dev/tcp/127.0.0.1/$port"
  out=$(smtp a.adams@contoso.com info@contoso.com team@contoso.com nobody@contoso.com alice@fabrikam.com -- "$port")
  for line in "250 a.adams@contoso.com" "250 info@contoso.com" "250 team@contoso.com" "550 nobody@contoso.com" "454 alice@fabrikam.com"; do
    expect "postfix, by SMTP: $line" "$line" "$out"
  done
}

# An Exim with the recipe, in $exim.
prepare_exim() {
  exim=$(mktemp -d "$work/eximXXXX")
  # It wants its user to be there, also where the configuration names another.
  getent passwd Debian-exim >/dev/null || useradd --system --no-create-home --shell /usr/sbin/nologin Debian-exim
  mkdir -p "$exim/spool"
  chown Debian-exim "$exim/spool"
  recipe exim/exim.conf -e "1i spool_directory = $exim/spool\nlog_file_path = $exim/spool/%slog" >"$exim/exim.conf"
  chmod 711 "$exim"
}
exim() { timeout 60 env LD_LIBRARY_PATH="$cache/exim/usr/lib" "$cache/exim/usr/sbin/exim4" -C "$exim/exim.conf" "$@"; }
exim_smtp() { # ADDRESS...
  smtp "$@" -- env LD_LIBRARY_PATH="$cache/exim/usr/lib" "$cache/exim/usr/sbin/exim4" -C "$exim/exim.conf" -bh 192.0.2.9
}

client_exim() {
  local out line
  prepare_exim
  exim -bV >/dev/null || fail "exim: the file is right" "$(exim -bV 2>&1)"
  expect "exim: an alias" "router = exchange" "$(exim -bt A.ADAMS@contoso.com)"
  expect "exim: nobody" "undeliverable" "$(exim -bt nobody@contoso.com || true)"
  out=$(exim_smtp a.adams@contoso.com info@contoso.com team@contoso.com dora@contoso.com nobody@contoso.com \
    alice@fabrikam.com '*@contoso.com')
  for line in "250 a.adams@contoso.com" "250 info@contoso.com" "250 team@contoso.com" "250 dora@contoso.com" \
    "550 nobody@contoso.com" "550 alice@fabrikam.com" "550 *@contoso.com"; do
    expect "exim, by SMTP: $line" "$line" "$out"
  done
  sed -i "s|127.0.0.1:$plain|127.0.0.1:1|" "$exim/exim.conf"
  expect "exim: without a server, come again" "451 a.adams@contoso.com" "$(exim_smtp a.adams@contoso.com)"
}

client_dovecot() {
  local folder=$work/dovecot
  mkdir -p "$folder/run"
  recipe dovecot/dovecot-ldap.conf.ext -e "s|:$plain|:$people|" -e "s|id=vmail|id=mail|g" >"$folder/ldap"
  {
    printf '%s\n' "base_dir = $folder/run" "state_dir = $folder/run" "log_path = $work/dovecot.log" "protocols =" "ssl = no"
    recipe dovecot/dovecot.conf -e "s|/etc/dovecot/dovecot-ldap.conf.ext|$folder/ldap|"
  } >"$folder/dovecot.conf"
  dovecot -F -c "$folder/dovecot.conf" >/dev/null 2>&1 </dev/null &
  pids+=("$!")
  adm() { timeout 60 doveadm -c "$folder/dovecot.conf" "$@" 2>&1; }
  until_true "dovecot answers" adm user -u alice@contoso.com
  expect "dovecot: a login" "auth succeeded" "$(adm auth test alice@contoso.com alice-password)"
  expect "dovecot: a login by an alias is the same user" "user=alice@contoso.com" "$(adm auth test A.ADAMS@contoso.com alice-password)"
  expect "dovecot: a wrong password" "auth failed" "$(adm auth test alice@contoso.com wrong || true)"
  expect "dovecot: and another login after it" "auth succeeded" "$(adm auth test alice@contoso.com alice-password)"
  expect "dovecot: an alias of a shared mailbox" "/srv/mail/info@contoso.com" "$(adm -f flow user -u contact@contoso.com)"
  expect "dovecot: nobody" "doesn't exist" "$(adm user -u nobody@contoso.com || true)"
  # Everybody but the guest and the account without a mailbox.
  [ "$(adm user '*' | grep -c @)" = 1606 ] && ok "dovecot: all users" || fail "dovecot: all users" "$(adm user '*' | wc -l)"
}

# A Sendmail with the recipe, in $sendmail.
prepare_sendmail() {
  # It opens no file below a folder that anybody can write to, such as /tmp.
  sendmail=$cache/sendmail-run
  rm -rf "$sendmail"
  mkdir -p "$sendmail/queue"
  chmod 700 "$sendmail/queue"
  printf '%s' "$password" >"$sendmail/secret"
  chmod 600 "$sendmail/secret"
  printf 'contoso.com\tesmtp:[192.0.2.1]\n' >"$sendmail/mailertable"
  cp "$work/cert.pem" "$sendmail/ca.pem"
  recipe sendmail/sendmail.mc -e "s|/etc/mail/entraldap-secret|$sendmail/secret|" \
    -e "s|/etc/mail/mailertable|$sendmail/mailertable|" -e "s|$work/cert.pem|$sendmail/ca.pem|" >"$sendmail/sendmail.mc"
  m4 -D_CF_DIR_="$cache/sendmail/usr/share/sendmail/cf/" "$cache/sendmail/usr/share/sendmail/cf/m4/cf.m4" \
    "$sendmail/sendmail.mc" >"$sendmail/sendmail.cf"
  printf 'O QueueDirectory=%s\nO HostStatusDirectory=\nDjgateway.contoso.com\n' "$sendmail/queue" >>"$sendmail/sendmail.cf"
  # Where the machine's name has no dot, Sendmail waits a minute for a better one.
  named=()
  # shellcheck disable=SC2016
  if unshare --uts true 2>/dev/null; then named=(unshare --uts sh -c 'hostname gateway.contoso.com; exec "$@"' -); fi
}
sendmail_smtp() { # ADDRESS...
  smtp "$@" -- "${named[@]}" "$cache/sendmail/usr/libexec/sendmail/sendmail" -bs -C "$sendmail/sendmail.cf" -Am
}
sendmail_map() { # ADDRESS...
  printf '/map ldapmra %s\n' "$@" |
    timeout 120 "${named[@]}" "$cache/sendmail/usr/libexec/sendmail/sendmail" -bt -C "$sendmail/sendmail.cf" -Am 2>&1
}

client_sendmail() {
  local out line
  prepare_sendmail
  out=$(sendmail_map A.ADAMS@contoso.com team@contoso.com dora@contoso.com nobody@contoso.com)
  for line in "(A.ADAMS@contoso.com) returns alice@contoso.com" "(team@contoso.com) returns team@contoso.com" \
    "(dora@contoso.com) returns dora@fabrikam.com" "(nobody@contoso.com) no match (68)"; do
    expect "sendmail: $line" "$line" "$out"
  done
  out=$(sendmail_smtp a.adams@contoso.com info@contoso.com nobody@contoso.com)
  for line in "250 a.adams@contoso.com" "250 info@contoso.com" "550 nobody@contoso.com"; do
    expect "sendmail, by SMTP: $line" "$line" "$out"
  done
  # Version 2, which it speaks where nobody says otherwise.
  sed -i 's| -w 3 | |' "$sendmail/sendmail.cf"
  expect "sendmail: LDAP version 2" "returns bob@contoso.com" "$(sendmail_map robert@contoso.com)"
}

# Before the first sync nothing is known, and no mail server may refuse anybody.
client_unavailable() {
  local table out
  plain=$(free_port) secure=$(free_port)
  # The tenant is at a port where nobody listens.
  sed -e "s/:${LDAP_URL##*:}\"/:$plain\"/; s/:${LDAPS_URL##*:}\"/:$secure\"/" -e "s/replica.redb/empty.redb/; s/admin.sock/empty.sock/" \
    -e "s@^\(authority\|endpoint\) = .*@\1 = \"http://127.0.0.1:1\"@" "$work/entraldap.toml" >"$work/empty.toml"
  "$bin" serve --config "$work/empty.toml" 2>>"$work/unavailable.log" &
  pids+=("$!")
  until_true "the empty daemon listens" listens
  code "nothing is known: 52" 52 search "(mail=alice@contoso.com)"

  table=$work/unavailable.cf
  recipe postfix/recipients.cf >"$table"
  out=$(postmap -q alice@contoso.com "ldap:$table" 2>&1) && fail "postfix defers" "$out"
  expect "postfix defers" "query error" "$out"
  prepare_exim
  out=$(exim_smtp alice@contoso.com nobody@contoso.com)
  expect "exim, by SMTP: 451" "451 alice@contoso.com" "$out"
  expect "exim, by SMTP: 451 for anybody" "451 nobody@contoso.com" "$out"
  prepare_sendmail
  expect "sendmail: the map fails (75)" "no match (75)" "$(sendmail_map alice@contoso.com)"
  out=$(sendmail_smtp alice@contoso.com nobody@contoso.com)
  expect "sendmail, by SMTP: 451" "451 alice@contoso.com" "$out"
  recipe proxmox/ldap.conf -e "s|port 389|port $plain|" -e "s|server1 .*|server1 127.0.0.1|" >"$work/pmg.conf"
  out=$(timeout 60 perl tests/clients/pmg.pl "$work/pmg.conf" 2>&1) && fail "proxmox: keeps what it has" "$out"
  expect "proxmox: a sync that fails is no empty sync" "search:" "$out"
}

client_proxmox() {
  local out
  recipe proxmox/ldap.conf -e "s|port 389|port $plain|" -e "s|server1 .*|server1 127.0.0.1|" >"$work/pmg.conf"
  out=$(timeout 120 perl tests/clients/pmg.pl "$work/pmg.conf" a.adams@contoso.com dora@contoso.com nobody@contoso.com 2>&1) ||
    fail "proxmox: a sync" "$out"
  # 1608 users, 9 groups, a contact; all but the scanner and two groups have mail.
  for line in "groups 9 pages 1" "entries 1618 pages 2" "mailboxes 1615 accounts 1614 addresses 1621" \
    "owner a.adams@contoso.com alice@contoso.com" "owner dora@contoso.com dora@fabrikam.com" "owner nobody@contoso.com nobody" \
    "group cn=All\\, everywhere,ou=groups,$base members 5 known 5" "group cn=Everyone,ou=groups,$base members 1600 known 1600"; do
    expect "proxmox: $line" "$line" "$out"
  done
  # With what the gateway takes by itself, a guest's user principal name is an address, too.
  sed -i -e '/mailattr/d; /basedn/d' "$work/pmg.conf"
  out=$(timeout 120 perl tests/clients/pmg.pl "$work/pmg.conf" b.baker@contoso.com 2>&1) || fail "proxmox: defaults" "$out"
  expect "proxmox: base from the root DSE, attributes by default" "mailboxes 1616 accounts 1615 addresses 1624" "$out"
  expect "proxmox: a user principal name" "owner b.baker@contoso.com bob@contoso.com" "$out"
}
