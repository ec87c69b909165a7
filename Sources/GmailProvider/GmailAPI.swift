import HTTPTransport
import MailModel
import ProviderClient

/// The calls of the Gmail API that a session makes.
struct GmailAPI: Sendable {
    let configuration: GmailConfiguration
    let calls: ProviderCalls<GmailFailure>

    /// What a listing is asked for.
    struct Listing: Sendable, Hashable {
        var pageToken: String?
        /// Only messages dated at or after this (`q=after:`).
        var since: UnixSeconds?
        /// Only messages dated before this (`q=before:`).
        var until: UnixSeconds?
        var label: String?
        /// Spam and trash are left out otherwise.
        var includesSpamAndTrash = false
    }

    /// Ids a page, the most Google gives.
    static let pageSize = 500

    func profile() async throws -> GmailWire.Profile {
        let query = "fields=emailAddress,messagesTotal,historyId"
        return try await patiently(.profile, "profile?\(query)", units: configuration.costs.getProfile)
    }

    func labels() async throws -> [MailLabel] {
        let list: GmailWire.LabelList = try await patiently(
            .labels, "labels?fields=labels(id,name,type)", units: configuration.costs.labelsList)
        return (list.labels ?? []).compactMap { label in
            guard let id = label.id, GmailNormalizer.isLabel(id) else { return nil }
            return MailLabel(
                id: id, name: MailText.printable(label.name ?? id),
                type: label.type == "user" ? "user" : "system")
        }
    }

    func list(_ listing: Listing) async throws -> GmailWire.MessageList {
        var query = "messages?maxResults=\(Self.pageSize)&fields=messages/id,nextPageToken"
        if let token = listing.pageToken { query += "&pageToken=\(MailText.percentEncoded(token))" }
        if let search = Self.search(listing) { query += "&q=\(search)" }
        if let label = listing.label { query += "&labelIds=\(MailText.percentEncoded(label))" }
        if listing.includesSpamAndTrash { query += "&includeSpamTrash=true" }
        let endpoint = GmailFailure.Endpoint.list(paged: listing.pageToken != nil)
        return try await patiently(endpoint, query, units: configuration.costs.messagesList)
    }

    /// A second more at either end: whether `after:` and `before:` include their own second is not documented, and dates
    /// are checked again.
    private static func search(_ listing: Listing) -> String? {
        let terms = [listing.since.map { "after:\($0 - 1)" }, listing.until.map { "before:\($0 + 1)" }]
        let search = terms.compactMap { $0 }.joined(separator: "%20")
        return search.isEmpty ? nil : search
    }

    func history(since start: UInt64, pageToken: String?) async throws -> GmailWire.HistoryPage {
        let change = "message(id,labelIds)"
        let fields =
            "history(id,messagesAdded/\(change),messagesDeleted/message/id,labelsAdded(message/id,labelIds),"
            + "labelsRemoved(message/id,labelIds)),nextPageToken,historyId"
        var query = "history?startHistoryId=\(start)&maxResults=\(Self.pageSize)&fields=\(fields)"
        if let pageToken { query += "&pageToken=\(MailText.percentEncoded(pageToken))" }
        let endpoint = GmailFailure.Endpoint.history(paged: pageToken != nil)
        return try await patiently(endpoint, query, units: configuration.costs.historyList)
    }

    /// Reads one message; tried once.
    func message(_ id: String, headers: [String]) async throws -> GmailWire.Message {
        try await call(.message, Self.messagePath(id, headers), units: configuration.costs.messagesGet)
    }

    /// Reads messages through the batch endpoint; tried once. What is missing from the answer is missing here.
    ///
    /// - Throws: ``SyncFailure`` when there is no answer at all, `CancellationError`.
    func batch(_ ids: [String], headers: [String]) async throws -> [String: Result<GmailWire.Message, SyncFailure>] {
        let body = GmailBatch.request(paths: ids.map { "/gmail/v1/users/me/\(Self.messagePath($0, headers))" })
        let limit = min(configuration.answerBytesMax * ids.count, configuration.batchBytesMax)
        let response = try await calls.answer(.batch, units: configuration.costs.messagesGet * ids.count) { token in
            HTTPRequest(
                .post, "\(configuration.apiURL)/batch/gmail/v1",
                headers: [
                    ("Authorization", "Bearer \(token.revealed)"),
                    ("Content-Type", "multipart/mixed; boundary=\(GmailBatch.boundary)"),
                ], body: body, timeout: calls.policy.requestTimeout, responseBytesMax: limit)
        }
        guard let parts = GmailBatch.parts(of: response) else { throw GmailFailure.unreadable(.batch) }
        var results: [String: Result<GmailWire.Message, SyncFailure>] = [:]
        for (index, part) in parts where ids.indices.contains(index) {
            results[ids[index]] = calls.readPart(part, .message)
        }
        await calls.slowDown(for: results.values.compactMap(\.failure))
        return results
    }

    private static func messagePath(_ id: String, _ headers: [String]) -> String {
        let fields = "id,threadId,labelIds,snippet,historyId,internalDate,payload/headers"
        return "messages/\(id)?format=metadata&prettyPrint=false&fields=\(fields)"
            + headers.map { "&metadataHeaders=\(MailText.percentEncoded($0))" }.joined()
    }

    private func patiently<Value: Decodable>(
        _ endpoint: GmailFailure.Endpoint, _ path: String, units: Int
    ) async throws -> Value {
        try await calls.patiently { try await call(endpoint, path + "&prettyPrint=false", units: units) }
    }

    private func call<Value: Decodable>(
        _ endpoint: GmailFailure.Endpoint, _ path: String, units: Int
    ) async throws -> Value {
        let response = try await calls.answer(endpoint, units: units) { token in
            HTTPRequest(
                .get, "\(configuration.apiURL)/gmail/v1/users/me/\(path)",
                headers: [("Authorization", "Bearer \(token.revealed)")], timeout: calls.policy.requestTimeout,
                responseBytesMax: configuration.answerBytesMax)
        }
        return try calls.read(response, endpoint)
    }
}
