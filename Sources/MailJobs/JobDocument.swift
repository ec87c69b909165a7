import Foundation

/// A JSON object that a job carries: its parameters, or its result.
public struct JobDocument: Sendable, Hashable, CustomStringConvertible {
    /// Longest document accepted, in bytes.
    public static let bytesMax = 16 * 1024
    /// `{}`.
    public static let empty = JobDocument(stored: "{}")

    /// The JSON. Equal values have equal texts: keys are sorted.
    public let text: String
    public var description: String { text }

    /// - Parameter value: something that is an object in JSON.
    /// - Throws: ``JobDocumentFailure`` when it is not, or is too long.
    public init(_ value: some Encodable) throws {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        let bytes = try encoder.encode(value)
        guard bytes.first == UInt8(ascii: "{") else { throw JobDocumentFailure.notAnObject }
        guard bytes.count <= Self.bytesMax else { throw JobDocumentFailure.tooLong(bytes: bytes.count) }
        text = String(decoding: bytes, as: UTF8.self)
    }

    init(stored: String) { text = stored }

    /// - Throws: `DecodingError` when it is of another shape.
    public func decode<Value: Decodable>(_ type: Value.Type) throws -> Value {
        try JSONDecoder().decode(type, from: Data(text.utf8))
    }
}

/// Why a value cannot be carried by a job.
public enum JobDocumentFailure: Error, Sendable, Hashable, CustomStringConvertible {
    case notAnObject
    case tooLong(bytes: Int)

    public var description: String {
        switch self {
        case .notAnObject: "a job carries JSON objects only"
        case .tooLong(let bytes): "a job carries at most \(JobDocument.bytesMax) bytes, not \(bytes)"
        }
    }
}
