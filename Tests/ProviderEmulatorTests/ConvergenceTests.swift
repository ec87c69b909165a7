import HTTPTransport
import Testing

@testable import ProviderEmulator

/// A small client that follows the rules (history id first, then the listing, then the history since) against a
/// mailbox that changes between any two of its requests: it must end with the truth.
@Suite struct ConvergenceTests {
    private struct Client {
        let fixture: EmulatorFixture
        var activity: MailboxActivity
        var labels: [String: Set<String>] = [:]
        var readAt: [String: UInt64] = [:]
        var cursor: UInt64 = 0

        /// One change, then one request.
        mutating func ask(_ path: String) async throws -> HTTPResponse {
            _ = try activity.step(fixture.google)
            return try await fixture.gmail(path)
        }

        mutating func backfill() async throws {
            let profile = try await ask("profile").object()
            cursor = UInt64(profile["historyId"] as? String ?? "") ?? 0
            var token: String?
            repeat {
                let more = token.map { "&pageToken=\($0)" } ?? ""
                let page = try await ask("messages?maxResults=20&includeSpamTrash=true\(more)").object()
                for id in fixture.ids(page) { try await read(id) }
                token = page["nextPageToken"] as? String
            } while token != nil
        }

        mutating func read(_ id: String) async throws {
            let response = try await ask("messages/\(id)?format=minimal")
            guard response.status == 200 else {
                labels[id] = nil
                return
            }
            let message = try response.object()
            labels[id] = Set(message["labelIds"] as? [String] ?? [])
            readAt[id] = UInt64(message["historyId"] as? String ?? "") ?? 0
        }

        mutating func follow() async throws {
            var token: String?
            var latest = cursor
            repeat {
                let more = token.map { "&pageToken=\($0)" } ?? ""
                let page = try await fixture.object("history?startHistoryId=\(cursor)&maxResults=7\(more)")
                for record in page["history"] as? [[String: Any]] ?? [] { apply(record) }
                latest = UInt64(page["historyId"] as? String ?? "") ?? 0
                token = page["nextPageToken"] as? String
            } while token != nil
            cursor = latest
        }

        /// Records at or below the version at which a message was read are contained in what was read.
        private mutating func apply(_ record: [String: Any]) {
            let version = UInt64(record["id"] as? String ?? "") ?? 0
            for kind in ["messagesAdded", "labelsAdded", "labelsRemoved", "messagesDeleted"] {
                for entry in record[kind] as? [[String: Any]] ?? [] {
                    guard let message = entry["message"] as? [String: Any], let id = message["id"] as? String,
                        kind == "messagesDeleted" || version > readAt[id] ?? 0
                    else { continue }
                    let changed = Set(entry["labelIds"] as? [String] ?? [])
                    switch kind {
                    case "messagesAdded": labels[id] = Set(message["labelIds"] as? [String] ?? [])
                    case "labelsAdded": labels[id]?.formUnion(changed)
                    case "labelsRemoved": labels[id]?.subtract(changed)
                    default: labels[id] = nil
                    }
                }
            }
        }
    }

    @Test(arguments: [1, 2, 3, 4] as [UInt64]) func aClientThatFollowsTheRulesEndsWithTheTruth(_ seed: UInt64)
        async throws
    {
        try await EmulatorFixture.run { fixture in
            let address = EmulatorFixture.address
            try fixture.google.load(MailboxGenerator(seed: seed, address: address, count: 120), into: address)
            var client = Client(fixture: fixture, activity: MailboxActivity(address: address, seed: seed))
            try await client.backfill()
            try await client.follow()
            #expect(client.labels == Self.truth(fixture), "seed \(seed)")
            for _ in 0..<30 { _ = try client.activity.step(fixture.google) }
            try await client.follow()
            #expect(client.labels == Self.truth(fixture), "seed \(seed)")
        }
    }

    @Test func takingTheHistoryIDAfterTheListingLosesMail() async throws {
        try await EmulatorFixture.run { fixture in
            let address = EmulatorFixture.address
            try fixture.google.load(MailboxGenerator(seed: 9, address: address, count: 120), into: address)
            var client = Client(fixture: fixture, activity: MailboxActivity(address: address, seed: 9))
            try await client.backfill()
            client.cursor = try fixture.google.historyID(of: address)
            try await client.follow()
            #expect(client.labels != Self.truth(fixture))
        }
    }

    private static func truth(_ fixture: EmulatorFixture) -> [String: Set<String>]? {
        // Nil differs from whatever a client found.
        try? fixture.google.snapshot(EmulatorFixture.address).mapValues { Set($0.labels) }
    }
}
