import Crypto
import Foundation
import MailModel

/// What a provider is told at a subscription and sends back with every announcement: who does not know it is not the
/// provider.
enum ClientState {
    /// Random bytes in one. As hexadecimal digits they stay under Graph's limit of 128 characters.
    static let randomBytes = 32

    static func make() -> Secret {
        var random = SystemRandomNumberGenerator()
        let digits = (0..<randomBytes).map { _ in String(format: "%02x", UInt8.random(in: 0...255, using: &random)) }
        return Secret(digits.joined())
    }
}

/// The SHA-256 of a client state: all that is kept of it.
struct ClientStateDigest: Sendable, Hashable {
    let bytes: [UInt8]

    init(of state: Secret) { bytes = Array(SHA256.hash(data: Data(state.revealed.utf8))) }

    /// As a record has it.
    init(bytes: [UInt8]) { self.bytes = bytes }

    /// True when it is of the same state. The time it takes tells nothing of where they differ.
    func matches(_ other: ClientStateDigest) -> Bool {
        guard bytes.count == SHA256.byteCount, other.bytes.count == SHA256.byteCount else { return false }
        return zip(bytes, other.bytes).reduce(UInt8(0)) { $0 | ($1.0 ^ $1.1) } == 0
    }
}

extension ProviderKind {
    /// Announcements are signed, which is checked before they come here; others must know the client state.
    var signsPushes: Bool {
        switch self {
        case .google: true
        case .microsoft: false
        }
    }

    /// Announcements of one mailbox that come close together are dropped.
    var dropsPushes: Bool {
        switch self {
        case .google: true
        case .microsoft: false
        }
    }

    /// Subscriptions are named by their mailbox: those of several accounts that follow one mailbox are the same.
    var namesPushesByMailbox: Bool {
        switch self {
        case .google: true
        case .microsoft: false
        }
    }
}
