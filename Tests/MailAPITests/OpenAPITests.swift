import Foundation
import MailJobs
import MailModel
import MailTestSupport
import Testing

@testable import MailAPI

/// The description of the API, held against the routes. `OpenAPIWalkTests` holds it against real answers.
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
                case .cron: ["cron"]
                }
            // What checks its callers itself has a scheme of its own.
            #expect(schemes.subtracting(["googlePush"]) == expected, "\(method) \(path)")
        }
    }
}

private func resolve(_ reference: String, in document: [String: Any]) -> [String: Any]? {
    guard reference.hasPrefix("#/") else { return nil }
    return reference.dropFirst(2).split(separator: "/").reduce(document as [String: Any]?) {
        $0?[String($1)] as? [String: Any]
    }
}
