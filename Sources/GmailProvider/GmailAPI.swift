import HTTPTransport
import MailModel

/// The calls of the Gmail API that a session makes: units spent first, one fresh token after a 401, failures mapped,
/// short ones tried again.
struct GmailAPI: Sendable {
    let configuration: GmailConfiguration
    let tokens: any AccessTokens
    let budget: any QuotaBudget
    let time: any TimeSource
    let send: GmailProvider.Send

    /// What a listing is asked for.
    struct Listing: Sendable, Hashable {
        var pageToken: String?
        /// Only messages dated at or after this (`q=after:`).
        var since: UnixSeconds?
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
                id: id, name: GmailNormalizer.printable(label.name ?? id),
                type: label.type == "user" ? "user" : "system")
        }
    }

    func list(_ listing: Listing) async throws -> GmailWire.MessageList {
        var query = "messages?maxResults=\(Self.pageSize)&fields=messages/id,nextPageToken"
        if let token = listing.pageToken { query += "&pageToken=\(Self.escaped(token))" }
        // A second earlier: whether `after:` includes its own second is not documented, and dates are checked again.
        if let since = listing.since { query += "&q=after:\(since - 1)" }
        if let label = listing.label { query += "&labelIds=\(Self.escaped(label))" }
        if listing.includesSpamAndTrash { query += "&includeSpamTrash=true" }
        let endpoint = GmailFailure.Endpoint.list(paged: listing.pageToken != nil)
        return try await patiently(endpoint, query, units: configuration.costs.messagesList)
    }

    func history(since start: UInt64, pageToken: String?) async throws -> GmailWire.HistoryPage {
        let change = "message(id,labelIds)"
        let fields =
            "history(id,messagesAdded/\(change),messagesDeleted/message/id,labelsAdded(message/id,labelIds),"
            + "labelsRemoved(message/id,labelIds)),nextPageToken,historyId"
        var query = "history?startHistoryId=\(start)&maxResults=\(Self.pageSize)&fields=\(fields)"
        if let pageToken { query += "&pageToken=\(Self.escaped(pageToken))" }
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
        let response = try await answer(.batch, units: configuration.costs.messagesGet * ids.count) { token in
            HTTPRequest(
                .post, "\(configuration.apiURL)/batch/gmail/v1",
                headers: [
                    ("Authorization", "Bearer \(token.revealed)"),
                    ("Content-Type", "multipart/mixed; boundary=\(GmailBatch.boundary)"),
                ], body: body, timeout: configuration.requestTimeout, responseBytesMax: limit)
        }
        guard let parts = GmailBatch.parts(of: response) else { throw GmailFailure.unreadable(.batch) }
        var results: [String: Result<GmailWire.Message, SyncFailure>] = [:]
        for (index, part) in parts where ids.indices.contains(index) {
            results[ids[index]] =
                part.status == 401
                ? .failure(GmailFailure.expiredInBatch)
                : Result { () throws(SyncFailure) in try self.read(part, .message) }
        }
        await slowDown(for: results.values.compactMap(\.failure))
        return results
    }

    private static func messagePath(_ id: String, _ headers: [String]) -> String {
        let fields = "id,threadId,labelIds,snippet,historyId,internalDate,payload/headers"
        return "messages/\(id)?format=metadata&prettyPrint=false&fields=\(fields)"
            + headers.map { "&metadataHeaders=\(escaped($0))" }.joined()
    }

    /// Percent-encodes all but RFC 3986's unreserved characters.
    static func escaped(_ text: String) -> String {
        let hex = Array("0123456789ABCDEF".utf8)
        var out: [UInt8] = []
        for byte in text.utf8 {
            switch byte {
            case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "a")...UInt8(ascii: "z"),
                UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "-"), UInt8(ascii: "."), UInt8(ascii: "_"),
                UInt8(ascii: "~"):
                out.append(byte)
            default: out += [UInt8(ascii: "%"), hex[Int(byte >> 4)], hex[Int(byte & 15)]]
            }
        }
        return String(decoding: out, as: UTF8.self)
    }
}

// MARK: - One call

extension GmailAPI {
    /// Calls until it works, the failure is not a passing one, it is to be waited for too long, or tries are used up.
    private func patiently<Value: Decodable>(
        _ endpoint: GmailFailure.Endpoint, _ path: String, units: Int
    ) async throws -> Value {
        var tries = 1
        while true {
            do {
                return try await call(endpoint, path + "&prettyPrint=false", units: units)
            } catch let failure as SyncFailure where tries < configuration.triesMax && isPassing(failure) {
                try await pause(afterTry: tries)
                tries += 1
            }
        }
    }

    /// Whether trying again soon makes sense. Not after a refused token: it was replaced already.
    func isPassing(_ failure: SyncFailure) -> Bool {
        guard case .retry(let after, .account) = failure.decision, failure.code != GmailFailure.Code.unauthorized
        else { return false }
        return after ?? .zero <= configuration.patience
    }

    /// The small back-off between tries.
    func pause(afterTry tries: Int) async throws {
        try await time.sleep(for: configuration.retryDelay * (1 << min(tries - 1, 10)))
    }

    private func call<Value: Decodable>(
        _ endpoint: GmailFailure.Endpoint, _ path: String, units: Int
    ) async throws -> Value {
        let response = try await answer(endpoint, units: units) { token in
            HTTPRequest(
                .get, "\(configuration.apiURL)/gmail/v1/users/me/\(path)",
                headers: [("Authorization", "Bearer \(token.revealed)")], timeout: configuration.requestTimeout,
                responseBytesMax: configuration.answerBytesMax)
        }
        return try read(response, endpoint)
    }

    /// Sends the request, once more with another token when the first was refused. The answer has status 2xx.
    private func answer(
        _ endpoint: GmailFailure.Endpoint, units: Int, _ request: (Secret) -> HTTPRequest
    ) async throws -> HTTPResponse {
        try await budget.spend(units)
        var token = try await tokens.current()
        var response = try await transmit(request(token), endpoint)
        if response.status == 401 {
            token = try await tokens.replacing(token)
            try await budget.spend(units)
            response = try await transmit(request(token), endpoint)
        }
        guard !(200...299).contains(response.status) else { return response }
        let failure = GmailFailure.failure(of: response, at: endpoint, now: time.nowMilliseconds())
        await slowDown(for: [failure])
        throw failure
    }

    private func transmit(_ request: HTTPRequest, _ endpoint: GmailFailure.Endpoint) async throws -> HTTPResponse {
        do {
            return try await send(request)
        } catch let error as TransportError {
            if error == .shutDown { throw CancellationError() }
            throw GmailFailure.failure(of: error, at: endpoint)
        }
    }

    private func read<Value: Decodable>(
        _ response: HTTPResponse, _ endpoint: GmailFailure.Endpoint
    ) throws(SyncFailure) -> Value {
        guard (200...299).contains(response.status) else {
            throw GmailFailure.failure(of: response, at: endpoint, now: time.nowMilliseconds())
        }
        // Why the body cannot be decoded is the provider's text: it is not shown.
        guard let value = try? GmailWire.decode(Value.self, from: response.body) else {
            throw GmailFailure.unreadable(endpoint)
        }
        return value
    }

    /// Tells the budget of the longest wait the failures ask for.
    private func slowDown(for failures: [SyncFailure]) async {
        let pauses = failures.filter(GmailFailure.isThrottling).map(GmailFailure.pause)
        if let longest = pauses.max() { await budget.throttled(for: longest) }
    }
}

extension Result {
    var failure: Failure? {
        if case .failure(let failure) = self { failure } else { nil }
    }
}
