import Foundation
import MailModel

/// The HTTP API that changes and inspects the emulator while it runs. Loopback clients only; no credentials.
///
/// Under `/admin`; bodies are JSON objects unless said otherwise, answers too:
///
/// | request | does |
/// |---|---|
/// | `GET mailboxes` | `{"mailboxes":[ADDRESS,…]}` |
/// | `POST mailboxes` `{"address","messages"?,"seed"?,"mbox"?}` | makes one, filled with made-up mail or an mbox file |
/// | `GET mailboxes/A/truth` | JSON lines, oldest first: `{"id","thread_id","labels","internal_date","history_id","sha256"}` |
/// | `POST mailboxes/A/messages[?labels=X,Y]` raw message | delivers it: `{"id"}` |
/// | `GET mailboxes/A/messages/ID` | the raw message |
/// | `POST mailboxes/A/messages/ID/modify` `{"add"?,"remove"?}` | labels, by id |
/// | `POST mailboxes/A/messages/ID/trash` or `untrash`, `DELETE mailboxes/A/messages/ID` | |
/// | `POST mailboxes/A/labels` `{"name"}`, `PATCH` or `DELETE mailboxes/A/labels/ID` | `{"id"}` |
/// | `POST mailboxes/A/grant` `{"scopes"?}` | `{"access_token","refresh_token","expires_in","scope"}` |
/// | `POST mailboxes/A/revoke`, `expire-tokens`, `expire-history`, `expire-pages` | |
/// | `POST mailboxes/A/live` `{"steps","seed"}` | random changes: text, a line each |
/// | `POST mailboxes/A/command` text | ``EmulatorCommand``: text |
/// | `GET faults`, `POST faults` text, `DELETE faults[/N]` | ``FaultText`` |
/// | `POST random-faults` `{"rate","seed"}` | |
/// | `POST pushes/google` `{"url","audience"?,"service_account"?,"wrapped"?}`, `DELETE pushes/google` | where Google's pushes go |
/// | `… pushes/faults`, `… pushes/random-faults` | the same for pushes of either provider |
/// | `GET stats` | text, `name value` per line |
/// | `POST jwt` `{"sub","expires_in"?}` | `{"token"}` |
/// | `… microsoft/…` | the same for Microsoft: ``MicrosoftAdminAPI`` |
struct AdminAPI: Sendable {
    let google: GoogleEmulator
    let microsoft: MicrosoftEmulator
    let issuer: TokenIssuer
    let courier: PushCourier

    /// Why a request was refused.
    enum Refusal: Error {
        case badRequest(String)
        case notFound
        case emulator(EmulatorError)

        var reply: EmulatorReply {
            switch self {
            case .badRequest(let reason): .text(reason + "\n", status: 400)
            case .notFound: .text("there is nothing at this path\n", status: 404)
            case .emulator(let error): .text("\(error)\n", status: error.status)
            }
        }
    }

    func respond(to request: EmulatorRequest) async -> EmulatorReply {
        do {
            return try await route(request, Array(request.path.dropFirst()))
        } catch let refusal as Refusal {
            return refusal.reply
        } catch let error as EmulatorError {
            return Refusal.emulator(error).reply
        } catch {
            return .text("\(error)\n", status: 500)
        }
    }

    private func route(_ request: EmulatorRequest, _ path: [String]) async throws -> EmulatorReply {
        switch (request.method, path.first, path.count) {
        case (_, "microsoft", 2...):
            return try await MicrosoftAdminAPI(microsoft: microsoft).route(request, Array(path.dropFirst()))
        case (_, "pushes", 2...): return try pushes(request, Array(path.dropFirst()))
        case (_, "faults", _), ("POST", "random-faults", 1):
            return try FaultAdminAPI(
                faults: google.faults, randomEndpoint: .anyGmail, randomResponses: RandomFaults.transient
            ).route(request, path)
        case ("GET", "mailboxes", 1): return .object { $0.field("mailboxes", google.addresses) }
        case ("POST", "mailboxes", 1): return try await createMailbox(try AdminBody(request))
        case (_, "mailboxes", 3...): return try mailbox(request, address: path[1], Array(path.dropFirst(2)))
        case ("GET", "stats", 1): return .text(google.stats.text(google.faults) + "\n")
        case ("POST", "jwt", 1): return try issueToken(try AdminBody(request))
        default: throw Refusal.notFound
        }
    }

    private func createMailbox(_ body: AdminBody) async throws -> EmulatorReply {
        guard let address = body.address, !address.isEmpty else { throw Refusal.badRequest("address is missing") }
        try google.createMailbox(address)
        if let path = body.mbox { try await google.load(mbox: path, into: address) }
        if let count = body.messages {
            try google.load(
                MailboxGenerator(seed: body.seed ?? google.configuration.seed, address: address, count: count),
                into: address)
        }
        let count = try google.messageIDs(of: address).count
        return .object { $0.field("messages", Int64(count)) }
    }

    private func pushes(_ request: EmulatorRequest, _ path: [String]) throws -> EmulatorReply {
        switch (request.method, path[0], path.count) {
        case ("POST", "google", 1):
            let body = try AdminBody(request)
            guard let url = body.url else { throw Refusal.badRequest("url is missing") }
            google.pushEndpoint = GooglePushEndpoint(
                url: url, audience: body.audience,
                serviceAccount: body.service_account ?? GooglePushEndpoint.standardServiceAccount,
                isWrapped: body.wrapped ?? true)
            return .done
        case ("DELETE", "google", 1):
            google.pushEndpoint = nil
            return .done
        default:
            return try FaultAdminAPI(
                faults: courier.faults, randomEndpoint: .push, randomResponses: RandomFaults.onPushes
            ).route(request, path)
        }
    }

    private func issueToken(_ body: AdminBody) throws -> EmulatorReply {
        guard let sub = body.sub else { throw Refusal.badRequest("sub is missing") }
        guard let token = issuer.issue(sub: sub, expiresIn: body.expires_in ?? 900) else {
            throw Refusal.badRequest("no key is left to sign with")
        }
        return .object { $0.field("token", token) }
    }
}

/// Every field that an admin request may have.
struct AdminBody: Decodable {
    /// - Throws: ``AdminAPI/Refusal/badRequest(_:)`` for a body that is no such object; an empty one is.
    init(_ request: EmulatorRequest) throws {
        guard !request.body.isEmpty else { return }
        do {
            self = try JSONDecoder().decode(AdminBody.self, from: Data(request.body))
        } catch {
            throw AdminAPI.Refusal.badRequest("the body is not the JSON object expected: \(error)")
        }
    }

    var address: String?
    var messages: Int?
    var mbox: String?
    var seed: UInt64?
    var add: [String]?
    var remove: [String]?
    var name: String?
    var scopes: [String]?
    var steps: Int?
    var rate: Double?
    var sub: String?
    var expires_in: Int64?
    var folder: String?
    var parent: String?
    var hidden: Bool?
    var read: Bool?
    var flag: String?
    var importance: String?
    var categories: [String]?
    var url: String?
    var audience: String?
    var service_account: String?
    var wrapped: Bool?
    var event: String?
}

extension EmulatorError {
    fileprivate var status: Int {
        switch self {
        case .noMailbox, .noMessage, .noLabel, .noFolder: 404
        case .mailboxExists, .labelExists, .folderExists: 409
        case .notAMessage, .unreadableFile, .unsupported: 400
        }
    }
}
