/// The stream that events are published to. Always file storage, limits retention, oldest messages discarded first
/// and no cap per subject: the server rebuilds its memory of message ids from the messages it still holds, so
/// nothing but age may remove one.
public struct StreamConfiguration: Sendable, Hashable {
    public var name: String
    public var subjects: [String]
    public var replicas: Int
    /// How long messages are kept, in seconds.
    public var maxAgeSeconds: Int64
    /// How long the server remembers message ids, in milliseconds.
    public var duplicateWindowMilliseconds: Int64

    public init(
        name: String = "MAIL_EVENTS", subjects: [String] = ["user.>"], replicas: Int = 1,
        maxAgeSeconds: Int64 = 30 * 24 * 3600, duplicateWindowMilliseconds: Int64 = 600_000
    ) {
        self.name = name
        self.subjects = subjects
        self.replicas = replicas
        self.maxAgeSeconds = maxAgeSeconds
        self.duplicateWindowMilliseconds = duplicateWindowMilliseconds
    }

    /// - Throws: ``NatsFailure/configuration(_:)`` for values the server would refuse.
    public func validate() throws(NatsFailure) {
        let forbidden: Set<Character> = [".", "*", ">", "/", "\\", " ", "\""]
        guard !name.isEmpty, name.utf8.count <= 255,
            name.allSatisfy({ $0.isASCII && !$0.isNewline && !forbidden.contains($0) })
        else { throw .configuration("STREAM_NAME is \"\(name)\": letters, digits, - and _ are accepted") }
        guard (1...5).contains(replicas) else {
            throw .configuration("STREAM_REPLICAS is \(replicas): 1 to 5 are accepted")
        }
        guard (1...Self.ageMaxSeconds).contains(maxAgeSeconds) else {
            throw .configuration("STREAM_MAX_AGE is \(maxAgeSeconds) s: 1 s to 100 years are accepted")
        }
        guard duplicateWindowMilliseconds >= 100, duplicateWindowMilliseconds <= maxAgeSeconds * 1000 else {
            throw .configuration(
                """
                STREAM_DUPLICATE_WINDOW is \(duplicateWindowMilliseconds) ms: from 100 ms to STREAM_MAX_AGE are accepted
                """)
        }
    }

    private static let ageMaxSeconds: Int64 = 100 * 366 * 24 * 3600

    /// The API level (nats-server 2.12) from which a stream may accept atomic batches.
    static let atomicBatchLevel = 2

    /// The definition as the server's API takes it.
    ///
    /// - Parameter apiLevel: the level the server reports in `$JS.API.INFO`; 0 before 2.11.
    public func definition(apiLevel: Int) -> JSONValue {
        var fields: [String: JSONValue] = [
            "name": .string(name), "subjects": .array(subjects.map(JSONValue.string)), "retention": "limits",
            "storage": "file", "discard": "old", "max_consumers": -1, "max_msgs": -1, "max_bytes": -1,
            "max_msgs_per_subject": -1, "max_msg_size": -1, "num_replicas": .integer(Int64(replicas)),
            "max_age": .integer(maxAgeSeconds * 1_000_000_000),
            "duplicate_window": .integer(duplicateWindowMilliseconds * 1_000_000), "allow_direct": true,
            "deny_delete": false, "deny_purge": false,
        ]
        if apiLevel >= Self.atomicBatchLevel { fields["allow_atomic"] = true }
        return .object(fields)
    }
}
