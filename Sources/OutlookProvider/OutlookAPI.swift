import Foundation
import HTTPTransport
import MailModel
import ProviderClient

/// The calls of Microsoft Graph that a session makes. Every one asks for immutable ids, which stay the same when a message
/// moves (https://learn.microsoft.com/graph/outlook-immutable-id).
struct OutlookAPI: Sendable {
    let configuration: OutlookConfiguration
    let calls: ProviderCalls<OutlookFailure>

    typealias FolderPage = OutlookWire.Page<OutlookWire.Folder>
    typealias MessagePage = OutlookWire.Page<OutlookWire.ListedMessage>

    /// What is asked for of a folder's messages.
    enum Selection: Sendable, Hashable {
        /// All that an event is made of.
        case full
        /// What labels are made of.
        case light
        /// What tells a message in scope from a draft.
        case ids
        /// What an import counts.
        case dates
    }

    func profile() async throws -> OutlookWire.Profile {
        try await patiently(.profile, url("/me?$select=id,mail,userPrincipalName"))
    }

    /// A page of the changes to the tree of folders, hidden ones too.
    ///
    /// - Parameter link: nil for all of it, from the start.
    func folderChanges(_ link: String?) async throws -> FolderPage {
        let start = url("/me/mailFolders/delta?includeHiddenFolders=true")
        let page: FolderPage = try await patiently(
            .tree(linked: link != nil), link ?? start, pageSize: Self.foldersPage)
        return try checked(page)
    }

    /// A page of a folder's children, hidden ones too; of the top of the tree when there is no folder.
    func childFolders(of folder: String?, _ link: String?) async throws -> FolderPage {
        let path = folder.map { "/me/mailFolders/\(MailText.percentEncoded($0))/childFolders" } ?? "/me/mailFolders"
        let start = url("\(path)?includeHiddenFolders=true&$top=\(Self.foldersPage)")
        let page: FolderPage = try await patiently(
            .tree(linked: link != nil), link ?? start, pageSize: Self.foldersPage)
        return try checked(page)
    }

    private static let foldersPage = 200

    /// The folders behind well-known names; those the mailbox does not have are left out.
    func wellKnownFolders(_ names: [String]) async throws -> [String: String] {
        try await calls.patiently {
            let paths = names.map { "/me/mailFolders/\($0)?$select=id" }
            let answers: [Int: Result<OutlookWire.Folder, SyncFailure>] = try await batch(paths, of: .folder)
            var found: [String: String] = [:]
            for (index, name) in names.enumerated() {
                switch answers[index] ?? .failure(OutlookFailure.unreadable(.batch)) {
                case .success(let folder): found[name] = folder.id
                case .failure(let failure) where failure.code == OutlookFailure.Code.folderGone: break
                case .failure(let failure): throw failure
                }
            }
            return found
        }
    }

    /// A page of what happened to a folder's messages; without a link everything in it happened, the newest first.
    func messageChanges(in folder: String, _ link: String?, _ selection: Selection) async throws -> MessagePage {
        let start = url(
            "/me/mailFolders/\(MailText.percentEncoded(folder))/messages/delta?$select=\(Self.fields(selection))"
                + (selection == .ids ? "" : "&$orderby=receivedDateTime%20desc"))
        let size = selection == .full ? configuration.fullPageSize : configuration.lightPageSize
        let page: MessagePage = try await patiently(.messages(linked: link != nil), link ?? start, pageSize: size)
        return try checked(page)
    }

    /// A page of a folder's messages, the newest first. What orders has to be what filters, and come first there.
    ///
    /// - Parameters:
    ///   - filter: conditions on `receivedDateTime`, all of which hold.
    ///   - link: to a further page of the same.
    func messages(
        in folder: String, where filter: [String], _ link: String?, _ selection: Selection
    ) async throws -> MessagePage {
        let size = selection == .full ? configuration.fullPageSize : Self.countedPage
        var start = url(
            "/me/mailFolders/\(MailText.percentEncoded(folder))/messages?$select=\(Self.fields(selection))"
                + "&$orderby=receivedDateTime%20desc&$top=\(size)")
        if !filter.isEmpty { start += "&$filter=" + filter.joined(separator: " and ").replacing(" ", with: "%20") }
        let page: MessagePage = try await patiently(.messages(linked: link != nil), link ?? start)
        return try checked(page)
    }

    /// Messages a page when they are only counted: the most that Graph gives.
    static let countedPage = 1000

    /// Reads one message; tried once.
    func message(_ id: String) async throws -> OutlookWire.Message {
        try await call(.message, url(Self.messagePath(id)))
    }

    /// Reads messages through one batch; tried once. What is missing from the answer is missing here.
    ///
    /// - Throws: ``SyncFailure`` when there is no answer at all, `CancellationError`.
    func messages(_ ids: [String]) async throws -> [String: Result<OutlookWire.Message, SyncFailure>] {
        let answers: [Int: Result<OutlookWire.Message, SyncFailure>] = try await batch(
            ids.map(Self.messagePath), of: .message)
        return Dictionary(answers.map { (ids[$0.key], $0.value) }) { $1 }
    }

    private static func messagePath(_ id: String) -> String {
        "/me/messages/\(MailText.percentEncoded(id))?$select=\(fields(.full))"
    }

    /// The properties asked for. Headers come only when they are named, and then everything else has to be named too.
    private static func fields(_ selection: Selection) -> String {
        switch selection {
        case .full: OutlookWire.Message.CodingKeys.allCases.map(\.rawValue).joined(separator: ",")
        case .light: "id,parentFolderId,isRead,flag,importance,categories,isDraft,receivedDateTime"
        case .ids: "id,isDraft"
        case .dates: "id,receivedDateTime"
        }
    }
}

// MARK: - One call

extension OutlookAPI {
    func url(_ path: String) -> String { configuration.apiURL + path }

    private func patiently<Value: Decodable>(
        _ endpoint: OutlookFailure.Endpoint, _ url: String, pageSize: Int? = nil
    ) async throws -> Value {
        try await calls.patiently { try await call(endpoint, url, pageSize: pageSize) }
    }

    private func call<Value: Decodable>(
        _ endpoint: OutlookFailure.Endpoint, _ url: String, pageSize: Int? = nil
    ) async throws -> Value {
        // A link from when GRAPH_API_URL was another.
        if endpoint.isLinked, !isOurs(url) { throw OutlookFailure.linkExpired(endpoint) }
        let response = try await calls.answer(endpoint, units: 1) { token in
            HTTPRequest(
                .get, url.replacing(" ", with: "%20"),
                headers: [
                    ("Authorization", "Bearer \(token.revealed)"), ("Accept", "application/json"),
                    ("Prefer", Self.preferences(pageSize: pageSize)),
                ], timeout: calls.policy.requestTimeout, responseBytesMax: configuration.answerBytesMax)
        }
        return try calls.read(response, endpoint)
    }

    static func preferences(pageSize: Int?) -> String {
        "IdType=\"ImmutableId\"" + (pageSize.map { ", odata.maxpagesize=\($0)" } ?? "")
    }

    /// Sends GET requests as one batch. Graph works on four of them at a time, so nothing else is sent meanwhile.
    private func batch<Body: Decodable & Sendable>(
        _ paths: [String], of endpoint: OutlookFailure.Endpoint
    ) async throws -> [Int: Result<Body, SyncFailure>] {
        let body = Self.batchBody(paths)
        let response = try await calls.answer(.batch, units: paths.count) { token in
            HTTPRequest(
                .post, url("/$batch"),
                headers: [
                    ("Authorization", "Bearer \(token.revealed)"), ("Content-Type", "application/json"),
                    ("Accept", "application/json"),
                ], body: body, timeout: calls.policy.requestTimeout, responseBytesMax: configuration.answerBytesMax)
        }
        let answer: OutlookWire.BatchAnswer<Body> = try calls.read(response, .batch)
        var results: [Int: Result<Body, SyncFailure>] = [:]
        for part in answer.responses {
            guard let index = part.id.flatMap({ Int($0) }), paths.indices.contains(index) else { continue }
            results[index] = result(of: part, endpoint)
        }
        await calls.slowDown(for: results.values.compactMap(\.failure))
        return results
    }

    private func result<Body>(
        of part: OutlookWire.BatchPart<Body>, _ endpoint: OutlookFailure.Endpoint
    ) -> Result<Body, SyncFailure> {
        if let body = part.body { return .success(body) }
        if part.status == 401 { return .failure(OutlookFailure.expiredInBatch) }
        if (200...299).contains(part.status) { return .failure(OutlookFailure.unreadable(endpoint)) }
        return .failure(
            OutlookFailure.failure(
                part.status, part.failure, part.retryAfter, at: endpoint, now: calls.time.nowMilliseconds()))
    }

    static func batchBody(_ paths: [String]) -> [UInt8] {
        var json = JSONText()
        json.object { json in
            json.key("requests")
            json.array(Array(paths.enumerated())) { json, request in
                json.object { json in
                    json.field("id", String(request.offset))
                    json.field("method", "GET")
                    json.field("url", request.element)
                    json.key("headers")
                    json.object { $0.field("Prefer", preferences(pageSize: nil)) }
                }
            }
        }
        return json.bytes
    }

    // MARK: Links

    /// - Throws: `stop` when a link leads to another origin.
    func checked<Value>(_ page: OutlookWire.Page<Value>) throws(SyncFailure) -> OutlookWire.Page<Value> {
        for link in [page.nextLink, page.deltaLink] {
            if let link, !isOurs(link) { throw OutlookFailure.foreignLink }
        }
        return page
    }

    /// Whether the link's origin (RFC 6454 §4) is that of `GRAPH_API_URL`.
    private func isOurs(_ link: String) -> Bool {
        guard let origin = Self.origin(configuration.apiURL) else { return false }
        return Self.origin(link) == origin
    }

    static func origin(_ url: String) -> String? {
        guard let parts = URLComponents(string: url.replacing(" ", with: "%20")),
            let scheme = parts.scheme?.lowercased(),
            let host = parts.host?.lowercased(), !host.isEmpty, parts.user == nil, parts.password == nil
        else { return nil }
        return "\(scheme)://\(host):\(parts.port ?? (scheme == "https" ? 443 : 80))"
    }
}
