import Foundation
import MailModel

/// What `STREAM.MSG.GET` answers.
struct LookedUpMessage: Sendable {
    private struct Wire: Decodable {
        struct Message: Decodable {
            var subject: String
            var seq: UInt64
            var hdrs: Data?
            var data: Data?
        }
        var message: Message?
        var error: JetStreamError?
    }

    private struct Numbered: Decodable { var seq: Int64 }

    private let message: Wire.Message

    /// Reads the answer; nil when no message matches.
    init?(_ answer: [UInt8]) throws(PublisherUnavailable) {
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
        self.message = message
    }

    /// - Throws: when it is not one of ours.
    func stored() throws(PublisherUnavailable) -> StoredMessage {
        guard let id = messageID,
            let numbered = try? JSONDecoder().decode(Numbered.self, from: message.data ?? Data())
        else {
            throw PublisherUnavailable(
                reason: "message \(message.seq) of the stream is not one of ours: no Nats-Msg-Id, or no seq in its JSON"
            )
        }
        return StoredMessage(id: id, seq: numbered.seq, streamSequence: message.seq)
    }

    func archived() throws(PublisherUnavailable) -> ArchivedMessage {
        guard let id = messageID else {
            throw PublisherUnavailable(
                reason: "message \(message.seq) of the stream is not one of ours: no Nats-Msg-Id")
        }
        return ArchivedMessage(
            streamSequence: message.seq, subject: message.subject, id: id, payload: Array(message.data ?? Data()))
    }

    private var messageID: String? {
        let name = "nats-msg-id:"
        for line in String(decoding: message.hdrs ?? Data(), as: UTF8.self).split(whereSeparator: \.isNewline)
        where line.lowercased().hasPrefix(name) {
            return line.dropFirst(name.count).trimmingCharacters(in: .whitespaces)
        }
        return nil
    }
}

/// What `STREAM.MSG.DELETE` answers.
enum Deletion {
    private struct Wire: Decodable {
        var success: Bool?
        var error: JetStreamError?
    }

    /// - Throws: when the message may still be there.
    static func check(_ answer: [UInt8], _ sequence: UInt64) throws(PublisherUnavailable) {
        let wire = try? JSONDecoder().decode(Wire.self, from: Data(answer))
        if wire?.success == true { return }
        // 10043 is what older servers say of a message that is not there.
        if let error = wire?.error, [JetStreamError.messageNotFound, 10043, 10057].contains(error.err_code) { return }
        throw PublisherUnavailable(
            reason: "message \(sequence) of the stream is not deleted: \(wire?.error?.text ?? "unreadable answer")")
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
