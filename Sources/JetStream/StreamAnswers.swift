import Foundation
import MailModel

extension StoredMessage {
    private struct Wire: Decodable {
        struct Message: Decodable {
            var seq: UInt64
            var hdrs: Data?
            var data: Data?
        }
        var message: Message?
        var error: JetStreamError?
    }

    private struct Numbered: Decodable { var seq: Int64 }

    /// Reads the answer of `STREAM.MSG.GET`; nil when no message matches.
    init?(lookup answer: [UInt8]) throws(PublisherUnavailable) {
        guard let wire = try? JSONDecoder().decode(Wire.self, from: Data(answer)) else {
            throw PublisherUnavailable(reason: "the answer to a look-up cannot be read")
        }
        if let error = wire.error {
            if error.err_code == JetStreamError.messageNotFound { return nil }
            throw PublisherUnavailable(reason: error.text)
        }
        guard let message = wire.message else {
            throw PublisherUnavailable(reason: "the answer to a look-up has no message")
        }
        guard let id = Self.messageID(message.hdrs ?? Data()),
            let numbered = try? JSONDecoder().decode(Numbered.self, from: message.data ?? Data())
        else {
            throw PublisherUnavailable(
                reason: "message \(message.seq) of the stream is not one of ours: no Nats-Msg-Id, or no seq in its JSON"
            )
        }
        self.init(id: id, seq: numbered.seq, streamSequence: message.seq)
    }

    private static func messageID(_ headers: Data) -> String? {
        let name = "nats-msg-id:"
        for line in String(decoding: headers, as: UTF8.self).split(whereSeparator: \.isNewline)
        where line.lowercased().hasPrefix(name) {
            return line.dropFirst(name.count).trimmingCharacters(in: .whitespaces)
        }
        return nil
    }
}

extension StreamState {
    private struct Wire: Decodable {
        struct State: Decodable {
            var first_seq: UInt64
            var last_seq: UInt64
        }
        struct Config: Decodable { var duplicate_window: Int64? }
        var created: String?
        var state: State?
        var config: Config?
        var error: JetStreamError?
    }

    /// Reads the answer of `STREAM.INFO`.
    init(info answer: [UInt8]) throws(PublisherUnavailable) {
        guard let wire = try? JSONDecoder().decode(Wire.self, from: Data(answer)) else {
            throw PublisherUnavailable(reason: "the stream's description cannot be read")
        }
        if let error = wire.error { throw PublisherUnavailable(reason: error.text) }
        guard let created = wire.created, let state = wire.state else {
            throw PublisherUnavailable(reason: "the stream's description has no state")
        }
        self.init(
            created: created, lastSequence: state.last_seq, firstSequence: state.first_seq,
            duplicateWindowMilliseconds: (wire.config?.duplicate_window ?? 0) / 1_000_000)
    }
}
