// go-ldap, on which Grafana, Authelia, Gitea, Harbor and Vault are built.
package main

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"log"
	"os"
	"sync"

	"github.com/go-ldap/ldap"
)

func check(right bool, what string, details ...interface{}) {
	if !right {
		log.Fatalln(append([]interface{}{"wrong:", what}, details...)...)
	}
}

func main() {
	base, password := os.Getenv("LDAP_BASE"), os.Getenv("LDAP_PASSWORD")
	connection, err := ldap.DialURL(os.Getenv("LDAP_URL"))
	check(err == nil, "connect", err)
	pem, err := os.ReadFile(os.Getenv("LDAP_CA"))
	check(err == nil, "certificate", err)
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(pem)
	err = connection.StartTLS(&tls.Config{RootCAs: roots, ServerName: "127.0.0.1"})
	check(err == nil, "StartTLS", err)

	search := func(scope int, base, filter string, attributes ...string) []*ldap.Entry {
		request := ldap.NewSearchRequest(base, scope, ldap.NeverDerefAliases, 0, 0, false, filter, attributes, nil)
		result, err := connection.Search(request)
		check(err == nil, filter, err)
		check(len(result.Referrals) == 0, "a referral")
		return result.Entries
	}
	// Authelia reads the root DSE first, without a bind, and wants one entry.
	root := search(ldap.ScopeBaseObject, "", "(objectClass=*)", "supportedLDAPVersion", "supportedExtension",
		"supportedControl", "supportedFeatures", "vendorName", "domainFunctionality", "forestFunctionality", "objectClass")
	check(len(root) == 1, "root DSE")
	three := false
	for _, version := range root[0].GetAttributeValues("supportedLDAPVersion") {
		three = three || version == "3"
	}
	check(three, "version 3")

	check(ldap.IsErrorWithCode(connection.Bind("CONTOSO\\svc", "wrong"), ldap.LDAPResultInvalidCredentials), "wrong password")
	check(connection.Bind("CONTOSO\\svc", password) == nil, "bind")
	who, err := connection.WhoAmI(nil)
	check(err == nil && who.AuthzID != "", "who am I", err)

	request := ldap.NewSearchRequest(base, ldap.ScopeWholeSubtree, ldap.NeverDerefAliases, 0, 0, false,
		"(objectClass=user)", []string{"mail"}, nil)
	result, err := connection.SearchWithPaging(request, 1000)
	check(err == nil && len(result.Entries) == 1608, "pages", err)

	authelia := "(&(|(sAMAccountName=alice)(mail=alice))(sAMAccountType=805306368)" +
		"(!(userAccountControl:1.2.840.113556.1.4.803:=2))(!(pwdLastSet=0))" +
		"(|(!(accountExpires=*))(accountExpires=0)(accountExpires>=133700000000000000)))"
	alice := search(ldap.ScopeWholeSubtree, base, authelia, "distinguishedName", "sAMAccountName", "mail", "memberOf")
	check(len(alice) == 1 && alice[0].GetAttributeValue("mail") == "alice@contoso.com", "Authelia")
	check(alice[0].GetAttributeValue("distinguishedName") == alice[0].DN, "distinguishedName")
	// Grafana joins hundreds of logins into one filter.
	filter := "(|"
	for number := 0; number < 500; number++ {
		filter += fmt.Sprintf("(sAMAccountName=person%04d)", number)
	}
	check(len(search(ldap.ScopeWholeSubtree, base, filter+")", "mail")) == 500, "500 logins")
	disabled := search(ldap.ScopeWholeSubtree, base,
		"(&(mail=info@contoso.com)(!(userAccountControl:1.2.840.113556.1.4.803:=2)))", "mail")
	check(len(disabled) == 0, "a shared mailbox is a disabled account")

	// Requests of several goroutines share the connection.
	var wait sync.WaitGroup
	for number := 0; number < 20; number++ {
		wait.Add(1)
		go func(mail string) {
			defer wait.Done()
			found := search(ldap.ScopeWholeSubtree, base, "(mail="+mail+")", "mail")
			check(len(found) == 1 && found[0].GetAttributeValue("mail") == mail, mail)
		}(fmt.Sprintf("person%04d@contoso.com", number))
	}
	wait.Wait()
	// It closes without an unbind.
	connection.Close()
	fmt.Println("go-ldap: StartTLS, root DSE, pages of 1000, Authelia, 500 logins, 20 at once")
}
