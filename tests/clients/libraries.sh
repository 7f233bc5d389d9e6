# Single searches, and the libraries that applications are built on. Sourced by
# `.ci/clients`.

# Every ldapsearch line of the pages: an address that nobody has finds nothing, all others
# something.
client_pages() {
  local page line found count=0
  for page in config/gateways/*.md config/gateways/*/*.md; do
    while IFS= read -r line; do
      line=$(sed -e "s|ldaps://ldap.contoso.com|ldaps://127.0.0.1:$secure|; s|ldap://ldap.contoso.com|ldap://127.0.0.1:$plain|" \
        -e "s| -W | -w $password |" <<<"$line")
      found=$(eval "$line" 2>&1) || fail "$page" "$line" "$found"
      found=$(grep -c '^dn:' <<<"$found" || true)
      case "$line" in
        *nobody@*) [ "$found" = 0 ] || fail "$page" "$line" "finds $found entries" ;;
        *) [ "$found" -gt 0 ] || fail "$page" "$line" "finds nothing" ;;
      esac
      count=$((count + 1))
    done < <(sed -n 's/^ *\(ldapsearch .*\)/\1/p' "$page")
  done
  [ "$count" -ge 20 ] || fail "the lines of the pages" "only $count"
  ok "$count ldapsearch lines of the pages find what they should"
}

# What clients of Active Directory ask for beyond plain LDAP; each is tried, whether or not
# the others work.
client_active_directory() {
  local wrong=0 guid=20c7ac3a-15ea-58ce-a8b2-89d81a90ec60 sid=S-1-5-21-1004336348-1177238915-682003330-1104
  try() { ("$@") || wrong=$((wrong + 1)); }
  # finds WHAT DN FILTER [OPTION...]: one entry, and this one
  finds() {
    local what=$1 dn=$2 filter=$3 found
    shift 3
    found=$(search "$@" "$filter" 1.1 2>&1) || fail "$what" "$found"
    [ "$found" = "dn: $dn" ] && ok "$what" || fail "$what" "$found"
  }
  local alice="uid=alice@contoso.com,ou=users,$base" team="cn=Team,ou=groups,$base"
  for name in "ali" "adams" "Alice Adams" "Adams Alice" "smtp:a.adams" "=alice"; do
    try finds "(anr=$name)" "$alice" "(&(objectClass=user)(anr=$name))"
  done
  try finds "base <GUID=text>" "$alice" "(objectClass=*)" -b "<GUID=$guid>" -s base
  try finds "base <GUID=octets>" "$alice" "(objectClass=*)" -b "<GUID=3aacc720ea15ce58a8b289d81a90ec60>" -s base
  try finds "base <SID=text>" "$alice" "(objectClass=*)" -b "<SID=$sid>" -s base
  try finds "(objectSid=text)" "$alice" "(objectSid=$sid)"
  try finds "(objectGUID=octets)" "$alice" '(objectGUID=\3a\ac\c7\20\ea\15\ce\58\a8\b2\89\d8\1a\90\ec\60)'
  try finds "(distinguishedName=)" "$team" "(distinguishedName=CN=team, OU=Groups, DC=Contoso,DC=com)"
  try finds "(entryDN=)" "$team" "(entryDN=CN=team, OU=Groups, DC=Contoso,DC=com)"
  try finds "an OID for a name" "$alice" "(0.9.2342.19200300.100.1.3=alice@contoso.com)"
  try finds "gn, surname, commonName" "$alice" "(&(gn=alice)(surname=adams)(commonName=alice adams))"
  try finds "the empty base" "$alice" "(mail=alice@contoso.com)" -b ""
  try finds "objectCategory by its short name" "$team" "(&(objectCategory=group)(cn=Team))"
  try finds "in chain upwards" "cn=Leads,ou=groups,$base" "(&(member:1.2.840.113556.1.4.1941:=uid=zoe@contoso.com,ou=users,$base)(cn=Leads))"
  try finds "userCertificate;binary" "$alice" "(&(mail=alice@contoso.com)(!(userCertificate;binary=*)))"
  sorted() { # ORDER NAMES
    local names
    names=$(search -E "!sss=$1" "(&(objectClass=user)(|(mail=alice@*)(mail=bob@*)(mail=zoe@*)))" sn 2>&1 |
      while read -r key value; do
        case "$key" in sn:) echo "$value" ;; sn::) base64 -d <<<"$value" && echo ;; esac
      done | tr '\n' ' ')
    [ "$names" = "$2" ] && ok "sorted by $1" || fail "sorted by $1" "$names"
  }
  try sorted sn "Adams Baker Müller "
  try sorted -sn "Müller Baker Adams "
  try program "Java JNDI: sorted" "sorted by the server" java tests/clients/Jndi.java sort
  flat() { # LIST COUNT
    local found
    found=$(search "(mail=$1@contoso.com)" rfc822MailMember | grep -c '^rfc822MailMember' || true)
    [ "$found" = "$2" ] && ok "rfc822MailMember of $1" || fail "rfc822MailMember of $1" "$found, expected $2"
  }
  # all: alice, info, dora, sales with bob and all itself, and 1600 people.
  try flat all 1604
  try flat team 6
  try flat empty 0
  unasked() {
    [ "$(search "(mail=team@contoso.com)" "*" + | grep -c '^rfc822' || true)" = 0 ] && ok "rfc822MailMember only by name" || fail "rfc822MailMember only by name"
  }
  try unasked
  unbound() {
    local out
    out=$(ldapsearch -x -H "$LDAP_URL" -b "$base" "(mail=alice@contoso.com)" 2>&1 || true)
    expect "a search without a bind: the words of Active Directory" "000004DC" "$out"
  }
  try unbound
  [ "$wrong" = 0 ] || exit 1
}

client_php() { program "PHP" "PHP: StartTLS" php tests/clients/ldap.php; }
client_python_ldap() { program "python-ldap" "python-ldap: StartTLS" /usr/bin/python3 tests/clients/python_ldap.py; }
client_ldap3() { program "python ldap3" "ldap3: schema" "$cache/venv/bin/python" tests/clients/ldap3_all.py; }
client_jndi() { program "Java JNDI" "JNDI: root DSE" java tests/clients/Jndi.java; }
client_ldapts() { program "ldapts" "ldapts: StartTLS" node tests/clients/ldapts.mjs; }
client_ldapjs() { program "ldapjs" "ldapjs: root DSE" node tests/clients/ldapjs.cjs; }
client_activedirectory2() { program "activedirectory2" "activedirectory2: root DSE" node tests/clients/activedirectory2.cjs; }
client_ruby() { program "ruby net-ldap" "net-ldap: StartTLS" ruby tests/clients/net_ldap.rb; }
client_go() {
  program "go-ldap" "go-ldap: StartTLS" env GO111MODULE=off GOPATH=/usr/share/gocode GOFLAGS= \
    GOCACHE="$cache/go" go run tests/clients/go_ldap.go
}
