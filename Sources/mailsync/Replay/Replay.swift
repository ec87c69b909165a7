import ArgumentParser

/// `mailsync replay`
struct Replay: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "replay", abstract: "Publishes a user's events again, in order, under a prefix of your choice.",
        discussion: """
            user.USER.email.received goes out as PREFIX.USER.email.received, byte for byte what was published, with \
            Nats-Msg-Id PREFIX:EVENT_ID. A stream that captures the prefix stores the copies, once each within its \
            duplicate window; without one they go to whoever is subscribed. The live stream is not touched.
            """)

    @Option(help: "The user id, as the sub of the user's tokens.")
    var user: String

    @Option(help: "Only this inbox.")
    var inbox: String?

    @Option(help: "Only this provider.")
    var provider: String?

    @Option(help: "The first event: its seq, or a time (a number from 1000000000 on is Unix seconds; or ISO 8601).")
    var from: String?

    @Option(help: "The last event: its seq, or a time. Without it: the last that is recorded now.")
    var to: String?

    @Option(help: "The prefix of the subjects; not user, and nothing that begins with $ or _.")
    var subject: String

    @Option(help: "Events per second at most, as 500/s.")
    var rate = "\(ReplayRequest.perSecondStandard)/s"

    @OptionGroup var options: OperatorOptions

    func validate() throws { _ = try request() }

    func run() async throws { try await options.run(request()) }

    private func request() throws -> ReplayRequest {
        guard let perSecond = Int(rate.hasSuffix("/s") ? String(rate.dropLast(2)) : rate) else {
            throw ValidationError("--rate is \(rate): a rate such as 500/s is accepted")
        }
        let request = ReplayRequest(
            user: user, inbox: inbox, provider: provider, from: from, to: to, subject: subject, perSecond: perSecond)
        do {
            _ = try request.plan()
        } catch {
            throw ValidationError("\(error)")
        }
        return request
    }
}
