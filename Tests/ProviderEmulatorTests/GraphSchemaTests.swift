import Foundation
import HTTPTransport
import MailTestSupport
import Testing

@testable import ProviderEmulator

/// What the emulator says, held against Microsoft's own description and samples.
@Suite(.enabled(if: SharedMaterial.specs != nil)) struct GraphSchemaTests {
    private let address = GraphFixture.address

    private func check(_ entries: [[String: Any]], _ type: String, _ schema: GraphSchema) {
        #expect(!entries.isEmpty)
        for entry in entries {
            let misfits = schema.misfits(entry.filter { $0.key != "@removed" }, type)
            #expect(misfits.isEmpty, "\(misfits.prefix(5))")
        }
    }

    @Test func everyPropertyOfAMessageIsInTheSchema() async throws {
        let schema = try GraphSchema()
        try await GraphFixture.run { fixture in
            try fixture.microsoft.load(MailboxGenerator(seed: 5, address: address, count: 120), into: address)
            let meeting = "Subject: meet\r\nContent-Type: text/calendar\r\n\r\nBEGIN:VCALENDAR\r\n"
            let id = try fixture.microsoft.deliver(Array(meeting.utf8), to: address)
            try fixture.microsoft.setFlag(id, .complete, in: address)
            try fixture.deliver("draft", folder: "drafts")
            let all = GraphMessage.properties.sorted().joined(separator: ",")
            for options in ["", "?$select=\(all)"] {
                let prefer = [GraphFixture.immutable, "odata.maxpagesize=200"]
                for folder in ["inbox", "drafts", "sentitems"] {
                    let round = try await fixture.round(
                        "/me/mailFolders/\(folder)/messages/delta\(options)", prefer: prefer)
                    check(round.entries, "message", schema)
                }
                let list = try await fixture.object("/me/messages\(options)\(options.isEmpty ? "?" : "&")$top=200")
                check(list["value"] as? [[String: Any]] ?? [], "message", schema)
                check([try await fixture.object("/me/messages/\(id)\(options)")], "message", schema)
            }
            let select = try await fixture.object("/me/messages/\(id)?$select=\(all)")
            let shown = Set(select.keys).union(["sender", "from"])
            #expect(GraphMessage.properties.subtracting(shown).isEmpty)
            #expect(select["@odata.type"] as? String == "#microsoft.graph.eventMessageRequest")
        }
    }

    @Test func everyPropertyOfAFolderIsInTheSchema() async throws {
        let schema = try GraphSchema()
        try await GraphFixture.run { fixture in
            try fixture.microsoft.createFolder("Clients", in: address)
            let list = try await fixture.object("/me/mailFolders?$top=100&includeHiddenFolders=true")
            let folders = list["value"] as? [[String: Any]] ?? []
            check(folders, "mailFolder", schema)
            #expect(folders.contains { $0["@odata.type"] as? String == "#microsoft.graph.mailSearchFolder" })
            check(try await fixture.round("/me/mailFolders/delta").entries, "mailFolder", schema)
            check([try await fixture.object("/me/mailFolders/inbox")], "mailFolder", schema)
        }
    }

    @Test func aMisfitIsNoticed() throws {
        let schema = try GraphSchema()
        #expect(!schema.misfits(["nonsense": 1], "message").isEmpty)
        #expect(!schema.misfits(["isRead": "yes"], "message").isEmpty)
        #expect(!schema.misfits(["isRead": 1], "message").isEmpty)
        #expect(!schema.misfits(["importance": "huge"], "message").isEmpty)
        #expect(!schema.misfits(["flag": ["flagStatus": "on"]], "message").isEmpty)
        #expect(!schema.misfits(["receivedDateTime": "2025-01-01"], "message").isEmpty)
        #expect(!schema.misfits(["@odata.type": "#microsoft.graph.message"], "mailFolder").isEmpty)
        #expect(schema.misfits(["isRead": true, "importance": "low"], "message").isEmpty)
    }

    @Test func theSamplesHaveTheFormWeSend() async throws {
        let schema = try GraphSchema()
        for (file, type) in [
            ("delta-1-nextLink", "message"), ("delta-3-deltaLink", "message"),
            ("delta-4-next-round-removed", "message"), ("mailFolders-list", "mailFolder"),
            ("messages-list-select", "message"),
        ] {
            let sample = try Self.file("docs-samples/\(file).json")
            check(sample["value"] as? [[String: Any]] ?? [], type, schema)
        }
        try await GraphFixture.run { fixture in
            let id = try fixture.deliver("a")
            for index in 0..<12 { try fixture.deliver("m\(index)") }
            let select = "?$select=subject,isRead,sender"
            let page = try await fixture.object("/me/mailFolders/inbox/messages/delta\(select)")
            #expect(try Self.keys(page) == Self.keys(Self.file("docs-samples/delta-1-nextLink.json")))
            let round = try await fixture.round("/me/mailFolders/inbox/messages/delta\(select)")
            try fixture.microsoft.delete(id, in: address)
            let other = try #require(round.entries.ids.first { $0 != id })
            try fixture.microsoft.setRead(other, true, in: address)
            let next = try await fixture.object(round.deltaLink)
            #expect(try Self.keys(next) == Self.keys(Self.file("docs-samples/delta-4-next-round-removed.json")))
            let list = try await fixture.object("/me/mailFolders?$top=100")
            #expect(try Self.keys(list) == Self.keys(Self.file("docs-samples/mailFolders-list.json")))
            let some = try await fixture.object("/me/messages?$select=sender,subject&$top=100")
            #expect(try Self.keys(some) == Self.keys(Self.file("docs-samples/messages-list-select.json")))
        }
    }

    @Test func theBatchSampleIsAnsweredInItsForm() async throws {
        try await GraphFixture.run { fixture in
            fixture.microsoft.faults.add(Fault(.graph(.messagesGet), .graphError(.mailboxConcurrency)))
            let request = try Self.file("docs-samples/batch.request.json")
            let answers = try await fixture.batch(request["requests"] as? [[String: Any]] ?? [])
            let sample = try Self.file("docs-samples/batch.response.json")["responses"] as? [[String: Any]] ?? []
            for part in sample {
                let ours = try #require(answers[part["id"] as? String ?? ""])
                #expect(ours["status"] as? Int == part["status"] as? Int)
                #expect(Self.keys(ours).isSuperset(of: Self.keys(part)))
            }
        }
    }

    @Test(arguments: [
        ("400-InefficientFilter", GraphError.inefficientFilter), ("401-InvalidAuthenticationToken", .tokenExpired),
        ("404-ErrorItemNotFound", .itemNotFound), ("410-SyncStateNotFound", .syncStateNotFound),
        ("429-MailboxConcurrency", .mailboxConcurrency),
    ])
    func recordedErrors(_ file: String, _ error: GraphError) throws {
        let recorded = try Self.file("errors/\(file).json")["error"] as? [String: Any] ?? [:]
        let body = error.body(requestID: "r", clientRequestID: "c", date: "2026-01-01T00:00:00")
        let whole = try JSONSerialization.jsonObject(with: Data(body)) as? [String: Any]
        let ours = try #require(whole?["error"] as? [String: Any])
        #expect(ours.keys.sorted() == recorded.keys.sorted())
        #expect(ours["code"] as? String == recorded["code"] as? String)
        #expect(ours["message"] as? String == recorded["message"] as? String)
        #expect(Self.keys(ours).isSuperset(of: Self.keys(recorded)))
        #expect(file.hasPrefix(String(error.status)))
    }

    /// All keys of a value, nested ones as `a.b`.
    private static func keys(_ value: Any) -> Set<String> {
        if let array = value as? [Any] { return array.reduce(into: []) { $0.formUnion(keys($1)) } }
        guard let object = value as? [String: Any] else { return [] }
        return object.reduce(into: []) { all, entry in
            all.insert(entry.key)
            all.formUnion(keys(entry.value).map { "\(entry.key).\($0)" })
        }
    }

    private static func file(_ path: String) throws -> [String: Any] {
        let data = try Data(contentsOf: URL(filePath: "\(SharedMaterial.specs ?? "")/graph/\(path)"))
        return try JSONSerialization.jsonObject(with: data) as? [String: Any] ?? [:]
    }
}
