import Foundation

/// What Gmail announces through Pub/Sub (https://developers.google.com/workspace/gmail/api/guides/push): that a mailbox
/// changed. The history id is checked for its form and not used: a worker goes on from its own cursor.
struct GmailAnnouncement: Sendable, Hashable {
    /// As Gmail spells it.
    var address: String

    /// Longest address (RFC 5321 §4.5.3.1, with room).
    static let addressBytesMax = 320

    /// Reads a push: wrapped in Pub/Sub's message, or (payload unwrapping) alone.
    ///
    /// - Throws: ``APIProblem`` 400, 422.
    init(body: [UInt8]) throws(APIProblem) {
        let wrapper = try Self.decode(Wrapper.self, body, "the body is no JSON object of a push")
        guard let message = wrapper.message else {
            self = try Self.decode(Payload.self, body, "the body is no JSON object of a push").announcement(in: "")
            return
        }
        guard let text = message.data else { throw .field("message.data", "is missing or not text") }
        guard let data = Base64Text.decode(text) else { throw .field("message.data", "is not base64") }
        let payload = try Self.decode(Payload.self, data, "'message.data' is not a JSON object in base64")
        self = try payload.announcement(in: "message.data: ")
    }

    private init(address: String) { self.address = address }

    private static func decode<Value: Decodable>(
        _ type: Value.Type, _ bytes: [UInt8], _ complaint: String
    ) throws(APIProblem) -> Value {
        // The decoder's error would quote what was sent.
        guard let value = try? JSONDecoder().decode(type, from: Data(bytes)) else { throw .malformed(complaint) }
        return value
    }

    /// Pub/Sub's `PubsubMessage` in its push envelope, as far as it is used.
    private struct Wrapper: Decodable {
        var message: Message?

        struct Message: Decodable {
            var data: String?

            enum CodingKeys: String, CodingKey { case data }
            init(from decoder: any Decoder) throws {
                // What is not as documented counts as missing: the field is named then.
                data = try? decoder.container(keyedBy: CodingKeys.self).decode(String.self, forKey: .data)
            }
        }
    }

    private struct Payload: Decodable {
        var emailAddress: String?
        var hasHistoryID: Bool

        enum CodingKeys: String, CodingKey { case emailAddress, historyId }
        init(from decoder: any Decoder) throws {
            let container = try decoder.container(keyedBy: CodingKeys.self)
            // As above. Google documents the id as text and as a number.
            emailAddress = try? container.decode(String.self, forKey: .emailAddress)
            let text = try? container.decode(String.self, forKey: .historyId)
            let number = try? container.decode(UInt64.self, forKey: .historyId)
            hasHistoryID = number ?? text.flatMap { UInt64($0) } != nil
        }

        func announcement(in place: String) throws(APIProblem) -> GmailAnnouncement {
            guard let emailAddress, !emailAddress.isEmpty, emailAddress.utf8.count <= addressBytesMax else {
                throw .field("\(place)emailAddress", "is missing or no address")
            }
            guard hasHistoryID else { throw .field("\(place)historyId", "is missing or no history id") }
            return GmailAnnouncement(address: emailAddress)
        }
    }
}

/// Base64 as different senders write it.
enum Base64Text {
    /// Either alphabet, with padding or without (RFC 4648 §4, §5); nil for anything else.
    static func decode(_ text: String) -> [UInt8]? {
        var standard = text.utf8.map { byte -> UInt8 in
            switch byte {
            case UInt8(ascii: "-"): UInt8(ascii: "+")
            case UInt8(ascii: "_"): UInt8(ascii: "/")
            default: byte
            }
        }
        let padding = UInt8(ascii: "=")
        for _ in 0..<2 where standard.last == padding { standard.removeLast() }
        guard standard.count % 4 != 1, !standard.contains(padding) else { return nil }
        standard += Array(repeating: padding, count: (4 - standard.count % 4) % 4)
        return Data(base64Encoded: Data(standard)).map(Array.init)
    }
}
