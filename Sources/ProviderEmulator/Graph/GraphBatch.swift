import Foundation
import MailModel

/// `$batch` (concepts/json-batching): up to 20 requests in one, run four at a time and throttled singly.
struct GraphBatch: Sendable {
    private static let partsMax = 20
    /// Outlook runs so many parts of a mailbox at once.
    private static let inFlightMax = 4
    let graph: GraphService

    private struct Envelope: Decodable {
        let requests: [Part]
    }
    private struct Part: Decodable, Sendable {
        let id: String
        let method: String
        let url: String
        let headers: [String: String]?
        let dependsOn: [String]?
    }

    func respond(to request: EmulatorRequest) async -> EmulatorReply {
        let microsoft = graph.microsoft
        let token = request.bearerToken ?? ""
        let fault = microsoft.faults.strike(
            .batch, target: request.target, mailbox: microsoft.tokens.bearer(token)?.address)
        if case .graphError(let error) = fault { return counted(graph.reply(to: request, error)) }
        if let reply = fault?.replacement { return counted(reply) }
        if fault == .expireAccessToken { microsoft.tokens.expire(accessToken: token) }
        do throws(GraphError) {
            guard microsoft.tokens.bearer(token) != nil else { throw .tokenExpired }
            let parts = try Self.parts(request)
            microsoft.log.batch(parts: parts.count)
            let replies = await run(parts, request)
            let reply = graph.stamped(envelope(parts, replies), request, nil)
            return counted(fault?.altered(reply) ?? reply)
        } catch {
            return counted(graph.reply(to: request, error))
        }
    }

    private func counted(_ reply: EmulatorReply) -> EmulatorReply {
        graph.microsoft.log.count("batch", status: reply.status)
        return reply
    }

    private func run(_ parts: [Part], _ outer: EmulatorRequest) async -> [String: EmulatorReply] {
        let configuration = graph.microsoft.configuration
        var replies: [String: EmulatorReply] = [:]
        var waiting = parts[...]
        while !waiting.isEmpty {
            let wave = waiting.prefix(Self.inFlightMax).prefix { part in
                (part.dependsOn ?? []).allSatisfy { replies[$0.lowercased()] != nil }
            }
            waiting = waiting.dropFirst(wave.count)
            for part in wave where Self.isOrphan(part, replies) {
                replies[part.id.lowercased()] = graph.reply(to: outer, .failedDependency)
            }
            let able = wave.filter { replies[$0.id.lowercased()] == nil }
            let answers = await graph.respond(
                to: able.map { Self.request($0, outer) },
                latency: configuration.latency + configuration.latencyPerBatchPart * able.count)
            for (part, reply) in zip(able, answers) { replies[part.id.lowercased()] = reply }
        }
        return replies
    }

    private static func isOrphan(_ part: Part, _ replies: [String: EmulatorReply]) -> Bool {
        (part.dependsOn ?? []).contains { (replies[$0.lowercased()]?.status ?? 500) >= 400 }
    }

    /// A part has its own `Prefer` and shares the envelope's token.
    private static func request(_ part: Part, _ outer: EmulatorRequest) -> EmulatorRequest {
        var headers = (part.headers ?? [:]).map { (name: $0.key.lowercased(), value: $0.value) }
        headers += outer.headers.filter { $0.name == "authorization" || $0.name == "host" }
        return EmulatorRequest(method: part.method.uppercased(), target: "/v1.0" + part.url, headers: headers)
    }

    private func envelope(_ parts: [Part], _ replies: [String: EmulatorReply]) -> EmulatorReply {
        let configuration = graph.microsoft.configuration
        var random = SeededRandom(
            seed: configuration.seed, stream: TextHash.of(parts.map(\.id).joined().utf8) &+ UInt64(parts.count))
        let ordered = configuration.microsoft.shufflesBatchAnswers ? parts.shuffled(using: &random) : parts
        let answers = ordered.compactMap { part in replies[part.id.lowercased()].map { Self.write(part.id, $0) } }
        var body = Array("{\"responses\":".utf8)
        body.append(array: answers)
        body += "}".utf8
        var reply = EmulatorReply(status: 200, contentType: "application/json", body: body)
        reply.delivery = replies.values.first { $0.delivery != .whole }?.delivery ?? .whole
        return reply
    }

    private static func write(_ id: String, _ reply: EmulatorReply) -> [UInt8] {
        var json = JSONText(reserving: reply.body.count + 256)
        json.object { json in
            json.field("id", id)
            json.field("status", Int64(reply.status))
            json.key("headers")
            json.object { json in
                for (name, value) in reply.headers { json.field(headerName(name), value) }
                json.field("Content-Type", reply.contentType)
            }
        }
        let isJSON = reply.contentType.hasPrefix("application/json") && !reply.body.isEmpty
        let text = isJSON ? reply.body : Array("\"\(Data(reply.body).base64EncodedString())\"".utf8)
        return json.bytes.dropLast() + Array(",\"body\":".utf8) + text + Array("}".utf8)
    }

    /// Headers of parts are written as people write them.
    private static func headerName(_ name: String) -> String {
        name.split(separator: "-").map { $0.prefix(1).uppercased() + $0.dropFirst() }.joined(separator: "-")
    }

    private static func parts(_ request: EmulatorRequest) throws(GraphError) -> [Part] {
        let envelope: Envelope
        do {
            envelope = try JSONDecoder().decode(Envelope.self, from: Data(request.body))
        } catch {
            throw .badRequest("Invalid batch payload format.")
        }
        let parts = envelope.requests
        guard !parts.isEmpty, parts.count <= partsMax else {
            throw .badRequest(
                "Number of batch request steps must be from 1 to \(partsMax).", code: "MaximumValueExceeded")
        }
        var known: Set<String> = []
        for part in parts {
            guard part.url.hasPrefix("/"), known.isSuperset(of: (part.dependsOn ?? []).map { $0.lowercased() }),
                known.insert(part.id.lowercased()).inserted
            else { throw .badRequest("Request step '\(part.id)' is malformed, repeated or depends on a later one.") }
        }
        return parts
    }
}
