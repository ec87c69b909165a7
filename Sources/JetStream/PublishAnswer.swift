import Foundation
import MailModel

/// How one message or request sent to the server ended.
enum Answer: Sendable, Hashable {
    case reply([UInt8])
    /// Nobody listens on the subject: no stream, or it has no leader now.
    case noResponders
    case timedOut
    case disconnected
    case notConnected
    case closed
    case notPermitted(String)
    case tooLarge(String)
}

extension Answer {
    /// The answer's bytes.
    ///
    /// - Throws: ``NatsFailure``: what the lack of an answer means while setting up.
    func forSetUp(_ subject: String) throws(NatsFailure) -> [UInt8] {
        switch self {
        case .reply(let bytes): return bytes
        case .noResponders: throw .stream("JetStream is not enabled on this NATS server (start it with -js)")
        case .notPermitted(let text): throw .refused("this NATS user may not use \(subject): \(text)")
        case .timedOut: throw .unreachable("\(subject) was not answered in time")
        case .disconnected, .notConnected: throw .unreachable("the connection to NATS was lost during \(subject)")
        case .closed: throw .unreachable("stopped during \(subject)")
        case .tooLarge(let text): throw .configuration("\(subject): \(text)")
        }
    }
}

/// What a JetStream server says is wrong (ADR-7 of the NATS architecture decisions).
struct JetStreamError: Sendable, Hashable, Decodable {
    /// Like an HTTP status.
    var code: Int
    /// The error's number; stable over versions. Absent from very old servers.
    var err_code: Int?
    var description: String?

    var text: String { "\(err_code ?? code) \(description ?? "")" }

    /// The request was about a stream that does not exist.
    static let streamNotFound = 10059
    /// No message matches.
    static let messageNotFound = 10037
}

/// A publish acknowledgement.
enum PublishAck: Sendable, Hashable {
    case stored(stream: String, sequence: UInt64, duplicate: Bool)
    case error(JetStreamError)
    case unreadable

    private struct Wire: Decodable {
        var stream: String?
        var seq: UInt64?
        var duplicate: Bool?
        var error: JetStreamError?
    }

    init(_ bytes: [UInt8]) {
        guard let wire = try? JSONDecoder().decode(Wire.self, from: Data(bytes)) else {
            self = .unreadable
            return
        }
        if let error = wire.error {
            self = .error(error)
        } else if let stream = wire.stream, let sequence = wire.seq, sequence > 0 {
            self = .stored(stream: stream, sequence: sequence, duplicate: wire.duplicate ?? false)
        } else {
            self = .unreadable
        }
    }
}

extension PublishOutcome {
    /// What the end of a publish means.
    init(_ answer: Answer, stream: String) {
        switch answer {
        case .reply(let bytes): self = Self(PublishAck(bytes), stream: stream)
        case .noResponders: self = .unknown(reason: "no stream answers (no leader, or it was removed)")
        case .timedOut: self = .unknown(reason: "no acknowledgement in time")
        case .disconnected: self = .unknown(reason: "the connection was lost before the acknowledgement")
        case .notConnected: self = .unknown(reason: "not connected")
        case .closed: self = .unknown(reason: "the publisher is closed")
        case .notPermitted(let text): self = .forbidden(reason: text)
        case .tooLarge(let text): self = .rejected(reason: text)
        }
    }

    private init(_ ack: PublishAck, stream: String) {
        switch ack {
        case .stored(stream, let sequence, let duplicate):
            self = .stored(streamSequence: sequence, duplicate: duplicate)
        case .stored(let other, _, _):
            self = .streamTrouble(reason: "stream \(other) took the message instead of \(stream)")
        case .error(let error): self = Self(error)
        case .unreadable: self = .unknown(reason: "the acknowledgement cannot be read")
        }
    }

    /// The numbers are the server's (`server/errors.json` of nats-server).
    private init(_ error: JetStreamError) {
        switch error.err_code {
        case 10070, 10071, 10201: self = .look(reason: error.text)
        case 10054, 10097: self = .rejected(reason: error.text)
        case 10002, 10023, 10028, 10047, 10060, 10077, 10109: self = .streamTrouble(reason: error.text)
        case 10158, 10164: self = .unknown(reason: error.text)
        default: self = .unknown(reason: error.text)
        }
    }
}
