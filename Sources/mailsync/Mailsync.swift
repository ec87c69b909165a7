import ArgumentParser

/// `mailsync`: keeps mailboxes in step with the world and turns every change into an event.
@main
struct Mailsync: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "mailsync",
        abstract: "Keeps users' mailboxes in step and turns every change into an event in NATS JetStream.",
        version: MailsyncVersion.current,
        subcommands: [
            Serve.self, Demo.self, Emulate.self, Status.self, Replay.self, Verify.self, Gaps.self, Rebuild.self,
            Jobs.self,
        ])
}

/// The version that `--version` and `GET /status` show.
enum MailsyncVersion {
    static let current = "0.1.0"
}
