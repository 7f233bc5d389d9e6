# Synchronises recipients and groups as Proxmox Mail Gateway does, from an ldap.conf of its
# form, and says what it would know then. Usage: pmg.pl LDAP.CONF
use strict;
use warnings;
use MIME::Base64;
use Net::LDAP;
use Net::LDAP::Constant qw(LDAP_CONTROL_PAGED);
use Net::LDAP::Control::Paged;

# What the gateway takes where ldap.conf says nothing.
my %profile = (
    mode => 'ldap',
    accountattr => 'sAMAccountName, uid',
    mailattr => 'mail, userPrincipalName, proxyAddresses, othermailbox, mailAlternativeAddress',
    groupclass => 'group, univentionGroup, ipausergroup',
);
open(my $file, '<', $ARGV[0]) or die "$ARGV[0]: $!\n";
while (my $line = <$file>) {
    $profile{$1} = $2 if $line =~ /^\s+(\w+)\s+(.*?)\s*$/;
}
sub list { return split /[,;\s]+/, $profile{ $_[0] } }
my @mail = list('mailattr');

my $ldap = Net::LDAP->new($profile{server1}, port => $profile{port} // 389, timeout => 10)
    or die "no connection: $@\n";
if ($profile{mode} eq 'ldap+starttls') {
    my $tls = $ldap->start_tls(
        verify => $profile{verify} ? 'require' : 'none',
        cafile => $profile{cafile}
    );
    die 'StartTLS: ' . $tls->error . "\n" if $tls->code;
}
my $bound = $ldap->bind($profile{binddn}, password => decode_base64($profile{bindpw}));
die 'bind: ' . $bound->error . "\n" if $bound->code;
my $base = $profile{basedn}
    || $ldap->root_dse(attrs => ['defaultNamingContext'])->get_value('defaultNamingContext');

# All entries of a search in pages, and how many pages there were.
sub pages {
    my ($base, $filter, $size, @attributes) = @_;
    my $page = Net::LDAP::Control::Paged->new(size => $size);
    my ($pages, @entries) = (0);
    while (1) {
        my $answer = $ldap->search(
            base => $base, scope => 'subtree', filter => $filter,
            control => [$page], attrs => \@attributes
        );
        die 'search: ' . $answer->error . "\n" if $answer->code;
        push @entries, $answer->entries;
        $pages++;
        my ($more) = $answer->control(LDAP_CONTROL_PAGED)
            or die "no control in the answer: the gateway would stop here\n";
        last unless length($more->cookie // '');
        $page->cookie($more->cookie);
    }
    return ($pages, @entries);
}

my (%dn, %members);
if ($profile{groupbasedn}) {
    my $filter = '(|' . join('', map { "(objectclass=$_)" } list('groupclass')) . ')';
    my ($pages, @groups) = pages($profile{groupbasedn}, $filter, 100, 'member', 'uniqueMember');
    $members{ $_->dn } = [$_->get_value('member')] for @groups;
    print 'groups ', scalar(@groups), " pages $pages\n";
}

my @present = map { "($_=*)" } @mail, list('accountattr'), 'memberOf';
my $wanted = '(|' . join('', @present) . ')';
if ($profile{filter}) {
    my $own = $profile{filter} =~ /^\(.*\)$/ ? $profile{filter} : "($profile{filter})";
    $wanted = "(&$own$wanted)";
}
# The gateway asks for memberOf twice.
my ($pages, @people) =
    pages($base, $wanted, 900, @mail, list('accountattr'), 'memberOf', 'memberOf');
my (%owner, %primary, $accounts);
for my $entry (@people) {
    my ($first, @addresses);
    for my $attribute (@mail) {
        for my $address (map { lc } $entry->get_value($attribute)) {
            $address =~ s/^smtp[:\$]//;
            next unless $address =~ /^\S+\@\S+$/ && $address !~ /[{}\\\/]/ && $address !~ /^(sip|x500):/;
            $first //= $address;
            push @addresses, $address;
        }
    }
    next unless $first;
    $dn{ $entry->dn } = $first;
    $owner{$_} = $first for @addresses;
    $primary{$first} = 1;
    $accounts++ if grep { defined $entry->get_value($_) } list('accountattr');
}
print "entries ", scalar(@people), " pages $pages\n";
print "mailboxes ", scalar(keys %primary), " accounts $accounts addresses ", scalar(keys %owner), "\n";
print "owner $_ ", $owner{$_} // 'nobody', "\n" for @ARGV[1 .. $#ARGV];
# The gateway finds members by comparing DNs as texts.
for my $group (sort keys %members) {
    my @known = grep { exists $dn{$_} } @{ $members{$group} };
    print "group $group members ", scalar(@{ $members{$group} }), ' known ', scalar(@known), "\n";
}
$ldap->unbind;
