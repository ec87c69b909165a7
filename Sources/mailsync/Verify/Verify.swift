import ArgumentParser

/// `mailsync verify`
struct Verify: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "verify",
        abstract: "Proves that event log, state, outbox, stream and provider agree; prints every difference.",
        discussion: """
            Exits with 0 when everything agrees, 1 when differences are left, 2 when something could not be checked. \
            Events that are older than STREAM_MAX_AGE are expired, not missing.
            """)

    @Option(help: "Only this user; else all, one after the other.")
    var user: String?

    @ArgumentParser.Flag(help: "Compare the accounts with their mailboxes as well; the running service does it.")
    var againstProvider = false

    @ArgumentParser.Flag(help: "Heal what can be healed.")
    var `repair` = false

    @OptionGroup var options: OperatorOptions

    func run() async throws {
        let command = VerifyCommand(
            user: user, options: VerificationOptions(againstProvider: againstProvider, repairs: `repair`))
        let result = try await options.run(command)
        if !result.wasDone { throw OperatorOptions.notDone }
    }
}
