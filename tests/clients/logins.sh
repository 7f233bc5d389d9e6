# Programs that look users up, log them in and ask for their groups. Sourced by `.ci/clients`.

client_sssd() {
  # Its sockets and its cache have fixed places.
  ! pgrep -x sssd >/dev/null || fail "sssd: one is running already"
  cat >"$work/sssd.conf" <<SSSD
[sssd]
services = nss
domains = entraldap-ci
[domain/entraldap-ci]
id_provider = ldap
auth_provider = none
ldap_uri = $PEOPLE_URL
ldap_id_use_start_tls = true
ldap_tls_cacert = $LDAP_CA
ldap_search_base = $LDAP_BASE
ldap_default_bind_dn = $LDAP_BIND
ldap_default_authtok = $LDAP_PASSWORD
ldap_schema = ad
ldap_id_mapping = true
ldap_idmap_default_domain_sid = S-1-5-21-1004336348-1177238915-682003330
cache_credentials = false
entry_cache_timeout = 1
fallback_homedir = /home/%u
default_shell = /bin/bash
SSSD
  chmod 600 "$work/sssd.conf"
  rm -f /var/lib/sss/db/*entraldap-ci*
  sssd -i -d1 -c "$work/sssd.conf" --logger=stderr >"$work/sssd.log" 2>&1 </dev/null &
  pids+=("$!")
  until_true "sssd answers" getent -s sss passwd alice
  expect "sssd: a user" "alice:*:201104:200513:Alice Adams:/home/alice:/bin/bash" "$(getent -s sss passwd alice)"
  expect "sssd: a group and its member" "vpn:*:201110:alice" "$(getent -s sss group vpn)"
  expect "sssd: the groups of a user" "201110" "$(getent -s sss initgroups alice)"
  code "sssd: nobody (2)" 2 getent -s sss passwd nobody-there
  # Who was born in Entra has a SID that SSSD cannot turn into a number, and is not seen.
  code "sssd: a user without a SID of Active Directory (2)" 2 getent -s sss passwd zoe
}

client_apache() {
  local folder=$work/apache web module
  web=$(free_port)
  mkdir -p "$folder"/www/{vpn,team,staff,empty}
  for place in . vpn team staff empty; do echo "$place" >"$folder/www/$place/index.html"; done
  place() { # PATH REQUIRED
    cat <<PLACE
<Location /$1>
  AuthType Basic
  AuthName test
  AuthBasicProvider ldap
  AuthLDAPURL "$PEOPLE_URL/$LDAP_BASE?sAMAccountName?sub?(objectCategory=person)" STARTTLS
  AuthLDAPBindDN "$LDAP_BIND"
  AuthLDAPBindPassword "$LDAP_PASSWORD"
  AuthLDAPMaxSubGroupDepth 3
  AuthLDAPSubGroupClass group
  AuthLDAPSubGroupAttribute member
  Require $2
</Location>
PLACE
  }
  {
    printf '%s\n' "ServerRoot $folder" "ServerName 127.0.0.1" "PidFile $folder/pid" "Listen 127.0.0.1:$web" \
      "ErrorLog $work/apache.log" "User www-data" "Group www-data" "DocumentRoot $folder/www"
    for module in mpm_event authn_core authz_core authz_user auth_basic dir ldap authnz_ldap; do
      echo "LoadModule ${module}_module /usr/lib/apache2/modules/mod_$module.so"
    done
    echo "LDAPTrustedGlobalCert CA_BASE64 $LDAP_CA"
    place "" valid-user
    place vpn "ldap-group cn=VPN Users,ou=groups,$base"
    place team "ldap-group cn=Team,ou=groups,$base"
    place staff "ldap-group cn=Staff,ou=groups,$base"
    place empty "ldap-group cn=Empty,ou=groups,$base"
  } >"$folder/httpd.conf"
  chmod -R a+rX "$folder"
  apache2 -d "$folder" -f httpd.conf -DFOREGROUND >>"$work/apache.log" 2>&1 </dev/null &
  pids+=("$!")
  until_true "apache listens" bash -c "echo >/dev/tcp/127.0.0.1/$web"
  fetch() { curl -s -o /dev/null -w '%{http_code}' --max-time 30 -u "$2" "http://127.0.0.1:$web/$1"; }
  is() { [ "$(fetch "$2" "$3")" = "$4" ] && ok "$1" || fail "$1" "$(fetch "$2" "$3"), expected $4"; }
  is "apache: a user" "" alice:alice-password 200
  is "apache: a wrong password" "" alice:wrong 401
  is "apache: nobody" "" nobody:alice-password 401
  is "apache: a member of the group" vpn/ alice:alice-password 200
  is "apache: a member of a list" team/ alice:alice-password 200
  is "apache: a member of a group in the group" staff/ alice:alice-password 200
  is "apache: no member" empty/ alice:alice-password 401
}

client_squid() {
  local as=(-v 3 -R -Z -b "$base" -D "$account" -w "$password" -H "$PEOPLE_URL") out
  out=$(printf '%s\n' "alice alice-password" "alice wrong" "alice alice-password" |
    timeout 60 /usr/lib/squid/basic_ldap_auth -P "${as[@]}" -f '(&(objectCategory=person)(sAMAccountName=%s))')
  expect "squid: right, wrong and right passwords on one connection" "OK,ERR Invalid credentials,OK" \
    "$(sed 's/ *$//' <<<"$out" | paste -sd,)"
  out=$(printf '%s\n' "alice Team" "alice Empty" "alice VPN%20Users" "nobody Team" |
    timeout 60 /usr/lib/squid/ext_ldap_group_acl "${as[@]}" -B "$base" -F '(sAMAccountName=%s)' \
      -f '(&(objectClass=group)(cn=%g)(member=%u))')
  expect "squid: groups" "OK,ERR,OK,ERR" "$(sed 's/ *$//' <<<"$out" | cut -d' ' -f1 | paste -sd,)"
  out=$(printf '%s\n' "zoe Team" "bob Leads" |
    timeout 60 /usr/lib/squid/ext_ldap_group_acl "${as[@]}" -B "$base" -F '(sAMAccountName=%s)' \
      -f "(&(distinguishedName=%u)(memberOf:1.2.840.113556.1.4.1941:=cn=%g,ou=groups,$base))")
  expect "squid: nested groups" "OK,ERR" "$(sed 's/ *$//' <<<"$out" | cut -d' ' -f1 | paste -sd,)"
}

client_saslauthd() {
  local folder=$work/saslauthd
  mkdir -p "$folder"
  printf '%s\n' "ldap_servers: $PEOPLE_URL" "ldap_bind_dn: $account" "ldap_password: $password" \
    "ldap_search_base: $base" "ldap_filter: (|(mail=%u)(proxyAddresses=smtp:%u))" "ldap_start_tls: yes" \
    "ldap_tls_cacert_file: $LDAP_CA" "ldap_tls_check_peer: yes" >"$folder/conf"
  # In a process group of its own: it ends all of its group with itself.
  setsid saslauthd -d -a ldap -O "$folder/conf" -m "$folder" -n 1 >"$work/saslauthd.log" 2>&1 </dev/null &
  pids+=("$!")
  login() { timeout 60 testsaslauthd -f "$folder/mux" -u "$1" -p "$2" 2>&1 || true; }
  until_true "saslauthd listens" test -S "$folder/mux"
  expect "saslauthd: a login by an alias" "OK" "$(login A.ADAMS@contoso.com alice-password)"
  expect "saslauthd: a wrong password" "NO" "$(login alice@contoso.com wrong)"
  expect "saslauthd: nobody" "NO" "$(login nobody@contoso.com alice-password)"
}

client_nslcd() {
  # Unpacked, so that the machine's own users are not looked up by it. Its file has a fixed place.
  [ ! -e /etc/nslcd.conf ] && [ ! -e /run/nslcd ] || fail "nslcd: there is one already"
  trap 'stop; rm -rf /etc/nslcd.conf /run/nslcd' EXIT
  mkdir -p /run/nslcd
  (umask 077 && cat >/etc/nslcd.conf) <<NSLCD
uid root
gid root
uri $PEOPLE_URL
ssl start_tls
tls_reqcert demand
tls_cacertfile $LDAP_CA
base $base
binddn $account
bindpw $password
referrals off
pagesize 1000
filter passwd (&(objectClass=user)(!(objectClass=computer))(objectSid=*))
map passwd uid sAMAccountName
map passwd uidNumber objectSid:S-1-5-21-1004336348-1177238915-682003330
map passwd gidNumber objectSid:S-1-5-21-1004336348-1177238915-682003330
map passwd homeDirectory "/home/\$sAMAccountName"
map passwd gecos displayName
map passwd loginShell "/bin/bash"
filter group (&(objectClass=group)(objectSid=*))
map group cn sAMAccountName
map group gidNumber objectSid:S-1-5-21-1004336348-1177238915-682003330
NSLCD
  "$cache/nslcd/usr/sbin/nslcd" -d >"$work/nslcd.log" 2>&1 </dev/null &
  pids+=("$!")
  asks() { timeout 60 /usr/bin/python3 "$cache/nslcd/usr/share/nslcd-utils/getent.py" "$@" 2>/dev/null; }
  until_true "nslcd answers" asks passwd alice
  expect "nslcd: a user" "alice:*:1104:1104:Alice Adams:/home/alice:/bin/bash" "$(asks passwd alice)"
  expect "nslcd: a group" "vpn:*:1110:alice" "$(asks group vpn)"
  # It reads members one by one, and abandons what it has the answer of.
  expect "nslcd: a list" ":alice,zoe" "$(asks group leads | sed 's/:zoe,alice/:alice,zoe/')"
  [ "$(asks passwd | wc -l)" = 1608 ] && ok "nslcd: all users, in pages" || fail "nslcd: all users" "$(asks passwd | wc -l)"
  [ "$(asks group.bymember alice | wc -l)" = 6 ] && ok "nslcd: the groups of a user" || fail "nslcd: the groups of a user"
  [ -z "$(asks passwd nobody-there)" ] && ok "nslcd: nobody" || fail "nslcd: nobody" "$(asks passwd nobody-there)"
}

client_radius() {
  local folder=$work/radius port
  port=$(free_port)
  mkdir -p "$folder/log"
  cat >"$folder/radiusd.conf" <<RADIUS
prefix = /usr
libdir = /usr/lib/freeradius
logdir = $folder/log
run_dir = $folder
dictdir = /usr/share/freeradius
client localhost {
  ipaddr = 127.0.0.1
  secret = testing
}
modules {
  ldap {
    server = '$PEOPLE_URL'
    identity = '$account'
    password = $password
    base_dn = '$base'
    user {
      base_dn = "\${..base_dn}"
      filter = "(sAMAccountName=%{User-Name})"
    }
    group {
      base_dn = "\${..base_dn}"
      filter = '(objectClass=group)'
      name_attribute = cn
      membership_filter = "(member=%{control:Ldap-UserDn})"
      membership_attribute = 'memberOf'
    }
    tls {
      start_tls = yes
      ca_file = $LDAP_CA
      require_cert = 'demand'
    }
    pool {
      start = 1
      min = 1
      max = 2
      spare = 1
    }
  }
}
server default {
  listen {
    type = auth
    ipaddr = 127.0.0.1
    port = $port
  }
  authorize {
    ldap
    if (LDAP-Group == "VPN Users") {
      update reply {
        Reply-Message += "vpn"
      }
    }
    if (LDAP-Group == "Empty") {
      update reply {
        Reply-Message += "empty"
      }
    }
    update control {
      Auth-Type := LDAP
    }
  }
  authenticate {
    Auth-Type LDAP {
      ldap
    }
  }
}
RADIUS
  freeradius -f -l stdout -d "$folder" >"$work/radius.log" 2>&1 </dev/null &
  pids+=("$!")
  login() {
    echo "User-Name=$1,User-Password=$2" | timeout 60 radclient -x -r 3 "127.0.0.1:$port" auth testing 2>&1 || true
  }
  until_true "freeradius answers" grep -q "Ready to process" "$work/radius.log"
  expect "radius: a login, and the group" 'Reply-Message = "vpn"' "$(login alice alice-password)"
  expect "radius: a wrong password" "Access-Reject" "$(login alice wrong)"
  expect "radius: nobody" "Access-Reject" "$(login nobody alice-password)"
  case "$(login alice alice-password)" in *empty*) fail "radius: not in the other group" ;; *) ok "radius: not in the other group" ;; esac
}
