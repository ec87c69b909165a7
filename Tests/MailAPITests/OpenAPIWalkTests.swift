import Foundation
import MailModel
import MailTestSupport
import Testing

@testable import MailAPI

/// Every operation of `/openapi.json`, called rightly and wrongly. The document's examples are those of a user `u`.
@Suite struct OpenAPIWalkTests {
    @Test(.timeLimit(.minutes(2))) func everyOperationIsWhatTheDocumentSays() async throws {
        let fixture = APIFixture { $0.bodyTimeout = .seconds(60) }
        await fixture.commands.set(reports: [try .test("u")])
        try await fixture.run { (api: API) async throws in
            let document = try await api.call("GET", "/openapi.json", user: "u")
            let walk = OpenAPIWalk(
                try OpenAPIDescription(document.body), port: api.port,
                credentials: try fixture.credentials,
                state: { await fixture.commands.asked })
            let report = try await walk.run()
            #expect(Set(report.operations) == Set(api.server.routes.all.map { "\($0.method.rawValue) \($0.path)" }))
            #expect(report.calls > 100)
            for fault in report.faults { Issue.record("\(fault)") }
            #expect(!report.refused.keys.contains { $0.contains(" /mail/") }, "\(report.refused)")
        }
    }

    /// A walk that finds nothing might be looking at nothing.
    @Test(.timeLimit(.minutes(2))) func itFindsWhatIsNotAsDescribed() async throws {
        let fixture = APIFixture()
        await fixture.commands.set(reports: [try .test("u")])
        let changes = [
            (#""retry_count": {"type": "integer"}"#, #""retry_count": {"type": "string"}"#),
            (#""minimum": 1, "maximum": 1000"#, #""minimum": 2, "maximum": 1000"#),
            (#""security": [{"operator": []}]"#, #""security": [{"user": []}]"#),
            (#""required": ["provider", "access_token""#, #""required": ["inbox_id", "provider", "access_token""#),
        ]
        try await fixture.run { (api: API) async throws in
            for (right, wrong) in changes {
                let text = OpenAPIDocument.text.replacingOccurrences(of: right, with: wrong)
                #expect(text != OpenAPIDocument.text, "\(right) is not there any more")
                let walk = OpenAPIWalk(
                    try OpenAPIDescription(Array(text.utf8)), port: api.port,
                    credentials: try fixture.credentials,
                    state: { "" })
                #expect(try await !walk.run().faults.isEmpty, "\(wrong)")
            }
        }
    }
}

extension FakeCommands {
    /// Everything that was asked of it and changes something.
    fileprivate var asked: String { "\(connects.count) \(wakes.count) \(disconnects) \(erasures)" }
}

extension APIFixture {
    /// By the names of the document's security schemes.
    fileprivate var credentials: [String: String] {
        get throws {
            ["user": try token("u"), "operator": Self.operatorToken, "cron": Self.cronSecret]
        }
    }
}
