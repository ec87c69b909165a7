import MailHeaders
import Testing

@Suite struct AddressListTests {
    @Test(arguments: [
        ("a@b.c", ["a@b.c"]), ("A <a@b.c>", ["a@b.c"]), ("a@b.c, d@e.f", ["a@b.c", "d@e.f"]),
        ("\"Doe, John\" <j@x.y>, k@x.y", ["j@x.y", "k@x.y"]), ("\"a \\\" <x@y.z>\" <b@c.d>", ["b@c.d"]),
        ("\"O'Neil \\\"The, Boss\\\"\" <o@n.x>", ["o@n.x"]),
        ("Friends: a@b.c, D <d@e.f>; g@h.i", ["a@b.c", "d@e.f", "g@h.i"]),
        ("undisclosed-recipients:;", []), ("Undisclosed recipients:;", []), ("undisclosed-recipients", []),
        ("unlisted-recipients:; (no To-header on input)", []), ("", []), (" , ,; ", []), ("<>", []),
        ("a@b.c (comment, with <x@y.z> (nested))", ["a@b.c"]), ("(before) a@b.c", ["a@b.c"]),
        ("A <@r1.x,@r2.x:a@b.c>", ["a@b.c"]), ("A <a@b.c", ["a@b.c"]), ("A <a@b.c, D <d@e.f>", ["a@b.c", "d@e.f"]),
        ("a@b.c; d@e.f;", ["a@b.c", "d@e.f"]), ("A <a@b.c> D <d@e.f>", ["a@b.c", "d@e.f"]),
        ("a@b.c d@e.f", ["a@b.c", "d@e.f"]), ("a@b.c>", ["a@b.c"]), ("<<a@b.c>>", ["a@b.c"]),
        ("\"unclosed <a@b.c>", ["a@b.c"]), ("(unclosed <a@b.c>, d@e.f", ["a@b.c", "d@e.f"]),
        ("john . doe @ x . com", ["john.doe@x.com"]), ("John Doe john@x.com", ["john@x.com"]),
        ("\"john doe\"@x.com", ["\"john doe\"@x.com"]), ("\"john\"@x.com", ["john@x.com"]),
        ("a@[192.168.0.1]", ["a@[192.168.0.1]"]), ("root", ["root"]),
        ("MAILER-DAEMON (Mail Delivery)", ["MAILER-DAEMON"]),
        ("Mail Delivery Subsystem", []), ("<root>", ["root"]), ("\"a@b.c\"", ["a@b.c"]),
        ("=?utf-8?q?a=40b.c?=", ["a@b.c"]), ("=?utf-8?Q?Doe,_J?= <j@x.y>", ["j@x.y"]),
        ("=?utf-8?Q?Doe=2C_J=3Cx=40y=3E?= <j@x.y>", ["j@x.y"]), ("jörg@exämple.de", ["jörg@exämple.de"]),
        ("a@b.c,\r\n\td@e.f", ["a@b.c", "d@e.f"]), ("a@\0b.c", ["a@b.c"]), ("mailto:a@b.c", ["a@b.c"]),
        ("@", []), ("@@", []), ("a@", ["a@"]), ("J. Q. Public <j@q.p>", ["j@q.p"]),
    ])
    func addresses(value: String, expected: [String]) {
        #expect(AddressList.parse(value).map(\.address) == expected)
    }

    @Test(arguments: [
        ("John  Doe <j@x.y>", "John Doe"), ("\"Doe, John\" <j@x.y>", "Doe, John"), ("j@x.y (John Doe)", "John Doe"),
        ("\"John\" \"Doe\" <j@x.y>", "John Doe"), ("J. Q. Public <j@x.y>", "J. Q. Public"),
        ("=?iso-8859-1?Q?Andr=E9?= Pirard <j@x.y>", "André Pirard"), ("=?utf-8?q?a?= =?utf-8?q?b?= <j@x.y>", "ab"),
        ("\"=?utf-8?q?in_quotes?=\" <j@x.y>", "in quotes"), ("\"a \\\"b\\\"\" <j@x.y>", "a \"b\""), ("j@x.y", ""),
        ("j@x.y <j@x.y>", "j@x.y"), ("John (the man) Doe <j@x.y>", "John Doe"), ("(John) j@x.y", "John"),
    ])
    func names(value: String, expected: String) {
        let list = AddressList.parse(value)
        #expect(list.first?.name == expected)
        #expect(list.map(\.address) == ["j@x.y"])
    }

    @Test func rawBytes() {
        let latin = Array("J".utf8) + [0xf6] + Array("rg <j@x.y>".utf8)
        #expect(AddressList.parse(raw: latin) == [MailAddress(name: "Jörg", address: "j@x.y")])
    }
}
