import ArgumentParser
import MailModel
import MailRecovery
import MailStore

/// `POST /rebuild`: makes a user's store anew from the stream.
struct RebuildRequest: ControlCommand {
    static let name = "rebuild"

    struct Line: Codable, Sendable, CustomStringConvertible {
        let progress: String
        var description: String { "waiting for \(progress)" }
    }

    struct Result: ControlResult {
        /// Where the old file is.
        var setAside: String?
        let lastSeq: Int64

        var description: String {
            "the store is rebuilt up to event \(lastSeq)"
                + (setAside.map { "; the old file is kept as \($0)" } ?? "; there was no file before")
        }
    }

    var user: String

    func run(
        in context: ControlContext, report: @escaping @Sendable (Line) async throws -> Void
    ) async throws -> Result {
        let user = try UserID(user)
        if let running = context.running { return try await rebuild(user, running.recovery, context, report) }
        let recovery = try await context.standaloneRecovery()
        return try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { await recovery.run() }
            let result = try await rebuild(user, recovery, context, report)
            group.cancelAll()
            return result
        }
    }

    private func rebuild(
        _ user: UserID, _ recovery: UserRecovery, _ context: ControlContext,
        _ report: @escaping @Sendable (Line) async throws -> Void
    ) async throws -> Result {
        let path = try await withThrowingTaskGroup(of: String??.self) { group in
            group.addTask { .some(await recovery.rebuild(user)) }
            group.addTask {
                try await Self.tell(user, recovery, context.time, report)
                return nil
            }
            defer { group.cancelAll() }
            for try await case .some(let path) in group { return path }
            return nil
        }
        try Task.checkCancellation()
        let lastSeq = try await context.stores.useExisting(user) { try await $0.read { try $0.dispatch().lastSeq } }
        return Result(setAside: path, lastSeq: lastSeq ?? 0)
    }

    /// Says what is being done whenever that changes, until cancelled.
    private static func tell(
        _ user: UserID, _ recovery: UserRecovery, _ time: any TimeSource,
        _ report: @escaping @Sendable (Line) async throws -> Void
    ) async throws {
        var last: String?
        while true {
            try await time.sleep(for: .milliseconds(200))
            let now = await recovery.progress[user]
            if let now, now != last { try await report(Line(progress: now)) }
            last = now
        }
    }
}

extension ControlContext {
    /// What recovers users when no service runs. Its `run()` must run.
    fileprivate func standaloneRecovery() async throws -> UserRecovery {
        UserRecovery(
            data, try await providers(), try await streamAccess(), NobodyToSupervise(), time: time, logger: logger)
    }
}

/// `mailsync rebuild`
struct Rebuild: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "rebuild", abstract: "Makes a user's store anew, from the stream and the provider.",
        discussion: """
            The old file is kept beside the new one. What the stream holds comes back row for row; mail whose events are \
            too old for the stream is read again from the provider, as state without events. Nothing is published twice.
            """)

    @Option(help: "The user id, as the sub of the user's tokens.")
    var user: String

    @ArgumentParser.Flag(help: "Do not ask.")
    var yes = false

    @OptionGroup var options: OperatorOptions

    func validate() throws { _ = try UserID(user) }

    func run() async throws {
        if !yes {
            print("Rebuild the store of \(user)? Syncing for this user stops meanwhile. [y/N] ", terminator: "")
            guard readLine()?.lowercased().hasPrefix("y") == true else { throw ExitCode.failure }
        }
        try await options.run(RebuildRequest(user: user))
    }
}
