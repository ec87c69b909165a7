import MailModel

/// Something that does not agree with something else.
public struct Difference: Sendable, Hashable {
    public var kind: DifferenceKind
    /// nil when it concerns the user's whole log or stream.
    public var account: AccountKey?
    /// The provider's id of the message.
    public var messageID: String?
    /// The user's event number.
    public var seq: Int64?
    /// More about it; safe to print: ids, numbers and labels, no other mail content.
    public var detail: String

    public init(
        _ kind: DifferenceKind, account: AccountKey? = nil, message: String? = nil, seq: Int64? = nil,
        _ detail: String = ""
    ) {
        self.kind = kind
        self.account = account
        messageID = message
        self.seq = seq
        self.detail = detail
    }

    /// The difference in one line: kind, where, what, and what heals it.
    public var line: String {
        var parts = [kind.rawValue]
        if let account { parts.append("\(account)") }
        if let messageID { parts.append("message \(messageID)") }
        if let seq { parts.append("seq \(seq)") }
        if !detail.isEmpty { parts.append(detail) }
        return parts.joined(separator: "  ") + "  [\(kind.remedy)]"
    }
}

/// What may be wrong, by what does not agree with what.
public enum DifferenceKind: String, Sendable, Hashable, CaseIterable {
    // The event log with itself.
    case sequenceHole = "sequence_hole"
    case sequenceRepeated = "sequence_repeated"
    case eventID = "event_id"
    case changeWithoutMessage = "change_without_message"
    // The event log with current state.
    case stateDiffers = "state_differs"
    case stateMissing = "state_missing"
    case stateWithoutMessage = "state_without_message"
    case counter = "counter"
    // The event log with the outbox.
    case outboxMissing = "outbox_missing"
    case outboxDiffers = "outbox_differs"
    case outboxSuperfluous = "outbox_superfluous"
    // The event log with the stream.
    case streamMissing = "stream_missing"
    case streamDiffers = "stream_differs"
    case streamRepeated = "stream_repeated"
    case streamForeign = "stream_foreign"
    // Current state with the provider.
    case providerMissing = "provider_missing"
    case providerGone = "provider_gone"
    case providerUnreadable = "provider_unreadable"

    /// What heals it; for people.
    public var remedy: String {
        switch self {
        case .sequenceHole, .sequenceRepeated, .eventID, .changeWithoutMessage:
            "the event log is damaged: mailsync rebuild, or a backup of events.db"
        case .stateDiffers, .stateMissing, .stateWithoutMessage: "--repair derives the state from the log"
        case .counter: "--repair counts anew"
        case .outboxMissing, .outboxDiffers, .outboxSuperfluous: "--repair renders the outbox from the log"
        case .streamMissing: "--repair sends the event again"
        case .streamDiffers:
            "remove the message from the stream (nats stream rmm), then --repair sends the event again"
        case .streamRepeated: "consumers that know event_id are not concerned; nats stream rmm removes the second"
        case .streamForeign: "not published by this service: find who publishes there; nats stream rmm removes it"
        case .providerMissing: "--repair reads the message and emits it"
        case .providerGone: "--repair emits the deletion"
        case .providerUnreadable: "--repair puts it into the gap ledger, which tries again"
        }
    }

    /// False when only people can heal it.
    public var isHealable: Bool {
        switch self {
        case .stateDiffers, .stateMissing, .stateWithoutMessage, .counter, .outboxMissing, .outboxDiffers,
            .outboxSuperfluous, .streamMissing, .providerMissing, .providerGone:
            true
        case .sequenceHole, .sequenceRepeated, .eventID, .changeWithoutMessage, .streamDiffers, .streamRepeated,
            .streamForeign, .providerUnreadable:
            false
        }
    }

    /// True when the event log itself cannot be trusted: what was derived from it could say the same thing twice.
    public var damagesLog: Bool {
        switch self {
        case .sequenceHole, .sequenceRepeated, .eventID, .changeWithoutMessage: true
        default: false
        }
    }
}
