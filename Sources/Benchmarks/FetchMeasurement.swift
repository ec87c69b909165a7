import Foundation
import PlainLimits

/// The plain-C fetch limit: how fast the emulator can be asked for the batches that a backfill asks for.
struct FetchMeasurement: Sendable {
    let workload: Workload

    /// As the adapter asks.
    private static let messagesPerBatch = 50
    private static let boundary = "plain-fetch-part"
    private static let headers = [
        "From", "To", "Cc", "Bcc", "Reply-To", "Subject", "Date", "Message-ID", "In-Reply-To", "References", "List-Id",
        "List-Unsubscribe", "Auto-Submitted", "Delivered-To",
    ]

    private struct Batch: Sendable {
        var authorization: String
        var body: [UInt8]
    }

    func run() async throws -> RunResult {
        let emulator = try await EmulatorProcess.start(workload)
        let facts = emulator.facts
        let batches = Self.batches(facts)
        let messages = facts.grants.reduce(0) { $0 + $1.messageIDs.count }
        let accounts = workload.accounts
        let result = await offPool {
            Result { try Self.measure(batches, url: facts.baseURL, inFlight: accounts) }
        }
        await emulator.end()
        var measurement = try result.get()
        guard measurement.messages == batches.count else { throw BenchmarkFailure("a batch was not answered") }
        measurement.messages = messages
        return measurement
    }

    /// Those of all accounts in turn, so that as many accounts are read at once as requests are in flight.
    private static func batches(_ facts: EmulatorProcess.Facts) -> [Batch] {
        let lists = facts.grants.map { grant in
            stride(from: 0, to: grant.messageIDs.count, by: messagesPerBatch).map { start in
                Batch(
                    authorization: "Authorization: Bearer \(grant.accessToken)",
                    body: body(grant.messageIDs[start...].prefix(messagesPerBatch)))
            }
        }
        let longest = lists.map(\.count).max() ?? 0
        return (0..<longest).flatMap { index in lists.compactMap { $0.indices.contains(index) ? $0[index] : nil } }
    }

    private static func body(_ ids: ArraySlice<String>) -> [UInt8] {
        let query =
            "format=metadata&prettyPrint=false&fields=id,threadId,labelIds,snippet,historyId,internalDate,payload/headers"
            + headers.map { "&metadataHeaders=\($0)" }.joined()
        let parts = ids.enumerated().map { index, id in
            "--\(boundary)\r\nContent-Type: application/http\r\nContent-ID: <item-\(index)>\r\n\r\n"
                + "GET /gmail/v1/users/me/messages/\(id)?\(query) HTTP/1.1\r\n\r\n\r\n"
        }
        return Array((parts.joined() + "--\(boundary)--\r\n").utf8)
    }

    /// Blocks. The strings that C reads live until it returns.
    private static func measure(_ batches: [Batch], url: String, inFlight: Int) throws -> RunResult {
        let endpoint = strdup(url + "/batch/gmail/v1")
        let contentType = strdup("Content-Type: multipart/mixed; boundary=\(boundary)")
        let tokens = batches.map { strdup($0.authorization) }
        let bodies = batches.map { batch in strdup(String(decoding: batch.body, as: UTF8.self)) }
        defer { for text in tokens + bodies + [endpoint, contentType] { free(text) } }
        let posts = batches.indices.map { index in
            plain_post(
                url: endpoint, authorization: tokens[index], content_type: contentType, body: bodies[index],
                size: batches[index].body.count)
        }
        let meter = CostMeter()
        return try meter.measurement(plain_fetch_limit(posts, Int32(posts.count), Int32(inFlight)))
    }
}
