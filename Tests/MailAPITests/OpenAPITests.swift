import Foundation
import MailJobs
import MailModel
import MailTestSupport
import Testing

@testable import MailAPI

/// The description of the API, held against the routes and against real answers.
@Suite struct OpenAPITests {
    typealias Object = [String: Any]

    private func document() throws -> Object {
        try #require(try JSONSerialization.jsonObject(with: Data(OpenAPIDocument.text.utf8)) as? Object)
    }

    private func operations() throws -> [(method: String, path: String, operation: Object)] {
        let paths = try #require(try document()["paths"] as? [String: Object])
        return paths.flatMap { path, methods in
            methods.compactMap { method, operation in (operation as? Object).map { (method.uppercased(), path, $0) } }
        }
    }

    @Test func everyReferenceLeadsSomewhere() throws {
        let document = try document()
        var references: [String] = []
        func walk(_ value: Any) {
            if let object = value as? Object {
                if let reference = object["$ref"] as? String { references.append(reference) }
                object.values.forEach(walk)
            } else if let array = value as? [Any] {
                array.forEach(walk)
            }
        }
        walk(document)
        #expect(references.count > 50)
        for reference in references { #expect(resolve(reference, in: document) != nil, "\(reference)") }
    }

    @Test func everyOperationIsWellFormed() throws {
        #expect((try document()["openapi"] as? String)?.hasPrefix("3.1") == true)
        var ids: Set<String> = []
        for (method, path, operation) in try operations() {
            let id = try #require(operation["operationId"] as? String, "\(method) \(path)")
            #expect(ids.insert(id).inserted)
            #expect((operation["summary"] as? String)?.isEmpty == false)
            #expect(operation["security"] is [Any])
            let responses = try #require(operation["responses"] as? Object)
            #expect(responses.keys.contains { $0.hasPrefix("2") })
        }
    }

    @Test func itHasExactlyTheOperationsThatAreServed() throws {
        let described = Set(try operations().map { "\($0.method) \($0.path)" })
        let served = Set(try APIFixture().server().routes.all.map { "\($0.method.rawValue) \($0.path)" })
        #expect(described == served)
    }

    @Test func theAccessIsAsDescribed() throws {
        for (method, path, operation) in try operations() {
            let schemes = Set((operation["security"] as? [Object] ?? []).flatMap(\.keys))
            let route = try #require(
                try APIFixture().server().routes.all.first { $0.path == path && $0.method.rawValue == method })
            let expected: Set<String> =
                switch route.access {
                case .anyone: []
                case .user: ["user"]
                case .operator: ["operator"]
                case .userOrOperator: ["user", "operator"]
                }
            #expect(schemes == expected, "\(method) \(path)")
        }
    }

    /// The jobs that the document's examples name.
    private func addJobs(to fixture: APIFixture) async throws {
        let user = try UserID("u")
        let examples: [JobKind: String] = [
            .verify: "0f8fad5b-d9cb-469f-a165-70867728950e", .fullSync: "7c9e6679-7425-40de-944b-e07fc1f90ae7",
        ]
        for (kind, example) in examples {
            _ = try await fixture.jobs().enqueue(JobRequest(kind, of: user, id: JobID(example)))
        }
    }

    @Test func realAnswersFitTheirSchemas() async throws {
        let document = try document()
        let fixture = APIFixture()
        await fixture.commands.set(reports: [try .test("u")])
        let operations = try operations().map {
            let schema = Schema(document: document, operation: $0.operation)
            return ($0.method, schema.filledIn($0.path), schema)
        }
        try await addJobs(to: fixture)
        try await fixture.run { (api: API) async throws in
            for (method, path, schema) in operations {
                let bearer = schema.needsOperator ? APIFixture.operatorToken : try fixture.token("u")
                let bodies = method == "POST" ? [schema.example, "{", "{}", nil] : [nil]
                for body in bodies {
                    let answer = try await api.call(method, path, bearer: bearer, body: body)
                    #expect(schema.faults(of: answer).isEmpty, "\(method) \(path) \(answer.status)")
                    if body == schema.example { #expect((200..<300).contains(answer.status), "\(method) \(path)") }
                }
                if ["/mail/", "/api/email/", "/api/sync/"].contains(where: path.hasPrefix) || schema.needsOperator {
                    #expect(schema.faults(of: try await api.call(method, path)).isEmpty, "\(method) \(path) 401")
                }
            }
        }
    }
}

private func resolve(_ reference: String, in document: [String: Any]) -> [String: Any]? {
    guard reference.hasPrefix("#/") else { return nil }
    return reference.dropFirst(2).split(separator: "/").reduce(document as [String: Any]?) {
        $0?[String($1)] as? [String: Any]
    }
}

/// One operation's part of the document, and as much of JSON Schema as the document uses.
private struct Schema: @unchecked Sendable {  // read-only Foundation values from a JSON document, never changed
    let document: [String: Any]
    let operation: [String: Any]

    var needsOperator: Bool {
        (operation["security"] as? [[String: Any]] ?? []).contains { $0["operator"] != nil }
    }

    var example: String? {
        let body = operation["requestBody"] as? [String: Any]
        let content = (body?["content"] as? [String: Any])?["application/json"] as? [String: Any]
        guard let example = content?["example"] else { return nil }
        return (try? JSONSerialization.data(withJSONObject: example)).map { String(decoding: $0, as: UTF8.self) }
    }

    /// The path with the examples of its parameters.
    func filledIn(_ path: String) -> String {
        let parameters = operation["parameters"] as? [[String: Any]] ?? []
        return parameters.filter { $0["in"] as? String == "path" }.reduce(path) { path, parameter in
            path.replacingOccurrences(
                of: "{\(parameter["name"] as? String ?? "")}", with: parameter["example"] as? String ?? "")
        }
    }

    func faults(of answer: RawClient.Answer) -> [String] {
        let responses = operation["responses"] as? [String: Any] ?? [:]
        guard let response = followed(responses["\(answer.status)"]) else { return ["undescribed status"] }
        let content = response["content"] as? [String: [String: Any]] ?? [:]
        let type = String((answer.headers["content-type"] ?? "").prefix { $0 != ";" })
        guard let schema = content[type]?["schema"] else { return ["undescribed type \(type)"] }
        if ["text/plain", "application/x-ndjson"].contains(type) { return [] }
        guard let value = try? JSONSerialization.jsonObject(with: Data(answer.body)) else { return ["not JSON"] }
        return faults(value, schema, at: "$")
    }

    private func faults(_ value: Any, _ schema: Any?, at path: String) -> [String] {
        guard let schema = followed(schema) else { return ["\(path): no schema"] }
        let types = schema["type"] as? [String] ?? (schema["type"] as? String).map { [$0] } ?? []
        guard types.isEmpty || types.contains(where: { fits(value, $0) }) else { return ["\(path): not \(types)"] }
        if let allowed = schema["enum"] as? [String], let text = value as? String, !allowed.contains(text) {
            return ["\(path): \(text) is not among \(allowed)"]
        }
        if let array = value as? [Any], let items = schema["items"] {
            return array.enumerated().flatMap { faults($1, items, at: "\(path)[\($0)]") }
        }
        guard let object = value as? [String: Any], let properties = schema["properties"] as? [String: Any] else {
            return []
        }
        let missing = (schema["required"] as? [String] ?? []).filter { object[$0] == nil }.map {
            "\(path).\($0): missing"
        }
        let extra = object.keys.filter { properties[$0] == nil }.map { "\(path).\($0): undescribed" }
        return missing + extra
            + object.flatMap { key, value in
                properties[key] == nil ? [] : faults(value, properties[key], at: "\(path).\(key)")
            }
    }

    private func fits(_ value: Any, _ type: String) -> Bool {
        switch type {
        case "object": value is [String: Any]
        case "array": value is [Any]
        case "string": value is String
        case "null": value is NSNull
        case "integer": (value as? NSNumber).map { $0.doubleValue == $0.doubleValue.rounded() } ?? false
        case "boolean": value is Bool
        default: false
        }
    }

    private func followed(_ value: Any?) -> [String: Any]? {
        guard let object = value as? [String: Any] else { return nil }
        return (object["$ref"] as? String).map { resolve($0, in: document) } ?? object
    }
}
