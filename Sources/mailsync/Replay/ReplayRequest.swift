import MailModel

/// `POST /replay`: publishes a user's events again, from the event log, under other subjects.
struct ReplayRequest: ControlCommand {
    static let name = "replay"
    static let perSecondStandard = 1000
    static let perSecondMax = 1_000_000

    struct Line: Codable, Sendable, CustomStringConvertible {
        let replayed: Int
        let seq: Int64
        var description: String { "\(replayed) events, up to seq \(seq)" }
    }

    struct Result: ControlResult {
        let replayed: Int
        /// Copies that the stream had from an earlier replay.
        var duplicates = 0
        var firstSeq: Int64?
        var lastSeq: Int64?
        /// The streams that took them; none when they went to whoever listened.
        var streams: [String] = []

        var description: String {
            guard let firstSeq, let lastSeq else { return "no events: nothing was published" }
            let target =
                streams.isEmpty
                ? "no stream captures them: whoever was subscribed got them"
                : "stored in \(streams.joined(separator: ", "))"
            let known = duplicates == 0 ? "" : "; \(duplicates) were there already"
            return "replayed \(replayed) events, seq \(firstSeq) to \(lastSeq); \(target)\(known)"
        }
    }

    var user: String
    var inbox: String?
    /// As in the API: `google` …
    var provider: String?
    /// See ``ReplayBound``.
    var from: String?
    var to: String?
    var subject: String
    var perSecond: Int?

    /// - Throws: ``ControlProblem`` that names what is wrong.
    func plan() throws -> ReplayPlan {
        let rate = perSecond ?? Self.perSecondStandard
        guard (1...Self.perSecondMax).contains(rate) else {
            throw ControlProblem(message: "the rate is \(rate)/s: 1/s to \(Self.perSecondMax)/s are accepted")
        }
        return ReplayPlan(
            user: try UserID(user), inbox: try inbox.map { try InboxID($0) }, provider: try provider.map(Self.kind),
            from: try Self.bound("--from", from), to: try Self.bound("--to", to), prefix: try ReplayPrefix(subject),
            perSecond: rate)
    }

    func run(
        in context: ControlContext, report: @escaping @Sendable (Line) async throws -> Void
    ) async throws -> Result {
        try await ReplayRun(plan: plan(), context: context, report: report).run()
    }

    private static func kind(_ name: String) throws -> ProviderKind {
        if let kind = ProviderKind(apiName: name) { return kind }
        let accepted = ProviderKind.allCases.map(\.apiName).joined(separator: ", ")
        throw ControlProblem(message: "there is no provider \(name): \(accepted) are accepted")
    }

    private static func bound(_ option: String, _ text: String?) throws -> ReplayBound? {
        guard let text else { return nil }
        if let bound = ReplayBound(text) { return bound }
        throw ControlProblem(message: "\(option) is \(text): \(ReplayBound.accepted) is accepted")
    }
}
