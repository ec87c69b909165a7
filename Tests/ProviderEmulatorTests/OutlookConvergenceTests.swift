import Foundation
import HTTPTransport
import Testing

@testable import ProviderEmulator

/// A small client that follows the rules (folders by delta, messages by delta per folder, a removal is believed only
/// when the message cannot be found) against a mailbox that changes between any two of its requests: it must end with
/// the truth.
@Suite struct OutlookConvergenceTests {
    private struct NeverAnswered: Error {}
    private struct Client {
        let fixture: GraphFixture
        var activity: MailboxActivity
        var confirmsRemovals = true
        var folders: [String: String] = [:]
        var parents: [String: String] = [:]
        var links: [String: String] = [:]
        var treeLink = "/me/mailFolders/delta?includeHiddenFolders=true"
        /// Folder id and state by message id.
        var messages: [String: [String: String]] = [:]
        var isQuiet = false
        var root = ""

        private static let select = "$select=parentFolderId,isRead,importance,categories,flag"

        /// One change, then one request, asked again when it failed for a moment.
        mutating func ask(_ path: String) async throws -> HTTPResponse {
            if !isQuiet { _ = try activity.step(fixture.microsoft) }
            for _ in 0..<50 {
                do {
                    let prefer = [GraphFixture.immutable, "odata.maxpagesize=7"]
                    let response = try await fixture.get(path, prefer: prefer)
                    if [200, 404, 410].contains(response.status), (try? response.object()) != nil { return response }
                } catch is TransportError {
                    continue
                }
            }
            throw NeverAnswered()
        }

        /// One round over everything.
        mutating func pass() async throws {
            if root.isEmpty {
                root = try await ask("/me/mailFolders/msgfolderroot").object()["id"] as? String ?? ""
            }
            if let link = try await follow(treeLink, { $0.applyFolder($1) }) { treeLink = link }
            var removed: [String] = []
            for folder in folders.keys.sorted() where folders[folder] != "#microsoft.graph.mailSearchFolder" {
                let start = links[folder] ?? "/me/mailFolders/\(folder)/messages/delta?\(Self.select)"
                links[folder] = try await follow(start) { client, entry in
                    guard let id = entry["id"] as? String else { return }
                    if entry["@removed"] != nil {
                        removed.append(id)
                    } else {
                        client.apply(id, entry)
                    }
                }
            }
            for id in Set(removed) { try await confirm(id) }
            for id in messages.keys where !isInTree(messages[id]?["folder"] ?? "") { try await confirm(id) }
        }

        /// Reads a round to its end; nil when the folder is gone. A 410 starts anew.
        private mutating func follow(
            _ start: String, _ apply: (inout Client, [String: Any]) -> Void
        ) async throws -> String? {
            var next = start
            while true {
                let response = try await ask(next)
                if response.status == 404 { return nil }
                let page = try response.object()
                for entry in page["value"] as? [[String: Any]] ?? [] { apply(&self, entry) }
                if let link = page["@odata.deltaLink"] as? String { return link }
                next = try #require(page["@odata.nextLink"] as? String)
            }
        }

        private mutating func applyFolder(_ entry: [String: Any]) {
            guard let id = entry["id"] as? String else { return }
            if entry["@removed"] != nil {
                folders[id] = nil
                parents[id] = nil
                links[id] = nil
            } else {
                folders[id] = entry["@odata.type"] as? String
                parents[id] = entry["parentFolderId"] as? String
            }
        }

        private mutating func apply(_ id: String, _ entry: [String: Any]) {
            if let folder = entry["parentFolderId"] as? String { messages[id, default: [:]]["folder"] = folder }
            for key in ["isRead", "importance", "categories"] {
                if let value = entry[key] { messages[id, default: [:]][key] = "\(value)" }
            }
            if let flag = entry["flag"] as? [String: Any] {
                messages[id, default: [:]]["flag"] = flag["flagStatus"] as? String
            }
        }

        private mutating func confirm(_ id: String) async throws {
            guard confirmsRemovals else {
                messages[id] = nil
                return
            }
            let response = try await ask("/me/messages/\(id)?\(Self.select)")
            if response.status == 404 {
                messages[id] = nil
            } else {
                apply(id, try response.object())
                if !isInTree(messages[id]?["folder"] ?? "") { messages[id] = nil }
            }
        }

        private func isInTree(_ folder: String) -> Bool {
            var next = folder
            while next != root {
                guard let parent = parents[next] else { return false }
                next = parent
            }
            return true
        }
    }

    private func client(_ fixture: GraphFixture, _ seed: UInt64) throws -> Client {
        let address = GraphFixture.address
        try fixture.microsoft.load(MailboxGenerator(seed: seed, address: address, count: 60), into: address)
        return Client(fixture: fixture, activity: MailboxActivity(address: address, seed: seed))
    }

    private func truth(_ fixture: GraphFixture) throws -> [String: [String: String]] {
        try fixture.microsoft.snapshot(GraphFixture.address).filter(\.value.isInTree).mapValues { message in
            let json = try JSONSerialization.data(withJSONObject: message.properties.categories)
            let categories = try JSONSerialization.jsonObject(with: json)
            return [
                "folder": message.folderID, "isRead": message.properties.isRead ? "1" : "0",
                "importance": message.properties.importance.rawValue, "categories": "\(categories)",
                "flag": message.properties.flag.rawValue,
            ]
        }
    }

    private func normal(_ messages: [String: [String: String]]) -> [String: [String: String]] {
        messages.mapValues { state in
            var state = state
            state["isRead"] = ["true": "1", "false": "0"][state["isRead"] ?? ""] ?? state["isRead"]
            return state
        }
    }

    @Test(arguments: [1, 2, 3, 4] as [UInt64]) func aClientThatFollowsTheRulesEndsWithTheTruth(_ seed: UInt64)
        async throws
    {
        try await GraphFixture.run {
            $0.microsoft.requestsPerTenMinutesMax = 0
        } _: { fixture in
            var client = try client(fixture, seed)
            for _ in 0..<3 { try await client.pass() }
            client.isQuiet = true
            for _ in 0..<2 { try await client.pass() }
            #expect(try normal(client.messages) == truth(fixture), "seed \(seed)")
        }
    }

    @Test(arguments: [11, 12] as [UInt64]) func alsoUnderRandomFaults(_ seed: UInt64) async throws {
        try await GraphFixture.run {
            $0.microsoft.requestsPerTenMinutesMax = 0
            $0.microsoft.faults = .init(
                random: RandomFaults(
                    rate: 0.15, seed: seed, endpoints: [.anyGraph], responses: RandomFaults.transientGraph))
        } _: { fixture in
            var client = try client(fixture, seed)
            for _ in 0..<2 { try await client.pass() }
            client.isQuiet = true
            for _ in 0..<2 { try await client.pass() }
            #expect(try normal(client.messages) == truth(fixture), "seed \(seed)")
            #expect(fixture.microsoft.faults.struck > 10, "seed \(seed)")
        }
    }

    @Test func believingEveryRemovalLosesMail() async throws {
        try await GraphFixture.run { fixture in
            var client = Client(fixture: fixture, activity: MailboxActivity(address: GraphFixture.address, seed: 1))
            client.isQuiet = true
            client.confirmsRemovals = false
            let id = try fixture.deliver("a")
            try await client.pass()
            #expect(client.messages[id] != nil)
            try fixture.microsoft.move(id, to: "archive", in: GraphFixture.address)
            try fixture.microsoft.move(id, to: "inbox", in: GraphFixture.address)
            for _ in 0..<2 { try await client.pass() }
            #expect(client.messages[id] == nil)
        }
    }
}
