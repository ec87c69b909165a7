import Foundation
import HTTPTransport
import MailTestSupport
import Testing

@testable import ProviderEmulator

/// The emulator against Google's own description of the API, so that adapter and emulator cannot agree on a mistake.
@Suite(.enabled(if: SharedMaterial.specs != nil)) struct DiscoveryConformanceTests {
    @Test(arguments: GmailMethod.allCases)
    func everyMethodExistsWithItsPathParametersAndScopes(_ method: GmailMethod) throws {
        let document = try DiscoveryDocument()
        let described = try #require(document.method(method.rawValue))
        let path = "/" + described.path.replacing("{userId}", with: "me").replacing("{id}", with: "Label_1")
        let route = GmailRoute(EmulatorRequest(method: described.verb, target: path))
        #expect(route?.method == method)
        #expect(method.parameters == described.queryParameters)
        #expect(method.scopes.isSubset(of: described.scopes))
        #expect(GmailMethod.commonParameters == document.commonParameters)
        let answersNothing: Set<GmailMethod> = [.messagesBatchModify, .messagesDelete, .stop]
        #expect((described.response == nil) == answersNothing.contains(method))
    }

    @Test(arguments: [
        ("profile", "Profile"),
        ("messages?maxResults=7&includeSpamTrash=true", "ListMessagesResponse"),
        ("messages?labelIds=CHAT", "ListMessagesResponse"),
        ("history?startHistoryId=START", "ListHistoryResponse"),
        ("history?startHistoryId=START&maxResults=2", "ListHistoryResponse"),
        ("history?startHistoryId=NOW", "ListHistoryResponse"),
        ("labels", "ListLabelsResponse"),
        ("labels/INBOX", "Label"),
        ("labels/Label_2", "Label"),
    ])
    func answersFitTheSchemas(_ path: String, _ schema: String) async throws {
        let document = try DiscoveryDocument()
        try await EmulatorFixture.run { fixture in
            let start = try await Self.liveThrough(fixture)
            let now = try fixture.google.historyID(of: EmulatorFixture.address)
            let path = path.replacing("START", with: String(start)).replacing("NOW", with: String(now))
            let answer = try await fixture.object(path)
            #expect(document.violations(answer, schema: schema) == [])
        }
    }

    @Test(arguments: ["full", "metadata", "minimal", "raw"])
    func messagesFitTheSchema(_ format: String) async throws {
        let document = try DiscoveryDocument()
        try await EmulatorFixture.run { fixture in
            _ = try await Self.liveThrough(fixture)
            for id in try fixture.google.messageIDs(of: EmulatorFixture.address) {
                let message = try await fixture.object("messages/\(id)?format=\(format)")
                #expect(document.violations(message, schema: "Message") == [], "\(id)")
            }
        }
    }

    @Test func changedMessagesFitTheSchema() async throws {
        let document = try DiscoveryDocument()
        try await EmulatorFixture.run { fixture in
            let id = try fixture.deliver("x")
            for (path, body) in [("modify", "{\"addLabelIds\":[\"STARRED\"]}"), ("trash", ""), ("untrash", "")] {
                let response = try await fixture.gmail("messages/\(id)/\(path)", .post, json: body)
                #expect(document.violations(try response.object(), schema: "Message") == [])
            }
        }
    }

    @Test func aWatchFitsTheSchema() async throws {
        let document = try DiscoveryDocument()
        try await EmulatorFixture.run { fixture in
            let body =
                "{\"topicName\":\"projects/p/topics/t\",\"labelIds\":[\"INBOX\"],\"labelFilterBehavior\":\"include\"}"
            let request = try JSONSerialization.jsonObject(with: Data(body.utf8))
            #expect(document.violations(request, schema: "WatchRequest") == [])
            let response = try await fixture.gmail("watch", .post, json: body)
            #expect(document.violations(try response.object(), schema: "WatchResponse") == [])
        }
    }

    @Test func theSelectorKnowsTheSchemasFields() throws {
        let document = try DiscoveryDocument()
        let every = [
            "messages(id,threadId,labelIds,snippet,historyId,internalDate,payload,sizeEstimate,raw)", "nextPageToken",
            "resultSizeEstimate",
        ]
        _ = try FieldMask.parse(every.joined(separator: ","), schema: .messageList)
        let sample: [String: Any] = [
            "messages": [["id": "1", "threadId": "1", "snippet": "", "historyId": "1"]], "resultSizeEstimate": 1,
        ]
        #expect(document.violations(sample, schema: "ListMessagesResponse") == [])
    }

    @Test func theCheckerFindsWhatIsWrong() throws {
        let document = try DiscoveryDocument()
        let wrong: [(Any, String)] = [
            (["historyId": 5], "Profile"), (["messagesTotal": "5"], "Profile"), (["nope": 1], "Profile"),
            (["messages": [Any]()], "ListMessagesResponse"), (["history": [["id": "x"]]], "ListHistoryResponse"),
            (["internalDate": "12.5"], "Message"), (["type": "other"], "Label"),
        ]
        for (value, schema) in wrong { #expect(document.violations(value, schema: schema).count == 1, "\(value)") }
    }

    /// Made-up mail, and one change of every kind; returns the history id before the changes.
    private static func liveThrough(_ fixture: EmulatorFixture) async throws -> UInt64 {
        let address = EmulatorFixture.address
        try fixture.google.load(MailboxGenerator(seed: 3, address: address, count: 60), into: address)
        let start = try fixture.google.historyID(of: address)
        var activity = MailboxActivity(address: address, seed: 5)
        for _ in 0..<40 { _ = try activity.step(fixture.google) }
        return start
    }
}
