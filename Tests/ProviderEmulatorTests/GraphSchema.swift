import Foundation
import MailTestSupport

/// The types of Microsoft's own description that concern mail, read from the subset beside the specifications.
struct GraphSchema {
    private struct Description: Decodable {
        let kind: String
        let base: String?
        let members: [[String?]]
    }
    /// One entry is no type but a list of operations.
    private struct Entry: Decodable {
        let type: Description?

        init(from decoder: any Decoder) throws { type = try? Description(from: decoder) }
    }
    private let types: [String: Description]

    init() throws {
        let path = "\(SharedMaterial.specs ?? "")/graph/graph-v1.0-mail-types.json"
        let entries = try JSONDecoder().decode([String: Entry].self, from: Data(contentsOf: URL(filePath: path)))
        types = entries.compactMapValues(\.type)
    }

    /// What does not fit in an object of a type, one line each. Types that the subset leaves out fit everything.
    func misfits(_ object: [String: Any], _ type: String, at path: String = "") -> [String] {
        let actual = (object["@odata.type"] as? String).map { $0.replacing("#microsoft.graph.", with: "") } ?? type
        guard let properties = properties(of: actual) else { return ["\(path): there is no type \(actual)"] }
        var misfits = isA(actual, type) ? [] : ["\(path): \(actual) is no \(type)"]
        for (name, value) in object where !name.hasPrefix("@") {
            guard let expected = properties[name] else {
                misfits.append("\(path).\(name): \(actual) has no such property")
                continue
            }
            misfits += check(value, expected, at: "\(path).\(name)")
        }
        return misfits
    }

    private func isA(_ type: String, _ base: String) -> Bool {
        type == base || types[type]?.base.map { isA(Self.short($0), base) } == true
    }

    private func properties(of type: String) -> [String: String]? {
        guard let description = types[type] else { return nil }
        var properties = description.base.flatMap { self.properties(of: Self.short($0)) } ?? [:]
        for member in description.members where member.count >= 3 {
            if let name = member[1], let type = member[2] { properties[name] = type }
        }
        return properties
    }

    private func check(_ value: Any, _ type: String, at path: String) -> [String] {
        if value is NSNull { return [] }
        if type.hasPrefix("Collection(") {
            guard let list = value as? [Any] else { return ["\(path): no list"] }
            let element = String(type.dropFirst("Collection(".count).dropLast())
            return list.enumerated().flatMap { check($0.element, element, at: "\(path)[\($0.offset)]") }
        }
        if type.hasPrefix("Edm.") { return Self.fits(value, type) ? [] : ["\(path): \(value) is no \(type)"] }
        guard let description = types[Self.short(type)] else { return [] }
        if description.kind == "EnumType" {
            let names = description.members.map { $0[1] }
            return names.contains(value as? String) ? [] : ["\(path): \(value) is no \(type)"]
        }
        guard let object = value as? [String: Any] else { return ["\(path): no object"] }
        return misfits(object, Self.short(type), at: path)
    }

    private static func fits(_ value: Any, _ type: String) -> Bool {
        // A number of Foundation's knows by its C type that it was written as true or false.
        let isBool = (value as? NSNumber).map { String(cString: $0.objCType) == "c" } ?? false
        switch type {
        case "Edm.Boolean": return isBool
        case "Edm.Int32", "Edm.Int64": return value is Int && !isBool
        case "Edm.DateTimeOffset":
            return (value as? String)?.wholeMatch(of: /\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{7})?Z/) != nil
        case "Edm.Binary": return (value as? String).flatMap { Data(base64Encoded: $0) } != nil
        default: return value is String
        }
    }

    private static func short(_ type: String) -> String {
        type.replacing("microsoft.graph.", with: "").replacing("graph.", with: "")
    }
}
