import Foundation
import JetStream

/// Calls every operation that a service's OpenAPI document describes: rightly, and wrongly in every way the document
/// tells of. It knows nothing of any operation but what the document says.
public struct OpenAPIWalk: Sendable {
    /// What was found.
    public struct Report: Sendable {
        /// Operations walked: `GET /mail/status` …
        public var operations: [String] = []
        public var calls = 0
        /// What is not as it should be; empty when all is well.
        public var faults: [String] = []
        /// Operations whose right call was refused as described, because what the example names is not there.
        public var refused: [String: Int] = [:]
    }

    private typealias Operation = OpenAPIDescription.Operation

    private let description: OpenAPIDescription
    private let port: Int
    private let credentials: [String: String]
    private let state: @Sendable () async throws -> String

    /// - Parameters:
    ///   - credentials: bearer tokens by the names of the document's security schemes. An operation with none of
    ///     these is only called by strangers.
    ///   - state: what wrong calls must leave as it is, in some form that can be compared.
    public init(
        _ description: OpenAPIDescription, port: Int, credentials: [String: String],
        state: @escaping @Sendable () async throws -> String
    ) {
        self.description = description
        self.port = port
        self.credentials = credentials
        self.state = state
    }

    /// All wrong calls first: the right ones change things.
    ///
    /// - Throws: when the service does not answer.
    public func run() async throws -> Report {
        var report = Report(operations: description.operations.map(\.title))
        for operation in description.operations {
            let before = try await state()
            for (what, request, expected) in wrongCalls(of: operation) {
                let answer = try await call(request)
                report.calls += 1
                let faults = problemFaults(of: answer, to: operation, expected, of: request)
                report.faults += faults.map { "\(operation.title), \(what): \($0)" }
            }
            if try await state() != before {
                report.faults.append("\(operation.title): a wrong call changed something")
            }
        }
        for operation in description.operations where isOpen(operation) {
            var wasAccepted = false
            for (what, request) in rightCalls(of: operation) {
                let answer = try await call(request)
                report.calls += 1
                var faults = description.faults(of: answer, to: operation)
                if (200..<300).contains(answer.status) {
                    wasAccepted = true
                } else if [404, 409, 503].contains(answer.status) {
                    // What the first call took away is not there for the second.
                    if !wasAccepted { report.refused[operation.title] = answer.status }
                } else {
                    faults.append("is refused with \(answer.status): \(answer.text.prefix(300))")
                }
                report.faults += faults.map { "\(operation.title), \(what): \($0)" }
            }
        }
        return report
    }

    // MARK: right calls

    private func rightCalls(of operation: Operation) -> [(String, Request)] {
        var calls = [("as in the example", request(operation))]
        guard case .object(var members)? = description.body(of: operation)?.example else { return calls }
        members["x_unknown"] = .integer(1)
        var request = request(operation)
        request.body = JSONValue.object(members).json
        if description.body(of: operation)?.schema["additionalProperties"] != .bool(false) {
            calls.append(("with a field that nobody knows", request))
        }
        return calls
    }

    /// Whether there is a credential for it, or none needed.
    private func isOpen(_ operation: Operation) -> Bool {
        operation.schemes.isEmpty || operation.schemes.contains { credentials[$0] != nil }
    }

    // MARK: wrong calls

    private typealias WrongCall = (what: String, request: Request, expected: Set<Int>)

    private func wrongCalls(of operation: Operation) -> [WrongCall] {
        strangers(operation) + wrongSizes(operation) + wrongMethods(operation) + wrongParameters(operation)
            + wrongBodies(operation)
    }

    private func strangers(_ operation: Operation) -> [WrongCall] {
        guard !operation.schemes.isEmpty else { return [] }
        // An operation that is switched off may say so to anybody.
        let expected: Set = isOpen(operation) ? [401] : [401, 503]
        let others = credentials.filter { !operation.schemes.contains($0.key) }.sorted { $0.key < $1.key }
        let tokens = [("no token", nil), ("a bad token", "nonsense")] + others.map { ("the token of \($0)", $1) }
        return tokens.map { what, token in
            var request = request(operation)
            request.bearer = token
            return (what, request, expected)
        }
    }

    /// One byte too many; and not one too many, from somebody who is refused for another reason.
    private func wrongSizes(_ operation: Operation) -> [WrongCall] {
        var tooLarge = request(operation)
        tooLarge.body = [UInt8](repeating: UInt8(ascii: " "), count: operation.bodyBytesMax + 1)
        guard !operation.schemes.isEmpty else { return [("a body that is too large", tooLarge, [413])] }
        var largest = tooLarge
        largest.body?.removeLast()
        largest.bearer = nil
        return [("a body that is too large", tooLarge, [413]), ("the largest body", largest, [401, 503])]
    }

    private func wrongMethods(_ operation: Operation) -> [WrongCall] {
        let described = Set(description.operations.filter { $0.path == operation.path }.map(\.method))
        return ["GET", "POST", "PUT", "PATCH", "DELETE"].filter { !described.contains($0) }.map { method in
            var request = request(operation)
            (request.method, request.body) = (method, nil)
            return (method, request, [405])
        }
    }

    private func wrongParameters(_ operation: Operation) -> [WrongCall] {
        ["query", "header"].flatMap { place in
            description.parameters(of: operation, in: place).flatMap { name, schema, _ in
                wrongValues(of: schema).filter { place == "query" || $0 != .string("") }.map { value in
                    var request = request(operation)
                    let text = value.text ?? String(decoding: value.json, as: UTF8.self)
                    if place == "query" { request.query[name] = text } else { request.headers[name] = text }
                    return ("\(name)=\(text)", request, refusals(operation))
                }
            }
        }
    }

    private func wrongBodies(_ operation: Operation) -> [WrongCall] {
        guard let (schema, example) = description.body(of: operation), case .object(let members) = example else {
            return []
        }
        var calls: [WrongCall] = [
            bodyCall(operation, "malformed JSON", Array("{".utf8)), bodyCall(operation, "a list", Array("[1]".utf8)),
        ]
        var wrongType = request(operation)
        wrongType.contentType = "text/plain"
        calls.append(("text", wrongType, refusals(operation).subtracting([400, 422]).union([415])))
        for name in (schema["required"]?.list ?? []).compactMap(\.text) {
            var rest = members
            rest[name] = nil
            calls.append(bodyCall(operation, "without \(name)", JSONValue.object(rest).json))
        }
        guard case .object(let properties)? = schema["properties"] else { return calls }
        for (name, property) in properties.sorted(by: { $0.key < $1.key }) {
            guard let property = description.followed(property) else { continue }
            for value in [Self.misfit(property)].compactMap({ $0 }) + wrongValues(of: property) {
                let body = JSONValue.object(members.merging([name: value]) { $1 }).json
                calls.append(bodyCall(operation, "\(name): \(String(decoding: value.json, as: UTF8.self))", body))
            }
        }
        return calls
    }

    private func bodyCall(_ operation: Operation, _ what: String, _ body: [UInt8]) -> WrongCall {
        var request = request(operation)
        request.body = body
        return (what, request, refusals(operation))
    }

    private func refusals(_ operation: Operation) -> Set<Int> {
        isOpen(operation) ? [400, 422] : [400, 401, 422, 503]
    }

    /// A value of a type that the schema does not allow.
    private static func misfit(_ schema: JSONValue) -> JSONValue? {
        let types = schema["type"]?.list?.compactMap(\.text) ?? schema["type"]?.text.map { [$0] } ?? []
        guard !types.isEmpty else { return nil }
        return types.contains("object") ? .array([]) : .object([:])
    }

    /// Values of the right JSON type that the schema excludes. In a URL all types are text.
    private func wrongValues(of schema: JSONValue) -> [JSONValue] {
        let type = schema["type"]?.text
        var values: [JSONValue] = []
        if schema["enum"] != nil { values.append(.string("no-such-value")) }
        if type == "integer" || type == "boolean" { values.append(.string("x")) }
        if let least = schema["minimum"]?.whole { values.append(.integer(least - 1)) }
        if let most = schema["maximum"]?.whole { values.append(.integer(most + 1)) }
        if let least = schema["minLength"]?.whole, least > 0 { values.append(.string("")) }
        return values
    }

    // MARK: calling

    private struct Request: Sendable {
        var method: String
        var path: String
        var query: [String: String] = [:]
        var headers: [String: String] = [:]
        var bearer: String?
        var contentType = "application/json"
        var body: [UInt8]?
        var isStream: Bool

        var bytes: [UInt8] {
            let items = query.sorted { $0.key < $1.key }.map { "\($0)=\(Self.encoded($1))" }
            let target = items.isEmpty ? path : "\(path)?\(items.joined(separator: "&"))"
            var lines = ["\(method) \(target) HTTP/1.1", "Host: localhost"] + headers.map { "\($0): \($1)" }
            if let bearer { lines.append("Authorization: Bearer \(bearer)") }
            if let body { lines += ["Content-Type: \(contentType)", "Content-Length: \(body.count)"] }
            return Array((lines.joined(separator: "\r\n") + "\r\n\r\n").utf8) + (body ?? [])
        }

        private static func encoded(_ text: String) -> String {
            text.addingPercentEncoding(withAllowedCharacters: .alphanumerics) ?? text
        }
    }

    /// The call as it should be.
    private func request(_ operation: Operation) -> Request {
        var path = operation.path
        for (name, schema, _) in description.parameters(of: operation, in: "path") {
            path = path.replacingOccurrences(of: "{\(name)}", with: text(description.example(of: schema)))
        }
        var request = Request(method: operation.method, path: path, isStream: operation.isStream)
        for (name, schema, isRequired) in description.parameters(of: operation, in: "query") where isRequired {
            request.query[name] = text(description.example(of: schema))
        }
        for (name, schema, isRequired) in description.parameters(of: operation, in: "header") where isRequired {
            request.headers[name] = text(description.example(of: schema))
        }
        request.bearer = operation.schemes.sorted().lazy.compactMap { credentials[$0] }.first
        request.body = description.body(of: operation).map(\.example.json)
        return request
    }

    private func call(_ request: Request) async throws -> RawClient.Answer {
        let client = try RawClient(port: port)
        await client.send(request.bytes)
        return try await client.receive()
    }

    private func problemFaults(
        of answer: RawClient.Answer, to operation: Operation, _ expected: Set<Int>, of request: Request
    ) -> [String] {
        // What is switched off says so, whatever it is asked.
        let isOff = answer.status == 503 && answer.string("type")?.hasSuffix("-not-configured") == true
        guard expected.contains(answer.status) || isOff else {
            return ["is answered \(answer.status) instead of \(expected.sorted()): \(answer.text.prefix(300))"]
        }
        var faults: [String] = []
        // A method that is not described has no answers that are.
        if request.method == operation.method { faults += description.faults(of: answer, to: operation) }
        if answer.headers["content-type"] != "application/problem+json" { faults.append("is no problem document") }
        if answer.json["status"] as? Int != answer.status { faults.append("has another status in its document") }
        faults += ["type", "title", "detail", "request_id"].filter { answer.string($0)?.isEmpty != false }.map {
            "has no \($0)"
        }
        if answer.status == 401, answer.headers["www-authenticate"] == nil { faults.append("has no WWW-Authenticate") }
        if answer.status == 405, answer.headers["allow"]?.contains(operation.method) != true {
            faults.append("does not say what is allowed")
        }
        return faults
    }

    private func text(_ value: JSONValue) -> String { value.text ?? String(decoding: value.json, as: UTF8.self) }
}
