/// What is measured. Each is measured for one account and for many.
enum Figure: String, CaseIterable, Codable, Sendable {
    /// Plain C: the tables written.
    case storeLimit = "plain-store"
    /// Plain C: published, one message in flight per user.
    case publishLimit = "plain-publish"
    /// Plain C: both, tied by the outbox.
    case combinedLimit = "plain-store-publish"
    /// Plain C: batch answers fetched from the emulator and dropped.
    case fetchLimit = "plain-fetch"
    /// Batches applied to the store.
    case store = "store"
    /// Messages published one after the other for each user.
    case publish = "publish"
    /// (a) Store + outbox + publish + confirm.
    case outbox = "outbox"
    /// (b) From the emulator over HTTP to JetStream.
    case whole = "whole-way"

    /// The limit that a figure of ours is a ratio to; nil for the limits themselves.
    var limit: Figure? {
        switch self {
        case .store: .storeLimit
        case .publish: .publishLimit
        case .outbox, .whole: .combinedLimit
        case .storeLimit, .publishLimit, .combinedLimit, .fetchLimit: nil
        }
    }

    var title: String {
        switch self {
        case .storeLimit: "plain C: store"
        case .publishLimit: "plain C: publish"
        case .combinedLimit: "plain C: store + publish + confirm"
        case .fetchLimit: "plain C: fetch batch answers"
        case .store: "store + outbox"
        case .publish: "publish"
        case .outbox: "(a) store + outbox + publish + confirm"
        case .whole: "(b) emulator to JetStream"
        }
    }
}
