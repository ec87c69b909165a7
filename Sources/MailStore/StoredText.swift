import Foundation
import GRDB
import MailModel

/// How texts get into SQLite and back without loss.
///
/// GRDB binds and reads TEXT as C strings, which end at the first NUL byte. A text that contains one is stored as a
/// BLOB of its UTF-8 bytes.
enum StoredText {
    static func value(_ text: String) -> DatabaseValue {
        text.utf8.contains(0) ? Data(text.utf8).databaseValue : text.databaseValue
    }

    static func value(_ text: String?) -> DatabaseValue { text.map { value($0) } ?? .null }

    static func array(_ texts: [String]) -> DatabaseValue { json { $0.array(texts) { $0.string($1) } } }

    static func json(_ body: (inout JSONText) -> Void) -> DatabaseValue {
        var json = JSONText(reserving: 64)
        body(&json)
        return json.text.databaseValue
    }
}

extension Row {
    /// A text stored by ``StoredText``.
    func text(_ index: Int) throws -> String {
        let value: DatabaseValue = self[index]
        switch value.storage {
        case .string(let text): return text
        // Not by Foundation, which drops a byte order mark at the start.
        case .blob(let bytes): return String(decoding: bytes, as: UTF8.self)
        case .null, .int64, .double: throw StoreFailure.unreadable("column \(index) is not text")
        }
    }

    /// A JSON array of texts.
    func texts(_ index: Int) throws -> [String] { try StoredJSON.parse(text(index)).texts() }

    func integer(_ index: Int) throws -> Int64 {
        let value: DatabaseValue = self[index]
        guard let integer = Int64.fromDatabaseValue(value) else {
            throw StoreFailure.unreadable("column \(index) is not an integer")
        }
        return integer
    }

    func optionalText(_ index: Int) throws -> String? { hasNull(atIndex: index) ? nil : try text(index) }
    func optionalInteger(_ index: Int) throws -> Int64? { hasNull(atIndex: index) ? nil : try integer(index) }
    func count(_ index: Int) throws -> Int { Int(try integer(index)) }

    /// One of the enumerations that are stored by their raw value.
    func choice<Value: RawRepresentable>(_ index: Int) throws -> Value where Value.RawValue == String {
        guard let value = Value(rawValue: try text(index)) else {
            throw StoreFailure.unreadable("column \(index) is not a \(Value.self)")
        }
        return value
    }
}

extension Database {
    /// Runs a statement of the connection's cache.
    func run(_ sql: String, _ arguments: [DatabaseValue]) throws {
        try cachedStatement(sql: sql).execute(arguments: Self.bound(arguments))
    }

    func rows(_ sql: String, _ arguments: [DatabaseValue] = []) throws -> [Row] {
        try Row.fetchAll(cachedStatement(sql: sql), arguments: Self.bound(arguments))
    }

    func row(_ sql: String, _ arguments: [DatabaseValue] = []) throws -> Row? {
        try Row.fetchOne(cachedStatement(sql: sql), arguments: Self.bound(arguments))
    }

    /// Rows one at a time, where all of them would be too many.
    func cursor(_ sql: String, _ arguments: [DatabaseValue] = []) throws -> RowCursor {
        try Row.fetchCursor(cachedStatement(sql: sql), arguments: Self.bound(arguments))
    }

    /// As optional values of the protocol's type: an array of one type GRDB converts through key paths, which costs an
    /// eighth of storing a message.
    private static func bound(_ arguments: [DatabaseValue]) -> StatementArguments {
        StatementArguments(arguments.lazy.map { $0 as (any DatabaseValueConvertible)? })
    }
}
