import java.util.Hashtable;
import java.util.TreeSet;
import javax.naming.AuthenticationException;
import javax.naming.Context;
import javax.naming.NameNotFoundException;
import javax.naming.NamingEnumeration;
import javax.naming.directory.Attributes;
import javax.naming.directory.SearchControls;
import javax.naming.directory.SearchResult;
import javax.naming.ldap.Control;
import javax.naming.ldap.InitialLdapContext;
import javax.naming.ldap.LdapContext;
import javax.naming.ldap.PagedResultsControl;
import javax.naming.ldap.PagedResultsResponseControl;
import javax.naming.ldap.SortControl;
import javax.naming.ldap.SortResponseControl;

/** Java's own LDAP client, which Spring, Keycloak, Jenkins and others are built on. */
public class Jndi {
    static final String URL = System.getenv("LDAP_URL");
    static final String BASE = System.getenv("LDAP_BASE");

    static LdapContext open(String name, String password, String referral) throws Exception {
        Hashtable<String, String> settings = new Hashtable<>();
        settings.put(Context.INITIAL_CONTEXT_FACTORY, "com.sun.jndi.ldap.LdapCtxFactory");
        settings.put(Context.PROVIDER_URL, URL);
        settings.put(Context.SECURITY_AUTHENTICATION, "simple");
        settings.put(Context.SECURITY_PRINCIPAL, name);
        settings.put(Context.SECURITY_CREDENTIALS, password);
        settings.put("java.naming.ldap.attributes.binary", "objectSid objectGUID");
        if (referral != null) settings.put(Context.REFERRAL, referral);
        return new InitialLdapContext(settings, null);
    }

    static void check(boolean right, String what) {
        if (!right) throw new AssertionError(what);
    }

    static SearchControls subtree(String... attributes) {
        SearchControls controls = new SearchControls();
        controls.setSearchScope(SearchControls.SUBTREE_SCOPE);
        controls.setReturningAttributes(attributes);
        return controls;
    }

    /** Critical paging, as in every example of Java. */
    static int pages(LdapContext context, int size) throws Exception {
        int found = 0;
        byte[] cookie = null;
        do {
            context.setRequestControls(new Control[] {new PagedResultsControl(size, cookie, Control.CRITICAL)});
            NamingEnumeration<SearchResult> results =
                    context.search(BASE, "(objectClass=user)", subtree("mail"));
            while (results.hasMore()) {
                results.next();
                found++;
            }
            cookie = null;
            for (Control control : context.getResponseControls()) {
                if (control instanceof PagedResultsResponseControl page) cookie = page.getCookie();
            }
        } while (cookie != null);
        context.setRequestControls(null);
        return found;
    }

    static void sorted(LdapContext context) throws Exception {
        context.setRequestControls(new Control[] {new SortControl("sn", Control.CRITICAL)});
        NamingEnumeration<SearchResult> results =
                context.search(BASE, "(&(objectClass=user)(|(mail=alice@*)(mail=bob@*)(mail=zoe@*)))", subtree("sn"));
        String names = "";
        while (results.hasMore()) names += results.next().getAttributes().get("sn").get() + " ";
        check(names.equals("Adams Baker Müller "), "in order: " + names);
        boolean confirmed = false;
        for (Control control : context.getResponseControls()) {
            if (control instanceof SortResponseControl sort) confirmed = sort.isSorted();
        }
        check(confirmed, "the server says that it sorted");
    }

    public static void main(String[] arguments) throws Exception {
        LdapContext context = open(System.getenv("LDAP_BIND"), System.getenv("LDAP_PASSWORD"), null);
        if (arguments.length > 0 && arguments[0].equals("sort")) {
            sorted(context);
            System.out.println("JNDI: sorted by the server");
            return;
        }
        // An empty list of attributes: the root DSE must answer it in full.
        Attributes root = context.getAttributes("");
        check(BASE.equals(root.get("defaultNamingContext").get()), "root DSE");

        String filter = "(proxyAddresses=smtp:{0})";
        NamingEnumeration<SearchResult> results =
                context.search(BASE, filter, new Object[] {"A.ADAMS@contoso.com"}, subtree());
        check(!results.next().getAttributes().getIDs().hasMore(), "1.1: no attributes");
        results = context.search(BASE, filter, new Object[] {"A.ADAMS@contoso.com"}, subtree((String[]) null));
        SearchResult alice = results.next();
        check(!results.hasMore(), "one entry");
        check(alice.getNameInNamespace().equals("uid=alice@contoso.com,ou=users," + BASE), "DN");
        check(alice.getAttributes().get("mail").get().equals("alice@contoso.com"), "mail");
        byte[] sid = (byte[]) alice.getAttributes().get("objectSid").get();
        check(sid.length == 28 && sid[0] == 1 && sid[1] == 5, "binary SID");

        // Names with a comma, an umlaut, and the search by a binary value.
        results = context.search(BASE, "(displayName={0})", new Object[] {"Baker, Bob"}, subtree("memberOf"));
        TreeSet<String> groups = new TreeSet<>();
        NamingEnumeration<?> values = results.next().getAttributes().get("memberOf").getAll();
        while (values.hasMore()) groups.add((String) values.next());
        check(groups.contains("cn=Team,ou=groups," + BASE) && groups.size() == 3, "memberOf: " + groups);
        results = context.search(BASE, "(sn=MÜLLER)", subtree("mail"));
        check(results.next().getAttributes().get("mail").get().equals("zoe@contoso.com"), "umlaut");
        results = context.search(BASE, "(objectSid={0})", new Object[] {sid}, subtree("mail"));
        check(results.next().getAttributes().get("mail").get().equals("alice@contoso.com"), "by SID");
        Attributes list = context.getAttributes("cn=All\\, everywhere,ou=groups," + BASE, new String[] {"member"});
        check(list.get("member").size() == 5, "a DN with a comma");
        results = context.search(BASE, "(memberOf:1.2.840.113556.1.4.1941:={0})",
                new Object[] {"CN=Team, OU=Groups, DC=Contoso, DC=com"}, subtree("mail"));
        int nested = 0;
        while (results.hasMore()) {
            results.next();
            nested++;
        }
        check(nested == 7, "in chain: " + nested);

        for (String referral : new String[] {null, "follow", "throw"}) {
            LdapContext other = open("svc@contoso.com", System.getenv("LDAP_PASSWORD"), referral);
            int found = pages(other, 500);
            check(found == 1608, "pages with referral " + referral + ": " + found);
            other.close();
        }
        check(context.getSchema("").lookup("AttributeDefinition/proxyAddresses") != null, "schema");
        try {
            context.getAttributes("cn=nobody,ou=users," + BASE);
            check(false, "no such entry");
        } catch (NameNotFoundException expected) {
            check(expected.getMessage().contains("error code 32"), expected.getMessage());
        }
        try {
            open("svc@contoso.com", "wrong", null);
            check(false, "a wrong password");
        } catch (AuthenticationException expected) {
            // Spring Security looks for this.
            check(expected.getMessage().matches(".*data 52e.*"), expected.getMessage());
        }
        System.out.println("JNDI: root DSE, filters, binary values, pages of 500, schema, errors");
    }
}
