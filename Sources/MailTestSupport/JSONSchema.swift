import Foundation
import JetStream

/// As much of JSON Schema 2020-12 as the schemas in `Docs/schemas` use. A keyword it does not know is a fault: nothing
/// that a schema asks for goes unchecked.
public struct JSONSchema: Sendable {
    /// Schemas by file name, which is what `$ref` names them by.
    public let documents: [String: JSONValue]
    /// Also faults members of objects that no schema names, where it does not forbid or describe them itself.
    public let isStrict: Bool

    public init(documents: [String: JSONValue], isStrict: Bool = false) {
        self.documents = documents
        self.isStrict = isStrict
    }

    /// Every `.json` file of a directory.
    public init(directory: String, isStrict: Bool = false) throws {
        var documents: [String: JSONValue] = [:]
        for name in try FileManager.default.contentsOfDirectory(atPath: directory) where name.hasSuffix(".json") {
            let data = try Data(contentsOf: URL(filePath: "\(directory)/\(name)"))
            documents[name] = try JSONDecoder().decode(JSONValue.self, from: data)
        }
        self.init(documents: documents, isStrict: isStrict)
    }

    /// Where the value is not what the schema of this file says; empty when it fits.
    public func faults(of value: JSONValue, against name: String) -> [String] {
        guard let schema = documents[name] else { return ["there is no schema \(name)"] }
        return faults(of: value, Place(schema: schema, document: name), at: "$")
    }

    /// The same against a schema that stands somewhere in the file of this name, to which its references lead.
    public func faults(of value: JSONValue, schema: JSONValue, in name: String) -> [String] {
        faults(of: value, Place(schema: schema, document: name), at: "$")
    }

    /// A schema, and the file it is in.
    private struct Place {
        var schema: JSONValue
        var document: String

        func part(_ schema: JSONValue) -> Place { Place(schema: schema, document: document) }
    }

    private func faults(of value: JSONValue, _ place: Place, at path: String) -> [String] {
        if case .bool(let allowed) = place.schema { return allowed ? [] : ["\(path): nothing is allowed here"] }
        guard case .object(let keywords) = place.schema else { return ["\(path): the schema is no schema"] }
        return keywords.sorted { $0.key < $1.key }.flatMap { keyword, argument in
            faults(of: value, keyword, argument, place, at: path)
        }
    }

    private func faults(
        of value: JSONValue, _ keyword: String, _ argument: JSONValue, _ place: Place, at path: String
    ) -> [String] {
        switch keyword {
        case "$schema", "$defs", "title", "description", "default", "example", "examples", "deprecated": []
        case "$ref":
            referenced(argument, from: place).map { faults(of: value, $0, at: path) } ?? ["\(path): \(argument)"]
        case "const": value == argument ? [] : ["\(path): is not \(argument)"]
        case "enum": argument.list?.contains(value) == true ? [] : ["\(path): is none of \(argument)"]
        case "type": Self.types(argument).contains { value.isOf(type: $0) } ? [] : ["\(path): is no \(argument)"]
        case "minimum": value.whole.map { $0 >= argument.whole ?? .max } ?? true ? [] : ["\(path): is too small"]
        case "maximum": value.whole.map { $0 <= argument.whole ?? .min } ?? true ? [] : ["\(path): is too large"]
        case "oneOf", "anyOf": choice(argument, of: value, place, at: path)
        case "minLength": value.length.map { $0 >= argument.count } ?? true ? [] : ["\(path): is too short"]
        case "maxLength": value.length.map { $0 <= argument.count } ?? true ? [] : ["\(path): is too long"]
        case "minItems": value.list.map { $0.count >= argument.count } ?? true ? [] : ["\(path): has too few items"]
        case "maxItems": value.list.map { $0.count <= argument.count } ?? true ? [] : ["\(path): has too many items"]
        case "pattern": matches(value, argument) ? [] : ["\(path): does not match \(argument)"]
        case "format": fits(value, format: argument) ? [] : ["\(path): is no \(argument)"]
        case "items": items(of: value, place.part(argument), at: path)
        case "required": required(argument, of: value, at: path)
        case "properties": properties(argument, of: value, place, at: path)
        case "additionalProperties": additional(argument, of: value, place, at: path)
        default: ["\(path): the validator does not know the keyword \(keyword)"]
        }
    }

    /// `file.json#/$defs/name`, `#/$defs/name` or `file.json`.
    private func referenced(_ reference: JSONValue, from place: Place) -> Place? {
        guard let parts = reference.text?.split(separator: "#", maxSplits: 1, omittingEmptySubsequences: false),
            let file = parts.first
        else { return nil }
        let name = file.isEmpty ? place.document : String(file)
        let steps = (parts.count > 1 ? parts[1] : "").split(separator: "/").map(String.init)
        guard let schema = steps.reduce(documents[name], { $0?[$1] }) else { return nil }
        return Place(schema: schema, document: name)
    }

    private static func types(_ argument: JSONValue) -> [String] {
        argument.list?.compactMap(\.text) ?? argument.text.map { [$0] } ?? []
    }

    private func matches(_ value: JSONValue, _ pattern: JSONValue) -> Bool {
        guard let text = value.text else { return true }
        guard let pattern = pattern.text else { return false }
        return text.range(of: pattern, options: .regularExpression) != nil
    }

    private func fits(_ value: JSONValue, format: JSONValue) -> Bool {
        guard let text = value.text else { return true }
        guard format == "uuid" else { return ["int64", "date-time", "date", "uri"].contains(format.text ?? "") }
        // RFC 9562 §4; `UUID` alone would take capitals as well, which we never write.
        return UUID(uuidString: text) != nil && text == text.lowercased()
    }

    /// One of several that fits is enough: ours exclude each other.
    private func choice(_ schemas: JSONValue, of value: JSONValue, _ place: Place, at path: String) -> [String] {
        let faults = (schemas.list ?? []).map { self.faults(of: value, place.part($0), at: path) }
        return faults.contains { $0.isEmpty } ? [] : ["\(path): fits none of the choices"] + faults.flatMap { $0 }
    }

    private func items(of value: JSONValue, _ place: Place, at path: String) -> [String] {
        (value.list ?? []).enumerated().flatMap { faults(of: $1, place, at: "\(path)[\($0)]") }
    }

    private func required(_ names: JSONValue, of value: JSONValue, at path: String) -> [String] {
        guard case .object(let members) = value else { return [] }
        return (names.list ?? []).compactMap(\.text).filter { members[$0] == nil }.map { "\(path).\($0): is missing" }
    }

    private func properties(_ schemas: JSONValue, of value: JSONValue, _ place: Place, at path: String) -> [String] {
        guard case .object(let members) = value, case .object(let schemas) = schemas else { return [] }
        let known = members.sorted { $0.key < $1.key }.flatMap { name, member in
            schemas[name].map { faults(of: member, place.part($0), at: "\(path).\(name)") } ?? []
        }
        guard isStrict, place.schema["additionalProperties"] == nil else { return known }
        return known + members.keys.filter { schemas[$0] == nil }.sorted().map { "\(path).\($0): is not described" }
    }

    private func additional(_ schema: JSONValue, of value: JSONValue, _ place: Place, at path: String) -> [String] {
        guard case .object(let members) = value else { return [] }
        return members.sorted { $0.key < $1.key }.filter { place.schema["properties"]?[$0.key] == nil }.flatMap {
            faults(of: $1, place.part(schema), at: "\(path).\($0)")
        }
    }
}

extension JSONValue {
    fileprivate func isOf(type: String) -> Bool {
        switch (self, type) {
        case (.null, "null"), (.bool, "boolean"), (.integer, "integer"), (.integer, "number"), (.number, "number"),
            (.string, "string"), (.array, "array"), (.object, "object"):
            true
        default: false
        }
    }

    /// In characters as JSON Schema counts them: code points.
    fileprivate var length: Int? { text?.unicodeScalars.count }

    /// A limit that a schema names; none makes everything wrong.
    fileprivate var count: Int { whole.map(Int.init) ?? .min }
}
