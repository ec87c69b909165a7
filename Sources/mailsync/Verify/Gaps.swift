import ArgumentParser
import MailModel

/// `mailsync gaps list|retry|give-up`
struct Gaps: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "gaps", abstract: "Shows the messages that could not be read, retries them or gives them up.",
        subcommands: [List.self, Retry.self, GiveUp.self])

    /// Whose messages.
    struct Selection: ParsableArguments {
        @Option(help: "The user.")
        var user: String

        @Option(help: "Only accounts of this provider: google, microsoft or outlook.")
        var provider: String?

        @Option(help: "Only this inbox.")
        var inbox: String?

        func command(_ action: GapsCommand.Action, id: String?, reason: String? = nil) throws -> GapsCommand {
            let kind = try provider.map { name in
                guard let kind = ProviderKind(apiName: name) else {
                    throw ValidationError("'\(name)' is no provider: google, microsoft or outlook")
                }
                return kind
            }
            return GapsCommand(action: action, user: user, provider: kind, inbox: inbox, id: id, reason: reason)
        }
    }

    struct List: AsyncParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Lists them, with when each is tried again.")

        @OptionGroup var selection: Selection
        @Option(help: "Only this message.")
        var id: String?
        @OptionGroup var options: OperatorOptions

        func run() async throws { try await options.run(selection.command(.list, id: id)) }
    }

    struct Retry: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Reads them again now: all that are retried, or one, also one that was given up.")

        @OptionGroup var selection: Selection
        @Option(help: "Only this message.")
        var id: String?
        @OptionGroup var options: OperatorOptions

        func run() async throws { try await options.run(selection.command(.retry, id: id)) }
    }

    struct GiveUp: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "give-up", abstract: "Ends the retries of one message; it stays on record, with the reason.")

        @OptionGroup var selection: Selection
        @Option(help: "The message, by the provider's id.")
        var id: String
        @Option(help: "Why.")
        var reason: String
        @OptionGroup var options: OperatorOptions

        func run() async throws { try await options.run(selection.command(.giveUp, id: id, reason: reason)) }
    }
}
