import Foundation
import MailTestSupport

/// Google's description of the Gmail API, and a checker of answers against its schemas.
struct DiscoveryDocument {
    private let root: [String: Any]

    struct Unreadable: Error {}

    init() throws {
        let path = "\(SharedMaterial.specs ?? "")/gmail/gmail.v1.discovery.json"
        let data = try Data(contentsOf: URL(filePath: path))
        guard let root = try JSONSerialization.jsonObject(with: data) as? [String: Any] else { throw Unreadable() }
        self.root = root
    }

    struct Method {
        let verb: String
        let path: String
        let queryParameters: Set<String>
        let scopes: Set<String>
        let response: String?
    }

    /// A method by its id, such as `gmail.users.messages.list`.
    func method(_ id: String) -> Method? {
        var node = root
        let names = id.split(separator: ".").dropFirst().map(String.init)
        for name in names.dropLast() {
            guard let next = (node["resources"] as? [String: Any])?[name] as? [String: Any] else { return nil }
            node = next
        }
        guard let method = (node["methods"] as? [String: Any])?[names[names.count - 1]] as? [String: Any] else {
            return nil
        }
        let parameters = method["parameters"] as? [String: [String: Any]] ?? [:]
        return Method(
            verb: method["httpMethod"] as? String ?? "", path: method["path"] as? String ?? "",
            queryParameters: Set(parameters.filter { $0.value["location"] as? String == "query" }.keys),
            scopes: Set(method["scopes"] as? [String] ?? []),
            response: (method["response"] as? [String: Any])?["$ref"] as? String)
    }

    /// Query parameters every method takes.
    var commonParameters: Set<String> { Set((root["parameters"] as? [String: Any] ?? [:]).keys) }

    /// Where the value departs from the schema: unknown properties, wrong types and formats.
    func violations(_ value: Any, schema name: String) -> [String] {
        guard let schema = (root["schemas"] as? [String: Any])?[name] as? [String: Any] else {
            return ["no schema \(name)"]
        }
        return violations(value, schema, at: name)
    }

    private func violations(_ value: Any, _ schema: [String: Any], at place: String) -> [String] {
        if let reference = schema["$ref"] as? String { return violations(value, schema: reference) }
        switch schema["type"] as? String {
        case "object":
            guard let object = value as? [String: Any] else { return ["\(place) is no object"] }
            let properties = schema["properties"] as? [String: [String: Any]] ?? [:]
            return object.flatMap { name, value in
                properties[name].map { violations(value, $0, at: "\(place).\(name)") }
                    ?? ["\(place).\(name) does not exist"]
            }
        case "array":
            guard let array = value as? [Any] else { return ["\(place) is no array"] }
            guard !array.isEmpty else { return ["\(place) is an empty array: Google leaves the key out"] }
            return array.flatMap { violations($0, schema["items"] as? [String: Any] ?? [:], at: place + "[]") }
        case "string": return string(value, schema, at: place)
        case "integer":
            guard let number = value as? NSNumber, !(value is String) else { return ["\(place) is no integer"] }
            let isWhole = number.doubleValue == Double(number.int64Value)
            let fits =
                schema["format"] as? String == "uint32" ? 0...Int64(UInt32.max) : Int64(Int32.min)...Int64(Int32.max)
            return isWhole && fits.contains(number.int64Value) ? [] : ["\(place) is out of range"]
        default: return []
        }
    }

    private func string(_ value: Any, _ schema: [String: Any], at place: String) -> [String] {
        guard let text = value as? String else { return ["\(place) is no string"] }
        let isRight =
            switch schema["format"] as? String {
            case "uint64": UInt64(text) != nil
            case "int64": Int64(text) != nil
            case "byte": text.utf8.allSatisfy { $0 != UInt8(ascii: "+") && $0 != UInt8(ascii: "/") }
            default: true
            }
        if let allowed = schema["enum"] as? [String], !allowed.contains(text) { return ["\(place): \(text)"] }
        return isRight ? [] : ["\(place) is not in its format: \(text)"]
    }
}
