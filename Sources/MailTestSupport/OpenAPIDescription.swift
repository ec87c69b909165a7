import Foundation
import JetStream

/// An OpenAPI 3.1 document, as far as walking through its operations needs it.
public struct OpenAPIDescription: Sendable {
    /// One method of one path.
    public struct Operation: Sendable {
        /// In capitals.
        public let method: String
        public let path: String
        let document: JSONValue
    }

    /// The document is not what it should be.
    public struct Unreadable: Error, CustomStringConvertible {
        public let description: String
    }

    /// By path; what takes something away comes last (`x-destructive`).
    public let operations: [Operation]
    private let document: JSONValue
    private let schema: JSONSchema
    private static let methods: Set = ["get", "put", "post", "delete", "patch"]
    private static let name = "openapi.json"

    /// Reads the document.
    ///
    /// - Throws: ``Unreadable``, or what the JSON decoder throws.
    public init(_ bytes: [UInt8]) throws {
        document = try JSONDecoder().decode(JSONValue.self, from: Data(bytes))
        guard case .object(let paths)? = document["paths"] else { throw Unreadable(description: "no paths") }
        schema = JSONSchema(documents: [Self.name: document], isStrict: true)
        let all = paths.sorted { $0.key < $1.key }.flatMap { path, methods -> [Operation] in
            guard case .object(let methods) = methods else { return [] }
            return methods.filter { Self.methods.contains($0.key) }.sorted { $0.key < $1.key }.map {
                Operation(method: $0.key.uppercased(), path: path, document: $0.value)
            }
        }
        operations = all.filter { !$0.isDestructive } + all.filter(\.isDestructive)
    }

    /// What is wrong with an answer, as far as the document tells; empty when nothing is.
    func faults(of answer: RawClient.Answer, to operation: Operation) -> [String] {
        guard let response = followed(operation.document["responses"]?["\(answer.status)"]) else {
            return ["the status \(answer.status) is not described"]
        }
        let type = String((answer.headers["content-type"] ?? "").prefix { $0 != ";" })
        guard case .object(let content)? = response["content"] else {
            return answer.body.isEmpty ? [] : ["an answer without content is described"]
        }
        guard let described = content[type]?["schema"] else { return ["the type '\(type)' is not described"] }
        guard type == "application/json" || type.hasSuffix("+json") else { return [] }
        guard let value = try? JSONDecoder().decode(JSONValue.self, from: Data(answer.body)) else {
            return ["the body is not JSON"]
        }
        return schema.faults(of: value, schema: described, in: Self.name)
    }

    /// What a `$ref` leads to; the value itself when it is none.
    func followed(_ value: JSONValue?) -> JSONValue? {
        guard let reference = value?["$ref"]?.text else { return value }
        return followed(reference.dropFirst(2).split(separator: "/").reduce(document) { $0?[String($1)] })
    }

    /// The operation's body: its schema, and an example of it.
    func body(of operation: Operation) -> (schema: JSONValue, example: JSONValue)? {
        guard let content = followed(operation.document["requestBody"])?["content"]?["application/json"],
            let schema = followed(content["schema"])
        else { return nil }
        if let example = content["example"] { return (schema, example) }
        if case .object(let examples)? = content["examples"],
            let first = examples.min(by: { $0.key < $1.key })?.value["value"]
        {
            return (schema, first)
        }
        return (schema, example(of: schema))
    }

    /// The parameters of a kind: `path`, `query` or `header`.
    func parameters(of operation: Operation, in place: String) -> [(name: String, schema: JSONValue, isRequired: Bool)]
    {
        let shared = document["paths"]?[operation.path]?["parameters"]?.list ?? []
        let all = (shared + (operation.document["parameters"]?.list ?? [])).compactMap { followed($0) }
        return all.filter { $0["in"]?.text == place }.compactMap { parameter in
            guard let name = parameter["name"]?.text else { return nil }
            var schema = followed(parameter["schema"]) ?? .object([:])
            if let example = parameter["example"], case .object(var members) = schema {
                members["example"] = example
                schema = .object(members)
            }
            return (name, schema, parameter["required"] == .bool(true))
        }
    }

    /// A value that fits.
    func example(of schema: JSONValue?) -> JSONValue {
        guard let schema = followed(schema) else { return .null }
        if let given = schema["example"] ?? schema["examples"]?.list?.first ?? schema["enum"]?.list?.first {
            return given
        }
        if let choices = schema["oneOf"]?.list ?? schema["anyOf"]?.list { return example(of: choices.first) }
        switch schema["type"]?.text ?? schema["type"]?.list?.first?.text {
        case "string": return .string(Self.text(format: schema["format"]?.text))
        case "integer", "number": return schema["minimum"] ?? .integer(1)
        case "boolean": return .bool(false)
        case "array": return .array([example(of: schema["items"])])
        case "object":
            let required = Set((schema["required"]?.list ?? []).compactMap(\.text))
            guard case .object(let properties)? = schema["properties"] else { return .object([:]) }
            return .object(properties.filter { required.contains($0.key) }.mapValues { example(of: $0) })
        default: return .null
        }
    }

    private static func text(format: String?) -> String {
        switch format {
        case "date": "2024-01-01"
        case "date-time": "2024-01-01T00:00:00Z"
        case "uuid": "00000000-0000-4000-8000-000000000000"
        default: "example"
        }
    }
}

extension OpenAPIDescription.Operation {
    var isDestructive: Bool { document["x-destructive"] == .bool(true) }

    /// The names of the security schemes, of which one is enough; empty: anyone may call it.
    var schemes: Set<String> {
        let alternatives = (document["security"]?.list ?? []).map { alternative -> [String] in
            guard case .object(let names) = alternative else { return [] }
            return Array(names.keys)
        }
        return alternatives.contains([]) ? [] : Set(alternatives.flatMap { $0 })
    }

    /// Whether its answer has no end.
    var isStream: Bool { document["responses"]?["200"]?["content"]?["text/event-stream"] != nil }

    /// 64 KiB for users' own operations, 256 KiB for all others.
    var bodyBytesMax: Int { (path.hasPrefix("/mail/") ? 64 : 256) * 1024 }

    var title: String { "\(method) \(path)" }
}
