import MailModel
import ProviderClient
import Testing

@testable import GmailProvider

@Suite struct NormalizerTests {
    private func meta(
        _ json: String, id: String = "18c", headers: HeaderSelection = .standard, since: UnixSeconds? = nil
    ) throws -> (meta: MessageMeta, inScope: Bool) {
        let message = try ProviderJSON.decode(GmailWire.Message.self, from: Array(json.utf8))
        guard
            case .read(let meta, let inScope) = try GmailNormalizer(headers: headers, since: since).change(
                message, id: id)
        else {
            Issue.record("not a read")
            throw SyncFailure(.stop, code: "test", "")
        }
        return (meta, inScope)
    }

    private func message(_ fields: String = "", headers: [(String, String)] = []) -> String {
        let list = headers.map { "{\"name\":\"\($0.0)\",\"value\":\"\($0.1)\"}" }.joined(separator: ",")
        let more = fields.isEmpty ? "" : ",\(fields)"
        return "{\"id\":\"18c\",\"internalDate\":\"1644225863999\",\"payload\":{\"headers\":[\(list)]}\(more)}"
    }

    @Test func aWholeMessage() throws {
        let json = message(
            "\"threadId\":\"18b\",\"labelIds\":[\"UNREAD\",\"INBOX\",\"UNREAD\"],\"snippet\":\"a &amp; b\",\"historyId\":\"77\"",
            headers: [
                ("from", "=?utf-8?q?J=C3=B6rg?= <j@x.y>, other@x.y"),
                ("To", "\\\"Doe, John\\\" <d@x.y>, Team: a@b.c, d@e.f;"),
                ("CC", "c@x.y (C)"), ("Bcc", "undisclosed-recipients:;"), ("SUBJECT", "=?iso-8859-1?q?caf=E9?="),
                ("X-Other", "x"), ("Received", "1"), ("Message-Id", " <1@x> "),
            ])
        let (meta, inScope) = try meta(json)
        #expect(inScope)
        #expect(meta.id == "18c" && meta.threadID == "18b" && meta.date == 1_644_225_863 && meta.version == 77)
        #expect(meta.labels == ["INBOX", "UNREAD"] && meta.snippet == "a & b")
        #expect(meta.subject == "café" && meta.sender == "j@x.y")
        #expect(meta.to == ["d@x.y", "a@b.c", "d@e.f"] && meta.cc == ["c@x.y"] && meta.bcc.isEmpty)
        #expect(meta.headers.first.map(\.name) == ["From", "To", "Cc", "Bcc", "Subject", "Message-ID"])
        #expect(meta.headers.first.first?.value == "Jörg <j@x.y>, other@x.y")
        #expect(meta.headers.first.last?.value == "<1@x>")
    }

    /// TRAPS 36.
    @Test func repeatedHeadersAndHostileNames() throws {
        let json = message(headers: [
            ("Delivered-To", "a@x.y"), ("delivered-to", "b@x.y"), ("__proto__", "p"), ("constructor", "c"),
            ("", "none"),
            ("Nul\\u0000Name", "v\\u0000w"), ("Subject", "one"), ("Subject", "two"), ("To", "a@x.y"), ("To", "b@x.y"),
        ])
        let (meta, _) = try meta(json, headers: .all)
        #expect(
            meta.headers.first.map(\.name) == [
                "Delivered-To", "__proto__", "constructor", "Nul\u{fffd}Name", "Subject", "To",
            ])
        #expect(meta.headers.repeated.map(\.name) == ["Delivered-To", "Subject", "To"])
        #expect(meta.headers.first[3].value == "v\u{fffd}w")
        #expect(meta.subject == "one" && meta.to == ["a@x.y", "b@x.y"])
    }

    @Test func aHeaderOf64KilobytesIsKept() throws {
        let list = (0..<4000).map { "user\($0)@example.com" }.joined(separator: ", ")
        let (meta, _) = try meta(
            message(headers: [("To", list), ("References", String(repeating: "x", count: 65_536))]))
        #expect(meta.to.count == 4000 && meta.headers.first.last?.value.count == 65_536)
    }

    @Test func whatIsMissingIsEmptyAndWhatIsGarbageIsPassedOver() throws {
        let (bare, inScope) = try meta("{\"id\":\"18c\",\"internalDate\":1000}")
        #expect(inScope && bare == MessageMeta(id: "18c", threadID: "18c", date: 1))
        let odd = """
            {"id":"18c","threadId":"../x","internalDate":"1000","historyId":"many","labelIds":["B","","A\\u0007","A"],
             "snippet":null,"payload":{"headers":[{"name":"Subject"},{"value":"x"},{}]}}
            """
        let (meta, _) = try meta(odd)
        #expect(meta.threadID == "18c" && meta.version == 0 && meta.labels == ["A", "B"] && meta.subject.isEmpty)
    }

    @Test(
        arguments: [
            ("\"1644225863999\"", 1_644_225_863), ("1644225863000", 1_644_225_863), ("\"-1\"", -1), ("\"0\"", 0),
            ("\"x\"", 5), ("1.5", 5), ("null", 5), ("{}", 5), ("\"99999999999999999999\"", 5),
        ] as [(String, Int64)])
    func theDateIsTheProvidersElseTheSenders(value: String, date: Int64) throws {
        let json = """
            {"id":"18c","internalDate":\(value),"payload":{"headers":[{"name":"Date","value":"1 Jan 1970 00:00:05 +0000"}]}}
            """
        #expect(try meta(json).meta.date == date)
    }

    @Test func whatCannotBeAMessageIsRefused() {
        let cases = [
            (message(), "other", "wrong_message"), ("{\"internalDate\":\"1000\"}", "18c", "wrong_message"),
            ("{\"id\":\"18c\"}", "18c", "undated_message"),
        ]
        for (json, id, code) in cases {
            #expect { try meta(json, id: id) } throws: { ($0 as? SyncFailure)?.code == code }
        }
        #expect(throws: DecodingError.self) { try meta("{\"id\":\"18c\",\"payload\":\"text\"}") }
    }

    @Test(arguments: ["SPAM", "TRASH", "DRAFT", "CHAT"])
    func outOfScope(label: String) throws {
        #expect(try !meta(message("\"labelIds\":[\"INBOX\",\"\(label)\"]")).inScope)
    }

    @Test func sinceIsInclusive() throws {
        #expect(try meta(message(), since: 1_644_225_863).inScope)
        #expect(try !meta(message(), since: 1_644_225_864).inScope)
    }

    @Test func theHeadersAskedForHoldWhatIsNeeded() {
        #expect(GmailNormalizer(headers: .all, since: nil).headerNames.isEmpty)
        let names = GmailNormalizer(headers: .named(["X-A", "subject"]), since: nil).headerNames
        #expect(names == ["X-A", "subject", "From", "To", "Cc", "Bcc", "Date"])
    }

    @Test(arguments: [
        ("plain", "plain"), ("&#39;&quot;&amp;&lt;&gt;", "'\"&<>"), ("&amp;lt;", "&lt;"), ("&#x41;&#X42;", "AB"),
        ("&", "&"), ("&;", "&;"), ("&unknown;", "&unknown;"), ("&#xD800;", "&#xD800;"), ("&#0;", "\u{fffd}"),
        ("a&b;c", "a&b;c"), ("&amp", "&amp"), ("&#99999999999;", "&#99999999999;"), ("&nbsp;", "\u{a0}"),
    ])
    func entities(text: String, expected: String) { #expect(HTMLEntities.decode(text) == expected) }
}

@Suite struct WireTests {
    private func message(_ bytes: [UInt8]) throws -> GmailWire.Message {
        try ProviderJSON.decode(GmailWire.Message.self, from: bytes)
    }

    @Test func textThatIsNoTextIsRepaired() throws {
        let invalid = Array("{\"id\":\"a\",\"snippet\":\"x".utf8) + [0xff] + Array("y\"}".utf8)
        #expect(try message(invalid).snippet == "x\u{fffd}y")
        #expect(
            try message(Array("{\"id\":\"a\",\"snippet\":\"\\ud83d\\ude00\\ud800 \\\\ud800 \\udc00\"}".utf8)).snippet
                == "😀\u{fffd} \\ud800 \u{fffd}")
        #expect(try message(Array("{\"snippet\":\"x\\u0000y\"}".utf8)).snippet == "x\0y")
    }

    @Test(arguments: ["", "{", "[]", "\"x\"", "{\"id\":7}", "{\"id\":\"a\\", "{\"snippet\":\"\\ud8", "<html>"])
    func whatIsNoMessageIsRefused(text: String) {
        #expect(throws: (any Error).self) { try message(Array(text.utf8)) }
    }

    @Test func deepNestingIsRefusedNotFollowed() {
        let deep = String(repeating: "[", count: 100_000)
        #expect(throws: (any Error).self) { try message(Array("{\"id\":\(deep)".utf8)) }
    }

    @Test func historyIdsComeAsTextAndAsNumbers() throws {
        let page = try ProviderJSON.decode(
            GmailWire.HistoryPage.self,
            from: Array("{\"historyId\":12,\"history\":[{\"id\":\"7\"},{\"id\":8},{\"id\":-1},{\"id\":\"x\"}]}".utf8))
        #expect(page.historyId?.unsigned == 12)
        #expect(page.history?.map { $0.id?.unsigned } == [7, 8, nil, nil])
    }

    @Test func idsThatAreNoIDs() {
        #expect(GmailID.isValid("18c1234567890abd") && GmailID.isValid("A_-z"))
        for id in ["", "a b", "../x", "a/b", "a?b", "é", String(repeating: "a", count: 65)] {
            #expect(!GmailID.isValid(id))
        }
    }
}
