import Foundation
import MailModel
import MailTestSupport
import ProviderClient
import Testing

@testable import OutlookProvider

@Suite struct NormalizerTests {
    private let place = FolderTree.Place(folder: "F", label: "INBOX", isInScope: true)

    private func message(_ json: String) throws -> OutlookWire.Message {
        try ProviderJSON.decode(OutlookWire.Message.self, from: Array(json.utf8))
    }

    private func meta(_ json: String, headers: HeaderSelection = .standard) throws -> MessageMeta {
        let normalizer = OutlookNormalizer(headers: headers, since: nil)
        guard case .read(let meta, _) = try normalizer.change(try message(json), id: "1", at: place, version: 7) else {
            throw CancellationError()
        }
        return meta
    }

    @Test func receivedMail() throws {
        let meta = try meta(
            """
            {"id":"1","conversationId":"C","subject":"Hi","bodyPreview":"Hello & bye","isRead":false,"isDraft":false,
             "receivedDateTime":"2026-01-02T03:04:05Z","importance":"high","flag":{"flagStatus":"flagged"},
             "categories":["Blue","IMPORTANT","INBOX"],"from":{"emailAddress":{"name":"Doe, John","address":"j@x.org"}},
             "toRecipients":[{"emailAddress":{"name":"A","address":"a@x.org"}},{"emailAddress":{"name":"nobody"}},{}],
             "ccRecipients":[],"internetMessageHeaders":[{"name":"From","value":"=?utf-8?Q?J=C3=B6?= <j@x.org>"},
             {"name":"received","value":"one"},{"name":"Received","value":"two"},{"name":"Subject","value":"Hi"}]}
            """)
        #expect(meta.threadID == "C" && meta.date == 1_767_323_045 && meta.snippet == "Hello & bye")
        #expect(meta.sender == "j@x.org" && meta.to == ["a@x.org"] && meta.cc.isEmpty && meta.version == 7)
        #expect(
            meta.labels == ["Blue", "IMPORTANT", "INBOX", "STARRED", "UNREAD", "category:IMPORTANT", "category:INBOX"])
        #expect(meta.headers.first.map(\.name) == ["From", "Subject"])
        #expect(meta.headers.first.first?.value == "Jö <j@x.org>" && meta.folder == "F")
    }

    /// Mail that was sent from the mailbox has no headers: they are made from the properties.
    @Test func sentMail() throws {
        let meta = try meta(
            """
            {"id":"1","subject":"Hi","isRead":true,"receivedDateTime":"2026-01-02T03:04:05Z",
             "sentDateTime":"2026-01-02T03:04:00Z","internetMessageId":"<m@x.org>",
             "from":{"emailAddress":{"name":"Ann","address":"ann@x.org"}},
             "toRecipients":[{"emailAddress":{"name":"Doe, John","address":"j@x.org"}},
             {"emailAddress":{"name":"k@x.org","address":"k@x.org"}}],
             "ccRecipients":[{"emailAddress":{"name":"X","address":"/O=ORG/CN=X"}}],
             "replyTo":[{"emailAddress":{"name":"A \\"B\\"","address":"r@x.org"}}]}
            """, headers: .all)
        #expect(meta.labels == ["INBOX"] && meta.threadID == "1" && meta.cc == ["/O=ORG/CN=X"])
        let headers = Dictionary(uniqueKeysWithValues: meta.headers.first.map { ($0.name, $0.value) })
        #expect(
            headers == [
                "From": "Ann <ann@x.org>", "To": "\"Doe, John\" <j@x.org>, k@x.org", "Cc": "X </O=ORG/CN=X>",
                "Reply-To": "\"A \\\"B\\\"\" <r@x.org>", "Subject": "Hi", "Date": "Fri, 2 Jan 2026 03:04:00 +0000",
                "Message-ID": "<m@x.org>",
            ])
    }

    @Test func aMessageWithNextToNothing() throws {
        let meta = try meta("{\"id\":\"1\",\"createdDateTime\":\"2026-01-02T03:04:05.1234567Z\"}")
        #expect(meta.date == 1_767_323_045 && meta.subject.isEmpty && meta.sender.isEmpty)
        #expect(meta.labels == ["INBOX"] && meta.threadID == "1")
        #expect(throws: SyncFailure.self) { try self.meta("{\"id\":\"1\"}") }
        #expect(throws: SyncFailure.self) {
            try self.meta("{\"id\":\"2\",\"createdDateTime\":\"2026-01-02T03:04:05Z\"}")
        }
        #expect(throws: SyncFailure.self) {
            try self.meta("{\"id\":\"1\",\"receivedDateTime\":\"0001-01-01T00:00:00Z\"}")
        }
    }

    @Test func growingEnumsAndSubtypesAreAccepted() throws {
        let meta = try meta(
            """
            {"@odata.type":"#microsoft.graph.eventMessageRequest","id":"1","importance":"unknownFutureValue",
             "flag":{"flagStatus":"later"},"receivedDateTime":"2026-01-02T03:04:05Z","subject":"a\\u0000b \\ud800",
             "bodyPreview":null,"categories":[""],"meetingMessageType":"meetingRequest"}
            """)
        #expect(meta.labels == ["INBOX"] && meta.subject == "a\u{fffd}b \u{fffd}")
    }

    @Test func scope() throws {
        let normalizer = OutlookNormalizer(headers: .all, since: 1_767_323_045)
        let inTime = try message("{\"receivedDateTime\":\"2026-01-02T03:04:05Z\"}")
        #expect(normalizer.isInScope(inTime, at: place))
        #expect(!normalizer.isInScope(try message("{\"receivedDateTime\":\"2026-01-02T03:04:04Z\"}"), at: place))
        #expect(
            !normalizer.isInScope(
                try message("{\"isDraft\":true,\"receivedDateTime\":\"2026-01-02T03:04:05Z\"}"), at: place))
        #expect(!normalizer.isInScope(inTime, at: .init(folder: "T", label: "TRASH", isInScope: false)))
    }

    @Test(arguments: [
        ("2026-01-02T03:04:05Z", 1_767_323_045 as Int64?), ("2024-02-29T23:59:60Z", 1_709_251_200),
        ("2026-01-02T03:04:05.0000000Z", 1_767_323_045), ("2026-01-02T04:04:05+01:00", 1_767_323_045),
        ("2026-01-02T02:04:05-01:00", 1_767_323_045), ("0001-01-01T00:00:00Z", nil), ("", nil), ("2026-01-02", nil),
        ("2026-13-02T03:04:05Z", nil), ("2026-01-02T25:04:05Z", nil), ("x2026-01-02T03:04:05Z", nil),
    ])
    func times(text: String, expected: Int64?) { #expect(GraphTime.parse(text) == expected) }

    @Test func dateHeaders() {
        #expect(GraphTime.header(0) == "Thu, 1 Jan 1970 00:00:00 +0000")
        #expect(GraphTime.header(1_709_251_199) == "Thu, 29 Feb 2024 23:59:59 +0000")
    }

    /// Microsoft's own samples.
    @Test(.enabled(if: SharedMaterial.specs != nil)) func samples() throws {
        let specs = try #require(SharedMaterial.specs)
        for name in ["delta-1-nextLink", "delta-3-deltaLink", "delta-4-next-round-removed"] {
            let body = Array(try Data(contentsOf: URL(filePath: "\(specs)/graph/docs-samples/\(name).json")))
            let page = try ProviderJSON.decode(OutlookAPI.MessagePage.self, from: body)
            #expect((page.nextLink == nil) != (page.deltaLink == nil), "\(name)")
            #expect(!page.items.isEmpty, "\(name)")
            for entry in page.items {
                if case .unreadable = entry { Issue.record("\(name) has an entry that cannot be read") }
            }
        }
        let folders = Array(try Data(contentsOf: URL(filePath: "\(specs)/graph/docs-samples/mailFolders-list.json")))
        let page = try ProviderJSON.decode(OutlookAPI.FolderPage.self, from: folders)
        let search = page.items.filter { if case .content(_, let folder) = $0 { folder.isSearch } else { false } }
        #expect(page.items.count == 9 && search.count == 1)
        let batch = Array(try Data(contentsOf: URL(filePath: "\(specs)/graph/docs-samples/batch.response.json")))
        let answer = try ProviderJSON.decode(OutlookWire.BatchAnswer<OutlookWire.Message>.self, from: batch)
        #expect(answer.responses.map(\.status) == [424, 429] && answer.responses.last?.retryAfter == "10")
    }

    /// An entry of the wrong shape is that entry's trouble.
    @Test func hostilePages() throws {
        let body = """
            {"value":[7,null,"x",{},{"id":7},{"id":""},{"id":"a b"},{"id":"\(String(repeating: "x", count: 2000))"},
            {"id":"ok","subject":["x"]},{"id":"gone","@removed":null},{"id":"gone2","@removed":{"reason":"x"}},
            {"id":"fine","isRead":true,"@odata.etag":7}],"@odata.nextLink":"https://x/"}
            """
        let page = try ProviderJSON.decode(OutlookAPI.MessagePage.self, from: Array(body.utf8))
        let listed = OutlookPage(page.items, of: place)
        #expect(listed.nameless == 8 && listed.ids == ["ok", "gone", "gone2", "fine"])
        for garbage in ["[]", "{\"value\":{}}", "{\"value\":[],\"@odata.nextLink\":7}", "<html>"] {
            #expect(throws: (any Error).self) {
                try ProviderJSON.decode(OutlookAPI.MessagePage.self, from: Array(garbage.utf8))
            }
        }
    }
}
