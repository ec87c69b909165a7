import Accounts
import Foundation
import MailModel

/// Reads single fields of a JSON object and says exactly which one is wrong. Fields it is not asked for are ignored.
struct RequestFields {
    private struct Name: CodingKey {
        var stringValue: String
        var intValue: Int? { nil }
        init(stringValue: String) { self.stringValue = stringValue }
        init?(intValue: Int) { nil }
    }

    private let container: KeyedDecodingContainer<Name>

    init(_ decoder: any Decoder) throws { container = try decoder.container(keyedBy: Name.self) }

    /// - Throws: ``APIProblem`` when it is missing, null, no text or empty.
    func text(_ name: String) throws -> String {
        guard let text = try optionalText(name) else { throw APIProblem.field(name, "is missing") }
        return text
    }

    /// nil when it is missing or null.
    func optionalText(_ name: String) throws -> String? {
        guard let text = try value(String.self, name, "must be text") else { return nil }
        guard !text.isEmpty else { throw APIProblem.field(name, "is empty") }
        return text
    }

    func integer(_ name: String, in range: ClosedRange<Int64>) throws -> Int64 {
        let bounds = "must be a whole number from \(range.lowerBound) to \(range.upperBound)"
        guard let number = try value(Int64.self, name, bounds) else { throw APIProblem.field(name, "is missing") }
        guard range.contains(number) else { throw APIProblem.field(name, bounds) }
        return number
    }

    /// nil when it is missing or null.
    func optionalInteger(_ name: String, in range: ClosedRange<Int64>) throws -> Int64? {
        let bounds = "must be a whole number from \(range.lowerBound) to \(range.upperBound)"
        guard let number = try value(Int64.self, name, bounds) else { return nil }
        guard range.contains(number) else { throw APIProblem.field(name, bounds) }
        return number
    }

    /// nil when it is missing or null.
    func optionalTexts(_ name: String, max: Int, bytesMax: Int) throws -> [String]? {
        let bounds = "must be an array of at most \(max) texts of 1 to \(bytesMax) bytes"
        guard let texts = try value([String].self, name, bounds) else { return nil }
        guard texts.count <= max, texts.allSatisfy({ (1...bytesMax).contains($0.utf8.count) }) else {
            throw APIProblem.field(name, bounds)
        }
        return texts
    }

    /// Numbers by name; empty when it is missing or null.
    func optionalIntegers(_ name: String, in range: ClosedRange<Int64>) throws -> [String: Int64] {
        let bounds = "must have whole numbers from \(range.lowerBound) to \(range.upperBound)"
        let numbers = try value([String: Int64].self, name, bounds) ?? [:]
        guard numbers.values.allSatisfy(range.contains) else { throw APIProblem.field(name, bounds) }
        return numbers
    }

    func optionalBool(_ name: String) throws -> Bool? { try value(Bool.self, name, "must be true or false") }

    private func value<V: Decodable>(_ type: V.Type, _ name: String, _ expectation: String) throws -> V? {
        do {
            return try container.decodeIfPresent(type, forKey: Name(stringValue: name))
        } catch {
            throw APIProblem.field(name, expectation)
        }
    }
}

extension RequestFields {
    /// Bytes of a token; Google's are 2048 at most.
    static let tokenBytesMax = 16 * 1024

    /// A token goes into a header later: visible ASCII without spaces.
    func token(_ name: String) throws -> Secret {
        let text = try text(name)
        guard text.utf8.count <= Self.tokenBytesMax else {
            throw APIProblem.field(name, "is longer than \(Self.tokenBytesMax) bytes")
        }
        guard text.utf8.allSatisfy({ (0x21...0x7e).contains($0) }) else {
            throw APIProblem.field(name, "must be visible ASCII characters without spaces")
        }
        return Secret(text)
    }

    func optionalProvider() throws -> ProviderKind? {
        guard let text = try optionalText("provider") else { return nil }
        guard let provider = ProviderKind(apiName: text) else {
            let accepted = ProviderKind.acceptedNames
            throw APIProblem.field(
                "provider", "must be one of: \(accepted.joined(separator: ", "))", accepted: accepted)
        }
        return provider
    }

    func provider() throws -> ProviderKind {
        guard let provider = try optionalProvider() else { throw APIProblem.field("provider", "is missing") }
        return provider
    }

    func optionalInbox() throws -> InboxID? {
        guard let text = try optionalText("inbox_id") else { return nil }
        do {
            return try InboxID(text)
        } catch {
            throw APIProblem.field("inbox_id", "cannot be used: \(error)")
        }
    }

    /// A date (its start in UTC) or an RFC 3339 time.
    func optionalDate(_ name: String) throws -> UnixSeconds? {
        guard let text = try optionalText(name) else { return nil }
        guard let date = SinceDate.parse(text) else {
            throw APIProblem.field(name, "must be a date such as 2024-01-01 or 2024-01-01T00:00:00Z")
        }
        return date
    }
}

/// The body of `POST /mail/connect`.
struct ConnectBody: Decodable {
    /// A year; providers grant an hour or so.
    static let expirySecondsMax: Int64 = 366 * 86_400

    let provider: ProviderKind
    let accessToken: Secret
    let refreshToken: Secret
    let expiresIn: Int64
    let inbox: InboxID
    let since: UnixSeconds?
    /// Only tell what there is; nothing is stored.
    let isDryRun: Bool

    init(from decoder: any Decoder) throws {
        let fields = try RequestFields(decoder)
        provider = try fields.provider()
        accessToken = try fields.token("access_token")
        refreshToken = try fields.token("refresh_token")
        expiresIn = try fields.integer("expires_in", in: 0...Self.expirySecondsMax)
        inbox = try fields.optionalInbox() ?? .primary
        since = try fields.optionalDate("since")
        isDryRun = try fields.optionalBool("dry_run") ?? false
    }
}

/// The body of `POST /mail/sync`.
struct SyncBody: Decodable {
    let provider: ProviderKind?
    let inbox: InboxID?

    init(from decoder: any Decoder) throws {
        let fields = try RequestFields(decoder)
        provider = try fields.optionalProvider()
        inbox = try fields.optionalInbox()
    }
}

/// The body of `POST /mail/verify`.
struct VerifyBody: Decodable {
    let provider: ProviderKind?
    let inbox: InboxID?
    let repairs: Bool

    init(from decoder: any Decoder) throws {
        let fields = try RequestFields(decoder)
        provider = try fields.optionalProvider()
        inbox = try fields.optionalInbox()
        repairs = try fields.optionalBool("repair") ?? false
    }
}

/// The body of `POST /mail/disconnect`.
struct DisconnectBody: Decodable {
    let provider: ProviderKind
    let inbox: InboxID
    let erase: Bool

    init(from decoder: any Decoder) throws {
        let fields = try RequestFields(decoder)
        provider = try fields.provider()
        inbox = try fields.optionalInbox() ?? .primary
        erase = try fields.optionalBool("erase") ?? false
    }
}
