import MailModel
import MailStore

/// What the user's log has under the number of the last message that the stream holds.
enum OwnEvent: Sendable, Hashable {
    /// The stream holds nothing.
    case unasked
    case id(String)
    /// The number was erased.
    case erased
    /// The log never had it, or lost it.
    case missing

    init(_ seq: Int64, _ reader: StoreReader) throws {
        if let event = try reader.event(seq: seq) {
            self = .id(event.id)
        } else {
            self = try reader.isErased(seq) ? .erased : .missing
        }
    }

    /// True when store and stream cannot have the same past.
    func contradicts(_ stored: StoredMessage) -> Bool {
        switch self {
        case .unasked, .erased: false
        case .id(let id): id != stored.id
        case .missing: true
        }
    }
}
