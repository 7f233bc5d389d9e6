# ruby net-ldap, as GitLab uses it: a connection for each call, pages of 126 where the
# root DSE lists them.
require 'net/ldap'

base = ENV.fetch('LDAP_BASE')
host, port = ENV.fetch('LDAP_URL').delete_prefix('ldap://').split(':')
auth = { method: :simple, username: 'svc@contoso.com', password: ENV.fetch('LDAP_PASSWORD') }
tls = { method: :start_tls, tls_options: { ca_file: ENV.fetch('LDAP_CA') } }

def check(right, what)
  abort("wrong: #{what}") unless right
end

ldap = Net::LDAP.new(host: host, port: port, base: base, auth: auth, encryption: tls)
check(ldap.bind, "bind: #{ldap.get_operation_result}")
check(ldap.paged_searches_supported?, 'paging is listed')
check(ldap.search_root_dse[:namingcontexts] == [base], 'root DSE')
people = ldap.search(filter: Net::LDAP::Filter.eq('objectClass', 'user'), attributes: %w[dn mail])
check(people.size == 1608, "#{people.size} people")
alice = ldap.search(filter: Net::LDAP::Filter.construct('(proxyAddresses=smtp:A.ADAMS@contoso.com)'))
check(alice.size == 1 && alice.first.mail == ['alice@contoso.com'], 'by alias')
check(alice.first.dn == "uid=alice@contoso.com,ou=users,#{base}", 'DN')
# GitLab: the entry again by its DN, then the groups it is in through others.
again = ldap.search(base: alice.first.dn, scope: Net::LDAP::SearchScope_BaseObject, attributes: %w[dn])
check(again.size == 1, 'by DN')
chain = Net::LDAP::Filter.ex('member:1.2.840.113556.1.4.1941', "uid=zoe@contoso.com,ou=users,#{base}")
groups = ldap.search(filter: chain, attributes: %w[cn]).flat_map { |entry| entry[:cn] }.sort
check(groups == %w[Leads Phoenix Team], "in chain: #{groups}")
check(ldap.search(filter: Net::LDAP::Filter.eq('mail', 'nobody@contoso.com')) == [], 'nobody')
wrong = Net::LDAP.new(host: host, port: port, base: base, auth: auth.merge(password: 'wrong'), encryption: tls)
check(!wrong.bind && wrong.get_operation_result.code == 49, 'a wrong password')
people_host, people_port = ENV.fetch('PEOPLE_URL').delete_prefix('ldap://').split(':')
login = Net::LDAP.new(host: people_host, port: people_port, base: base, auth: auth)
found = login.bind_as(filter: '(sAMAccountName=alice)', password: 'alice-password')
check(found && found.first.mail == ['alice@contoso.com'], 'login')
check(!login.bind_as(filter: '(sAMAccountName=alice)', password: 'wrong'), 'login with a wrong password')
puts 'net-ldap: StartTLS, root DSE, pages of 126, aliases, nested groups, login'
