import Foundation
import MailJobs
import MailModel

/// The body of `POST /api/email/sync`.
struct EmailSyncBody: Decodable {
    let account: AccountKey?

    init(from decoder: any Decoder) throws { account = try RequestFields(decoder).optionalAccount() }
}

/// The body of `POST /api/sync/jobs`.
struct NewJobBody: Decodable {
    /// Kinds that users may ask for here; imports have operations of their own.
    static let kinds: [JobKind] = [.fullSync, .incrementalSync, .folderSync, .verify]

    /// What jobs of some kinds take.
    struct Parameters: Encodable, Sendable {
        var folder: String?
        var repair: Bool?
    }

    let kind: JobKind
    let account: AccountKey?
    var parameters = Parameters()

    init(from decoder: any Decoder) throws {
        let fields = try RequestFields(decoder)
        let type = try fields.text("type")
        guard let kind = JobKind(rawValue: type), Self.kinds.contains(kind) else {
            let accepted = Self.kinds.map(\.rawValue)
            throw APIProblem.field("type", "must be one of: \(accepted.joined(separator: ", "))", accepted: accepted)
        }
        self.kind = kind
        account = try fields.optionalAccount()
        let (folder, repairs) = (try fields.optionalFolder("folder"), try fields.optionalBool("repair"))
        if kind == .folderSync {
            guard account != nil else {
                throw APIProblem.field("accountId", "is missing: folders belong to an account")
            }
            guard let folder else { throw APIProblem.field("folder", "is missing") }
            parameters.folder = folder
        }
        if kind == .verify { parameters.repair = repairs }
    }
}

/// The body of `POST /api/sync/cancel`.
struct CancelBody: Decodable {
    let job: String

    init(from decoder: any Decoder) throws { job = try RequestFields(decoder).text("jobId") }
}

/// The query of `GET /api/sync/jobs`.
struct JobListQuery {
    var state: JobState?
    var limit = JobRoutes.limitStandard

    /// - Throws: ``APIProblem`` 422 naming the parameter.
    init(_ parameters: [(name: String, value: String)]) throws(APIProblem) {
        var seen: Set<String> = []
        for (name, value) in parameters {
            guard seen.insert(name).inserted else { throw .field(name, "is given more than once") }
            switch name {
            case "state": state = try Self.state(value)
            case "limit": limit = try Self.limit(value)
            default: throw .field(name, "is not a parameter of this operation")
            }
        }
    }

    private static func state(_ value: String) throws(APIProblem) -> JobState {
        guard let state = JobState(rawValue: value) else {
            let accepted = JobState.allCases.map(\.rawValue)
            throw .field("state", "must be one of: \(accepted.joined(separator: ", "))", accepted: accepted)
        }
        return state
    }

    private static func limit(_ value: String) throws(APIProblem) -> Int {
        let isPlain = value.utf8.allSatisfy { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }
        guard isPlain, let limit = Int(value), (1...JobRoutes.limitMax).contains(limit) else {
            throw .field("limit", "must be a whole number from 1 to \(JobRoutes.limitMax)")
        }
        return limit
    }
}

extension RequestFields {
    /// Bytes of a folder's name or path.
    static let folderBytesMax = 1024

    /// An account as `running_syncs` of `GET /mail/status` shows it; nil when it is missing or null.
    func optionalAccount(_ name: String = "accountId") throws -> AccountKey? {
        guard let text = try optionalText(name) else { return nil }
        guard let key = AccountKey(text) else {
            throw APIProblem.field(name, "must be user:inbox:PROVIDER, as running_syncs of GET /mail/status shows it")
        }
        return key
    }

    /// nil when it is missing or null.
    func optionalFolder(_ name: String) throws -> String? {
        guard let text = try optionalText(name) else { return nil }
        guard text.utf8.count <= Self.folderBytesMax else {
            throw APIProblem.field(name, "is longer than \(Self.folderBytesMax) bytes")
        }
        guard text.unicodeScalars.allSatisfy({ !CharacterSet.controlCharacters.contains($0) }) else {
            throw APIProblem.field(name, "has control characters")
        }
        return text
    }
}
