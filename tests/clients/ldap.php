<?php
// PHP's ldap: the critical pages of many applications, root DSE, StartTLS, error numbers.
$base = getenv('LDAP_BASE');
$wrong = 0;
function check(bool $right, string $what): void
{
    global $wrong;
    if (!$right) {
        echo "wrong: $what\n";
        $wrong++;
    }
}

ldap_set_option(null, LDAP_OPT_X_TLS_CACERTFILE, getenv('LDAP_CA'));
ldap_set_option(null, LDAP_OPT_X_TLS_REQUIRE_CERT, LDAP_OPT_X_TLS_DEMAND);
$ldap = ldap_connect(getenv('LDAP_URL'));
ldap_set_option($ldap, LDAP_OPT_PROTOCOL_VERSION, 3);
ldap_set_option($ldap, LDAP_OPT_REFERRALS, 0);
check(ldap_start_tls($ldap), 'StartTLS');
check(!@ldap_bind($ldap, 'svc@contoso.com', 'wrong') && ldap_errno($ldap) === 49, 'wrong password');
check(ldap_bind($ldap, 'svc@contoso.com', getenv('LDAP_PASSWORD')), 'bind');

$root = ldap_get_entries($ldap, ldap_read($ldap, '', '(objectClass=*)', ['*', '+']));
check($root[0]['defaultnamingcontext'][0] === $base, 'root DSE');
check(in_array(LDAP_CONTROL_PAGEDRESULTS, $root[0]['supportedcontrol'], true), 'paging is listed');

$cookie = '';
$found = $pages = 0;
do {
    $control = [['oid' => LDAP_CONTROL_PAGEDRESULTS, 'iscritical' => true,
                 'value' => ['size' => 750, 'cookie' => $cookie]]];
    $result = ldap_search($ldap, $base, '(objectClass=user)', ['mail'], 0, 0, 0, LDAP_DEREF_NEVER, $control);
    check(ldap_parse_result($ldap, $result, $code, $dn, $message, $referrals, $controls) && $code === 0, 'a page');
    check(isset($controls[LDAP_CONTROL_PAGEDRESULTS]), 'the control in the answer');
    $found += ldap_count_entries($ldap, $result);
    $pages++;
    $cookie = $controls[LDAP_CONTROL_PAGEDRESULTS]['value']['cookie'] ?? '';
} while ($cookie !== '');
check($found === 1608 && $pages === 3, "$found people on $pages pages");
// An empty answer has the control too.
$control = [['oid' => LDAP_CONTROL_PAGEDRESULTS, 'iscritical' => true, 'value' => ['size' => 10, 'cookie' => '']]];
$result = ldap_search($ldap, $base, '(mail=nobody@contoso.com)', ['mail'], 0, 0, 0, LDAP_DEREF_NEVER, $control);
ldap_parse_result($ldap, $result, $code, $dn, $message, $referrals, $controls);
check($code === 0 && isset($controls[LDAP_CONTROL_PAGEDRESULTS]), 'an empty answer');

// mailcow, MailWatch: by address, one hit, then its attributes in lower case.
$filter = '(|(mail=' . ldap_escape('A.Adams@contoso.com', '', LDAP_ESCAPE_FILTER)
    . ')(proxyAddresses=smtp:' . ldap_escape('A.Adams@contoso.com', '', LDAP_ESCAPE_FILTER) . '))';
$entries = ldap_get_entries($ldap, ldap_search($ldap, $base, $filter));
check($entries['count'] === 1 && $entries[0]['mail'][0] === 'alice@contoso.com', 'by alias');
check(in_array('SMTP:alice@contoso.com', $entries[0]['proxyaddresses'], true), 'proxyAddresses');
$list = ldap_get_entries($ldap, ldap_search($ldap, $base, 'mail=everyone@contoso.com', ['member']));
// A server that answers in ranges has the key member;range=0-1499 here.
check(($list[0]['member']['count'] ?? 0) === 1600, 'a list of 1600');
check(ldap_compare($ldap, $entries[0]['dn'], 'mail', 'alice@contoso.com') === true, 'compare');
check(!@ldap_search($ldap, "ou=nowhere,$base", '(cn=*)') && ldap_errno($ldap) === 32, 'a base that is not there');
$limited = @ldap_search($ldap, $base, '(mail=person*)', ['mail'], 0, 5);
check(ldap_errno($ldap) === 4 && ldap_count_entries($ldap, $limited) === 5, 'size limit');

// Zimbra's whole preset, MailCleaner's fallback, FortiGate's groups.
foreach ([
    '(&(|(cn=al*)(sn=al*)(gn=al*)(mail=al*))(!(msExchHideFromAddressLists=TRUE))(mailnickname=*)(|(&(objectCategory=person)(objectClass=user)(!(homeMDB=*))(!(msExchHomeServerName=*)))(&(objectCategory=person)(objectClass=user)(|(homeMDB=*)(msExchHomeServerName=*)))(&(objectCategory=person)(objectClass=contact))(objectCategory=group)(objectCategory=publicFolder)(objectCategory=msExchDynamicDistributionList)))' => 2,
    '(|(&(|(objectClass=user)(objectClass=publicFolder)(objectClass=group))(proxyAddresses=SMTP:a.adams@contoso.com))(mail=a.adams@contoso.com)(otherMailbox=smtp:a.adams@contoso.com)(proxyAddresses=SMTP:a.adams@contoso.com)(uid=a.adams)(cn=a.adams@contoso.com))' => 1,
    '(&(objectcategory=group)(member=*))' => 8,
] as $filter => $count) {
    $result = ldap_search($ldap, $base, $filter, ['1.1']);
    check($result && ldap_count_entries($ldap, $result) === $count, "$filter: " . ($result ? ldap_count_entries($ldap, $result) : 'refused'));
}
ldap_unbind($ldap);
if ($wrong === 0) {
    echo "PHP: StartTLS, root DSE, critical pages, aliases, a list of 1600, limits, errors\n";
}
exit($wrong === 0 ? 0 : 1);
