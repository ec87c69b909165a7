import ArgumentParser
import MailJobs

/// `mailsync jobs list|show|retry|cancel`
struct Jobs: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "jobs", abstract: "Shows what was asked for, tries failed jobs again, or ends jobs.",
        subcommands: [List.self, Show.self, Retry.self, Cancel.self])

    struct List: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Lists jobs, the newest first; --state failed shows the dead letters.")

        @Option(help: "Only this user's.")
        var user: String?
        @Option(help: "Only jobs in this state: waiting, active, delayed, completed, failed or cancelled.")
        var state: String?
        @Option(help: "So many at most.")
        var limit = 100
        @OptionGroup var options: OperatorOptions

        func run() async throws {
            let state = try state.map { name in
                guard let state = JobState(rawValue: name) else {
                    throw ValidationError("'\(name)' is no state of a job")
                }
                return state
            }
            try await options.run(JobsCommand(action: .list, user: user, state: state, limit: limit))
        }
    }

    struct Show: AsyncParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Shows one job.")

        @Argument(help: "The job.")
        var id: String
        @OptionGroup var options: OperatorOptions

        func run() async throws { try await options.run(JobsCommand(action: .show, id: id)) }
    }

    struct Retry: AsyncParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Gives a failed job its attempts again.")

        @Argument(help: "The job.")
        var id: String
        @OptionGroup var options: OperatorOptions

        func run() async throws { try await options.run(JobsCommand(action: .retry, id: id)) }
    }

    struct Cancel: AsyncParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Ends a job that waits or runs.")

        @Argument(help: "The job.")
        var id: String
        @OptionGroup var options: OperatorOptions

        func run() async throws { try await options.run(JobsCommand(action: .cancel, id: id)) }
    }
}
