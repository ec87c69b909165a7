import MailModel
import MailStore

/// `gaps` of the control socket: the messages that could not be read, listed, retried now or given up.
struct GapsCommand: ControlCommand {
    static let name = "gaps"

    enum Action: String, Codable, Sendable {
        case list
        case retry
        case giveUp = "give-up"
    }

    var action: Action
    var user: String
    /// nil: all of the user's.
    var provider: ProviderKind?
    var inbox: String?
    /// nil: every message that is retried.
    var id: String?
    /// Why a message is given up.
    var reason: String?

    /// A message of the gap ledger.
    struct Line: Codable, Sendable, CustomStringConvertible {
        var account: String
        var id: String
        var reason: String
        var attempts: Int
        var firstSeenAt: UnixSeconds
        var nextAttemptAt: UnixSeconds?
        var givenUpAt: UnixSeconds?
        var givenUpBecause: String?

        init(_ gap: GapRecord, of account: AccountKey) {
            self.account = account.description
            id = gap.id
            reason = gap.reason
            attempts = gap.attempts
            firstSeenAt = gap.firstSeenAt
            nextAttemptAt = gap.nextAttemptAt
            givenUpAt = gap.givenUpAt
            givenUpBecause = gap.givenUpBecause
        }

        var description: String {
            let state =
                givenUpAt.map { "given up at \($0): \(givenUpBecause ?? "-")" }
                ?? "next attempt at \(nextAttemptAt.map(String.init) ?? "-")"
            return "\(account)  \(id)  \(attempts) attempts since \(firstSeenAt)  \(state)  \(reason)"
        }
    }

    struct Result: ControlResult {
        var action: Action
        var messages: Int

        var description: String {
            switch action {
            case .list: "\(messages) messages could not be read"
            case .retry: "\(messages) messages are read again now"
            case .giveUp: "\(messages) messages were given up; they stay on record and are read when they change"
            }
        }
    }

    func run(
        in context: ControlContext, report: @escaping @Sendable (Line) async throws -> Void
    ) async throws -> Result {
        let user = try UserID(user)
        let inbox = try inbox.map { try InboxID($0) }
        let accounts = try await context.stores.useExisting(user) { store in
            try await store.read { try $0.accounts().map(\.key) }
        }
        let keys = (accounts ?? []).filter {
            (provider == nil || $0.provider == provider) && (inbox == nil || $0.inbox == inbox)
        }
        guard !keys.isEmpty else { throw ControlProblem(message: "\(user) has no such account") }
        switch action {
        case .list: return try await list(keys, user, context, report)
        case .retry: return try await retry(keys, user, context)
        case .giveUp: return try await giveUp(keys, user, context)
        }
    }

    private func list(
        _ keys: [AccountKey], _ user: UserID, _ context: ControlContext,
        _ report: @escaping @Sendable (Line) async throws -> Void
    ) async throws -> Result {
        var count = 0
        for key in keys {
            let gaps = try await context.stores.use(user) { store in
                try await store.read { try $0.openGaps(key) + $0.givenUpGaps(key) }
            }
            for gap in gaps where id == nil || gap.id == id {
                count += 1
                try await report(Line(gap, of: key))
            }
        }
        return Result(action: action, messages: count)
    }

    private func retry(_ keys: [AccountKey], _ user: UserID, _ context: ControlContext) async throws -> Result {
        let now = context.time.now()
        let id = id
        let count = try await context.stores.use(user) { store in
            try await store.write { transaction in
                try keys.reduce(0) { try $0 + transaction.retryGaps($1, id, at: now) }
            }
        }
        for key in keys {
            _ = await context.running?.manager.wake(user: user, provider: key.provider, inbox: key.inbox)
        }
        return Result(action: action, messages: count)
    }

    private func giveUp(_ keys: [AccountKey], _ user: UserID, _ context: ControlContext) async throws -> Result {
        guard let id else { throw ControlProblem(message: "name the message to give up: --id ID") }
        guard let reason, !reason.isEmpty else { throw ControlProblem(message: "say why: --reason TEXT") }
        let now = context.time.now()
        let count = try await context.stores.use(user) { store in
            try await store.write { transaction in
                try keys.reduce(0) { try $0 + (transaction.giveUpGap($1, id, because: reason, at: now) ? 1 : 0) }
            }
        }
        guard count > 0 else { throw ControlProblem(message: "message \(id) is not being retried: mailsync gaps list") }
        context.logger.notice("a message was given up", metadata: ["user": "\(user)", "message": "\(id)"])
        return Result(action: action, messages: count)
    }
}
