import ArgumentParser
import Foundation
import MailModel

/// `mailsync demo`
struct Demo: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "demo",
        abstract: "Shows a mailbox becoming events, with nothing configured.",
        discussion: """
            Starts a private nats-server, an emulated provider with a mailbox, and the service; connects one account; \
            shows the first events as an independent consumer receives them, and mail that arrives, changes and is \
            deleted; then compares provider, store and stream. Exits 0 only if they agree.
            """)

    @Option(help: "The mailbox: an mbox file, plain or gzip. Without it one is generated.")
    var mbox: String?

    @Option(help: "How many messages to generate (default: 2000).")
    var messages: Int?

    @Option(help: "The provider to emulate: google or microsoft.")
    var provider = "google"

    @Flag(help: "Leave everything running, and say how to reach it.")
    var keep = false

    @Option(help: "Falsify publishing, to see the comparison fail: lost=N,doubled=M.")
    var inject: String?

    func validate() throws {
        if let messages, !(1...1_000_000).contains(messages) {
            throw ValidationError("--messages is \(messages): 1 to 1000000 are accepted")
        }
        if mbox != nil, messages != nil { throw ValidationError("give --mbox or --messages, not both") }
        guard ProviderKind(apiName: provider) != nil else {
            throw ValidationError("--provider is “\(provider)”: google and microsoft are accepted")
        }
        if let inject, FaultyPublisher.Plan(inject) == nil {
            throw ValidationError("--inject is “\(inject)”: lost=N and doubled=N are accepted")
        }
    }

    func run() async throws {
        let display = DemoDisplay()
        do {
            let agreed = try await DemoRun(
                provider: ProviderKind(apiName: provider) ?? .google, mbox: mbox, messages: messages, keep: keep,
                fault: inject.flatMap(FaultyPublisher.Plan.init),
                display: display
            ).run()
            if !agreed { throw ExitCode.failure }
        } catch let exit as ExitCode {
            throw exit
        } catch {
            display.line("the demo could not be completed: \(error)")
            throw ExitCode.failure
        }
    }
}
