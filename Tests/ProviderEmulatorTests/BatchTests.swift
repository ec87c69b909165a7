import HTTPTransport
import MailTestSupport
import Testing

@testable import ProviderEmulator

@Suite struct BatchTests {
    private let address = EmulatorFixture.address

    /// One part of an answer.
    private struct Answer {
        let id: String
        let status: Int
        let body: String
    }

    private func batch(
        _ fixture: EmulatorFixture, _ targets: [String], path: String = "/batch/gmail/v1", authorized: Bool = true
    ) async throws -> HTTPResponse {
        var body = ""
        for (index, target) in targets.enumerated() {
            body += "--b1\r\nContent-Type: application/http\r\nContent-ID: <item-\(index)>\r\n\r\n"
            body += "GET /gmail/v1/users/me/\(target) HTTP/1.1\r\n\r\n\r\n"
        }
        var headers = [("content-type", "multipart/mixed; boundary=b1")]
        if authorized { headers.append(("authorization", "Bearer \(fixture.grant.accessToken)")) }
        return try await fixture.send(.post, path, headers: headers, body: body + "--b1--\r\n")
    }

    private func answers(_ response: HTTPResponse) throws -> [Answer] {
        let type = ParameterisedValue(try #require(response.header("content-type")))
        let boundary = try #require(type.parameters["boundary"])
        return response.text.components(separatedBy: "--\(boundary)").dropFirst().dropLast().map { part in
            let sections = part.components(separatedBy: "\r\n\r\n")
            let id = sections[0].components(separatedBy: "Content-ID: <response-").last?.split(separator: ">").first
            let status = sections[1].split(separator: " ")[1]
            return Answer(id: String(id ?? ""), status: Int(status) ?? 0, body: sections[2])
        }
    }

    @Test func partsAreAnsweredByContentIDInAnyOrder() async throws {
        try await EmulatorFixture.run { fixture in
            let ids = try (0..<20).map { try fixture.deliver("m\($0)") }
            let response = try await batch(fixture, ids.map { "messages/\($0)?format=minimal&fields=id" })
            #expect(response.status == 200)
            let answers = try answers(response)
            #expect(answers.map(\.id) != (0..<20).map { "item-\($0)" })
            for (index, id) in ids.enumerated() {
                let own = try #require(answers.first { $0.id == "item-\(index)" })
                #expect(own.status == 200)
                #expect(own.body.hasPrefix("{\"id\":\"\(id)\"}"))
            }
            #expect(fixture.google.stats.requests["gmail.users.messages.get"] == 20)
            #expect(fixture.google.stats.units[address] == 400)
            #expect(fixture.google.stats.batchPartsMax == 20)
        }
    }

    @Test func partsFailAlone() async throws {
        try await EmulatorFixture.run { fixture in
            let id = try fixture.deliver("a")
            let poisoned = try fixture.deliver("b")
            fixture.google.faults.add(
                Fault(.gmail(.messagesGet), match: poisoned, times: nil, .error(.tooManyConcurrent)))
            let response = try await batch(
                fixture,
                ["messages/\(id)", "messages/\(poisoned)", "messages/00000000000000ff", "nothing", "profile"])
            let statuses = Dictionary(uniqueKeysWithValues: try answers(response).map { ($0.id, $0.status) })
            #expect(statuses == ["item-0": 200, "item-1": 429, "item-2": 404, "item-3": 404, "item-4": 200])
        }
    }

    @Test func concurrencyCountsParts() async throws {
        try await EmulatorFixture.run {
            $0.concurrentPerUserMax = 5
        } _: { fixture in
            let ids = try (0..<8).map { try fixture.deliver("m\($0)") }
            let statuses = try answers(await batch(fixture, ids.map { "messages/\($0)" })).map(\.status)
            #expect(statuses.filter { $0 == 200 }.count == 5)
            #expect(statuses.filter { $0 == 429 }.count == 3)
            #expect(fixture.google.stats.concurrentMax == 5)
            #expect(try await fixture.gmail("profile").status == 200)
        }
    }

    @Test func anEnvelopeThatIsNoneIsRefused() async throws {
        try await EmulatorFixture.run { fixture in
            let tooMany = try await batch(fixture, Array(repeating: "profile", count: 101))
            #expect(tooMany.status == 400)
            #expect(try await batch(fixture, Array(repeating: "profile", count: 100)).status == 200)
            #expect(try await batch(fixture, []).status == 400)
            let headers = [("authorization", "Bearer \(fixture.grant.accessToken)"), ("content-type", "text/plain")]
            #expect(try await fixture.send(.post, "/batch", headers: headers, body: "x").status == 400)
        }
    }

    @Test func withoutATokenEveryPartIs401() async throws {
        try await EmulatorFixture.run { fixture in
            let response = try await batch(fixture, ["profile", "labels"], path: "/batch", authorized: false)
            #expect(response.status == 200)
            #expect(try answers(response).map(\.status) == [401, 401])
        }
    }

    @Test func aFaultOfTheEnvelope() async throws {
        try await EmulatorFixture.run { fixture in
            fixture.google.faults.add(Fault(.batch, .html502))
            let response = try await batch(fixture, ["profile"])
            #expect(response.status == 502)
            #expect(response.text.contains("<html"))
            #expect(try await batch(fixture, ["profile"]).status == 200)
        }
    }

    @Test(.enabled(if: SharedMaterial.specs != nil)) func theRecordedRequestIsUnderstood() async throws {
        let sample = try String(
            contentsOfFile: "\(SharedMaterial.specs ?? "")/gmail/samples/batch.request.txt", encoding: .utf8)
        let parts = sample.replacing("\r\n", with: "\n").components(separatedBy: "\n\n")
        let body = parts.dropFirst().joined(separator: "\n\n")
        try await EmulatorFixture.run { fixture in
            let response = try await fixture.send(
                .post, "/batch/gmail/v1",
                headers: [
                    ("authorization", "Bearer \(fixture.grant.accessToken)"),
                    ("content-type", "multipart/mixed; boundary=b1"),
                ], body: body)
            let answers = try answers(response)
            #expect(Set(answers.map(\.id)) == ["item-1", "item-2"])
            #expect(answers.allSatisfy { $0.status == 404 })
        }
    }
}
