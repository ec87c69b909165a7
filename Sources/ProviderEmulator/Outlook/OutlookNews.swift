/// That something happened to a message, for whoever is told.
struct OutlookNews: Sendable {
    /// changeType of the schema. A move is a deletion and a creation.
    enum Change: String, Sendable, Hashable, CaseIterable {
        case created, updated, deleted
    }
    let change: Change
    /// Key of the folder it happened in.
    let folder: Int
    let immutableID: String
    let mutableID: String
    let changeKey: String

    init(_ change: Change, _ message: OutlookMessage, salt: UInt64) {
        self.change = change
        folder = message.folder
        immutableID = ItemID(key: message.key, kind: .immutable).text(salt: salt)
        mutableID = ItemID(key: message.key, kind: .mutable(generation: message.generation)).text(salt: salt)
        changeKey = GraphMessage.changeKey(message, salt)
    }
}
