import Testing

@testable import ProviderEmulator

/// The small languages a request is written in.
@Suite struct RequestPartsTests {
    @Test func pathsQueriesAndTokensAreDecoded() {
        let request = EmulatorRequest(
            method: "GET", target: "/gmail/v1/users/a%40b/messages?labelIds=A&labelIds=B%20c&q=x+y&empty=&flag",
            headers: [("authorization", "bearer abc")])
        #expect(request.path == ["gmail", "v1", "users", "a@b", "messages"])
        #expect(request.parameters("labelIds") == ["A", "B c"])
        #expect(request.parameter("q") == "x y")
        #expect(request.parameter("empty") == "" && request.parameter("flag") == "")
        #expect(request.parameter("other") == nil)
        #expect(request.bearerToken == "abc")
        #expect(EmulatorRequest(method: "GET", target: "/", headers: [("authorization", "Basic x")]).bearerToken == nil)
        #expect(EmulatorRequest(method: "GET", target: "").path == [])
    }

    @Test(arguments: [("%41%zz%4", "A%zz%4"), ("a+b", "a b"), ("%C3%A9", "é"), ("%", "%"), ("", "")])
    func percentCodingIsTolerant(_ text: String, _ decoded: String) {
        #expect(PercentCoding.decode(text, plusIsSpace: true) == decoded)
    }

    @Test(arguments: [
        ("multipart/mixed; boundary=b1", "multipart/mixed", "boundary", "b1"),
        ("Multipart/Mixed ; charset=x; Boundary=\"a;b=c\"", "multipart/mixed", "boundary", "a;b=c"),
        ("a/b; x=1; x=2", "a/b", "x", "1"), ("a/b; x=\"", "a/b", "x", ""), ("a/b;;; ; x = y ", "a/b", "x", "y"),
    ])
    func parameterisedValues(_ text: String, _ value: String, _ name: String, _ parameter: String) {
        let parsed = ParameterisedValue(text)
        #expect(parsed.value == value)
        #expect(parsed.parameters[name] == parameter)
        #expect(ParameterisedValue("").value == "")
    }

    @Test func selectorsAreParsed() throws {
        let parse = { (text: String) in try FieldMask.parse(text, schema: .messageList) }
        #expect(try parse("nextPageToken") == .some(["nextPageToken": .all]))
        #expect(try parse("messages/id") == .some(["messages": .some(["id": .all])]))
        #expect(
            try parse("messages(id,payload/headers(name)),messages/threadId")
                == .some([
                    "messages": .some([
                        "id": .all, "threadId": .all, "payload": .some(["headers": .some(["name": .all])]),
                    ])
                ]))
        #expect(try parse("messages,messages/id") == .some(["messages": .all]))
        #expect(try parse("*").child("anything") == .all)
        #expect(try parse("messages/payload/parts/parts/body/size").child("messages") != nil)
    }

    @Test(arguments: [
        "", ",", "messages(", "messages()", "messages)", "messages//id", "messages/", "/messages", "unknown",
        "messages(id)x", "messages/unknown", "messages id", "nextPageToken/x", "messages/payload/body/parts",
        String(repeating: "messages(", count: 200),
    ])
    func otherTextIsNoSelector(_ text: String) {
        let error = #expect(throws: GmailError.self) { try FieldMask.parse(text, schema: .messageList) }
        #expect(error?.code == 400)
    }

    @Test func maskedJSONLeavesOutWhatIsNotSelected() throws {
        func write(_ mask: FieldMask) -> String {
            let bytes = MaskedJSON.object(mask) { json in
                json.field("a", "x")
                json.field64("b", .max)
                json.object("c") { json in
                    json.field("d", 1)
                    json.arrayUnlessEmpty("e", [1, 2]) { json, number in json.field("f", number) }
                }
                json.arrayUnlessEmpty("g", [Int]()) { _, _ in }
                json.fieldUnlessEmpty("h", [])
                json.fieldUnlessEmpty("i", ["j"])
            }
            return String(decoding: bytes, as: UTF8.self)
        }
        #expect(
            write(.all) == #"{"a":"x","b":"18446744073709551615","c":{"d":1,"e":[{"f":1},{"f":2}]},"i":["j"]}"#)
        #expect(write(.some(["c": .some(["e": .some(["f": .all])])])) == #"{"c":{"e":[{"f":1},{"f":2}]}}"#)
        #expect(write(.some(["c": .some(["d": .all]), "i": .all])) == #"{"c":{"d":1},"i":["j"]}"#)
        #expect(write(.some([:])) == "{}")
    }

    @Test func searchTermsMatch() throws {
        var mailbox = Mailbox(address: "a@b", seed: 1)
        _ = try mailbox.createLabel("Work")
        let now: Int64 = 1_767_225_600
        let message = mailbox.deliver(
            IncomingMail(
                content: .kept([], sizeBytes: 0), internalDate: now - 3 * 86_400,
                labels: ["INBOX", "UNREAD", "Label_1"],
                messageID: nil, references: []))
        for (query, matches) in [
            ("", true), ("in:inbox", true), ("is:unread", true), ("is:read", false), ("-is:read", true),
            ("label:work", true), ("label:Label_1", false), ("in:anywhere", true), ("in:trash", false),
            ("newer_than:4d", true), ("newer_than:2d", false), ("older_than:1d", true), ("older_than:1m", false),
            ("newer_than:100h is:starred", false), ("after:2025-12-01 before:2026/1/1", true), ("newer_than:1y", true),
        ] {
            #expect(try SearchQuery(query, now: now).matches(message, mailbox) == matches, "\(query)")
        }
        #expect(try SearchQuery("in:trash", now: now).reachesHidden)
        #expect(try !SearchQuery("-in:trash", now: now).reachesHidden)
        for bad in ["from:x", "is:snoozed", "newer_than:5", "newer_than:-1d", "after:2025/13/01", "word", "after:"] {
            #expect(throws: GmailError.self, "\(bad)") { try SearchQuery(bad, now: now) }
        }
    }

    @Test func routesAreExact() {
        let cases: [(String, String, GmailMethod?)] = [
            ("GET", "/gmail/v1/users/me/messages/1", .messagesGet),
            ("DELETE", "/gmail/v1/users/me/messages/1", .messagesDelete),
            ("POST", "/gmail/v1/users/me/messages/batchModify", .messagesBatchModify),
            ("POST", "/gmail/v1/users/me/messages/1/untrash", .messagesUntrash),
            ("GET", "/gmail/v1/users/me/labels/1?x=y", .labelsGet), ("POST", "/gmail/v1/users/me/messages/1", nil),
            ("POST", "/gmail/v1/users/me/messages/1/other", nil), ("PUT", "/gmail/v1/users/me/labels", nil),
            ("GET", "/gmail/v1/users/me", nil), ("GET", "/gmail/v2/users/me/profile", nil),
        ]
        for (verb, target, method) in cases {
            #expect(GmailRoute(EmulatorRequest(method: verb, target: target))?.method == method, "\(target)")
        }
    }

    @Test func theRegistryStrikesInOrder() {
        let registry = FaultRegistry(FaultPlan(scripted: [Fault(.token, .status(500))]))
        let second = registry.add(Fault(.anyGmail, skip: 1, times: nil, .status(501)))
        registry.add(Fault(.gmail(.getProfile), match: "a=b", mailbox: "X@y", .status(502)))
        #expect(registry.strike(.batch, target: "", mailbox: nil) == nil)
        #expect(registry.strike(.token, target: "", mailbox: nil) == .status(500))
        #expect(registry.strike(.token, target: "", mailbox: nil) == nil)
        #expect(registry.strike(.gmail(.getProfile), target: "?a=b", mailbox: "x@Y") == .status(502))
        #expect(registry.strike(.gmail(.getProfile), target: "?a=b", mailbox: "x@Y") == .status(501))
        #expect(registry.strike(.jwks, target: "", mailbox: nil) == nil)
        #expect(registry.active.map(\.id) == [second])
        registry.remove(second)
        #expect(registry.active.isEmpty)
        #expect(registry.struck == 3)
    }

    @Test func mimePartsAreLimited() {
        var deep = "Content-Type: text/plain\r\n\r\nx"
        for level in 0..<40 {
            deep = "Content-Type: multipart/mixed; boundary=b\(level)\r\n\r\n--b\(level)\r\n\(deep)\r\n--b\(level)--"
        }
        var part = MIMEPart(RawMessage(Array(deep.utf8)))
        var depth = 0
        while let child = part.parts.first {
            part = child
            depth += 1
        }
        #expect(depth == 8)
        let wide =
            "Content-Type: multipart/mixed; boundary=b\r\n\r\n" + String(repeating: "--b\r\n\r\nx\r\n", count: 500)
        #expect(MIMEPart(RawMessage(Array(wide.utf8))).parts.count == MIMEPart.partsMax)
    }
}
