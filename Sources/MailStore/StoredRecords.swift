import GRDB
import MailModel

/// The fields of an `account.checkpoint` event, as its `detail` column and its payload hold them.
enum StoredCheckpoint {
    static func json(_ checkpoint: AccountCheckpoint) -> DatabaseValue {
        StoredText.json { json in
            json.object { json in
                json.field("mailbox", checkpoint.mailbox)
                json.field("phase", checkpoint.phase.rawValue)
                if let total = checkpoint.estimatedTotal { json.field("estimated_total", total) }
                json.field("stored", checkpoint.stored)
                json.field("gone", checkpoint.gone)
                json.field("gaps", checkpoint.gaps)
                if let cursor = checkpoint.cursor { json.field("cursor", cursor.document) }
            }
        }
    }

    static func parse(_ text: String) throws -> AccountCheckpoint { try parse(StoredFields(text)) }

    static func parse(_ fields: StoredFields) throws -> AccountCheckpoint {
        guard let phase = SyncPhase(rawValue: try fields.text("phase")) else {
            throw StoreFailure.unreadable("the phase of an account.checkpoint event")
        }
        return AccountCheckpoint(
            mailbox: try fields.text("mailbox"), phase: phase,
            cursor: try fields.optional("cursor")?.text().asCursor,
            estimatedTotal: try fields.optional("estimated_total")?.integer(), stored: try fields.integer("stored"),
            gone: try fields.integer("gone"), gaps: try fields.texts("gaps"))
    }
}

/// The fields of an `account.erased` event, as its `detail` column and its payload hold them.
enum StoredErasure {
    static func json(_ erasure: AccountErasure) -> DatabaseValue {
        StoredText.json { json in
            json.object { json in
                json.field("generation", erasure.generation)
                json.key("ranges")
                json.array(erasure.ranges) { json, range in
                    json.array([range.first, range.last]) { $0.integer($1) }
                }
            }
        }
    }

    static func parse(_ text: String) throws -> AccountErasure { try parse(StoredFields(text)) }

    static func parse(_ fields: StoredFields) throws -> AccountErasure {
        let ranges = try fields.value("ranges").elements().map { element in
            let ends = try element.elements().map { try $0.integer() }
            guard ends.count == 2 else { throw StoreFailure.unreadable("a range of an account.erased event") }
            return SequenceRange(ends[0], ends[1])
        }
        return AccountErasure(generation: try fields.integer("generation"), ranges: ranges)
    }
}

/// The members of an object, by name.
struct StoredFields {
    private let members: [String: StoredJSON]

    /// - Throws: ``StoreFailure/unreadable(_:)``.
    init(_ text: String) throws { try self.init(StoredJSON.parse(text).members()) }

    init(_ members: [StoredJSON.Member]) throws {
        self.members = Dictionary(members.map { ($0.key, $0.value) }) { first, _ in first }
    }

    func optional(_ name: String) -> StoredJSON? { members[name] }

    func value(_ name: String) throws -> StoredJSON {
        guard let value = members[name] else { throw StoreFailure.unreadable("a document lacks \(name)") }
        return value
    }

    func text(_ name: String) throws -> String { try value(name).text() }
    func texts(_ name: String) throws -> [String] { try value(name).texts() }
    func integer(_ name: String) throws -> Int64 { try value(name).integer() }
}

extension String {
    fileprivate var asCursor: MailModel.Cursor { MailModel.Cursor(self) }
}
