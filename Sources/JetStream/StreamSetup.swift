/// What has to be done so that the stream is as configured.
enum StreamPlan: Sendable, Hashable {
    case nothing
    case create(JSONValue)
    case update(JSONValue, changed: [String])
    /// The stream exists in a form that must not be changed silently.
    case refuse(String)

    /// - Parameter existing: the `config` of the server's answer to `STREAM.INFO`; nil when there is no stream.
    init(_ wanted: StreamConfiguration, apiLevel: Int, existing: JSONValue?) {
        let definition = wanted.definition(apiLevel: apiLevel)
        guard let existing else {
            self = .create(definition)
            return
        }
        if let reason = Self.conflict(wanted, existing) {
            self = .refuse("stream \(wanted.name) \(reason). Choose another STREAM_NAME, or remove that stream")
            return
        }
        let changed = Self.ours.filter { definition[$0] != nil && !Self.same(definition[$0], existing[$0]) }
        self = changed.isEmpty ? .nothing : .update(Self.merge(definition, changed, into: existing), changed: changed)
    }

    /// The fields we own and may change on a stream that exists.
    private static let ours = [
        "max_age", "duplicate_window", "num_replicas", "discard", "max_msgs_per_subject", "allow_direct",
        "allow_atomic",
    ]

    private static func conflict(_ wanted: StreamConfiguration, _ existing: JSONValue) -> String? {
        let subjects = Set((existing["subjects"]?.list ?? []).compactMap(\.text))
        if subjects != Set(wanted.subjects) {
            return "has the subjects \(subjects.sorted()), not \(wanted.subjects.sorted())"
        }
        if let retention = existing["retention"]?.text, retention != "limits" {
            return "removes messages by its \(retention) retention; ours must keep them until they are too old"
        }
        if let storage = existing["storage"]?.text, storage != "file" {
            return "keeps messages in \(storage), not in files"
        }
        if existing["sealed"]?.truth == true { return "is sealed: nothing can be published to it" }
        if existing["mirror"] != nil { return "is a mirror of another stream" }
        return nil
    }

    /// The server leaves out what is false.
    private static func same(_ a: JSONValue?, _ b: JSONValue?) -> Bool {
        (a ?? false) == (b ?? false)
    }

    private static func merge(_ definition: JSONValue, _ names: [String], into existing: JSONValue) -> JSONValue {
        guard case .object(var fields) = existing else { return definition }
        for name in names { fields[name] = definition[name] }
        return .object(fields)
    }
}

/// What the server says about itself and the account.
public struct NatsServerFacts: Sendable, Hashable {
    /// Nil when it could not be read.
    public var version: ServerVersion?
    /// The level of the JetStream API: 0 on 2.9 and 2.10, 1 on 2.11, 2 on 2.12 …
    public var apiLevel: Int
    /// Where we are connected, without credentials.
    public var address: String

    /// True when the server cannot be told to write to disk before it acknowledges: an acknowledged message can be
    /// lost with the machine's power. What is lost is published again from the store.
    public var acknowledgesBeforeWriting: Bool {
        version.map { $0 < .durableAcknowledgements } ?? false
    }
}

/// The few requests that make the stream as configured. `ask` sends a request and returns the answer's bytes.
struct StreamSetup {
    let stream: StreamConfiguration
    let ask: (_ subject: String, _ body: [UInt8]) throws(NatsFailure) -> [UInt8]

    /// The API level, or 0 for servers that have none.
    ///
    /// - Throws: ``NatsFailure/stream(_:)`` when JetStream is not enabled.
    func apiLevel() throws(NatsFailure) -> Int {
        let answer = try parsed(ask("$JS.API.INFO", []), "$JS.API.INFO")
        if let error = error(of: answer) {
            throw .stream("JetStream cannot be used on this server: \(error.text). Enable it for this account")
        }
        return Int(answer["api"]?["level"]?.whole ?? 0)
    }

    /// Creates or updates the stream; returns what was done, for the log.
    ///
    /// - Throws: ``NatsFailure/stream(_:)`` when the existing stream is not ours or the server cannot hold it.
    func ensure(apiLevel: Int) throws(NatsFailure) -> String? {
        switch StreamPlan(stream, apiLevel: apiLevel, existing: try existing()) {
        case .nothing: return nil
        case .create(let definition):
            try change("CREATE", definition)
            return "created stream \(stream.name) on \(stream.subjects.joined(separator: ", "))"
        case .update(let definition, let changed):
            try change("UPDATE", definition)
            return "updated stream \(stream.name): \(changed.joined(separator: ", "))"
        case .refuse(let reason): throw .stream(reason)
        }
    }

    private func existing() throws(NatsFailure) -> JSONValue? {
        let subject = "$JS.API.STREAM.INFO.\(stream.name)"
        let answer = try parsed(ask(subject, []), subject)
        guard let error = error(of: answer) else { return answer["config"] }
        if error.err_code == JetStreamError.streamNotFound { return nil }
        throw .unreachable("stream \(stream.name) cannot be read: \(error.text)")
    }

    private func change(_ verb: String, _ definition: JSONValue) throws(NatsFailure) {
        let subject = "$JS.API.STREAM.\(verb).\(stream.name)"
        let answer = try parsed(ask(subject, definition.json), subject)
        guard let error = error(of: answer) else { return }
        throw Self.failure(error, stream)
    }

    static func failure(_ error: JetStreamError, _ stream: StreamConfiguration) -> NatsFailure {
        switch error.err_code {
        case 10074:
            .stream(
                """
                STREAM_REPLICAS is \(stream.replicas), but this NATS server is not part of a cluster: set it to 1, or \
                connect to a cluster
                """)
        case 10005:
            .stream(
                "STREAM_REPLICAS is \(stream.replicas): the NATS cluster has too few servers for it (\(error.text))")
        case 10065:
            .stream("another stream already captures subjects of stream \(stream.name) (\(error.text)): remove it")
        case 10008, 10009, 10023, 10047, 10077:
            .unreachable("stream \(stream.name) cannot be set up now: \(error.text)")
        default: .stream("stream \(stream.name) cannot be set up: \(error.text)")
        }
    }

    private func parsed(_ bytes: [UInt8], _ subject: String) throws(NatsFailure) -> JSONValue {
        guard let value = JSONValue(json: bytes) else { throw .unreachable("\(subject) answered something unreadable") }
        return value
    }

    private func error(of answer: JSONValue) -> JetStreamError? {
        guard let error = answer["error"] else { return nil }
        return JetStreamError(
            code: Int(error["code"]?.whole ?? 0), err_code: error["err_code"]?.whole.map(Int.init),
            description: error["description"]?.text)
    }
}
