import EventAudit
import MailModel

/// `verify` of the control socket: proves completeness, of one user or of all, one after the other.
struct VerifyCommand: ControlCommand {
    static let name = "verify"

    /// nil: every user that has a store.
    var user: String?
    var options: VerificationOptions

    /// A difference, or the counts of a user who is done.
    struct Line: Codable, Sendable, CustomStringConvertible {
        var user: String
        /// A kind of `DifferenceKind`; nil for the counts of a user.
        var kind: String?
        var account: String?
        var message: String?
        var seq: Int64?
        var text: String
        var verification: Verification?

        var description: String { "\(user)  \(text)" }

        init(_ difference: Difference, of user: UserID) {
            self.user = user.raw
            kind = difference.kind.rawValue
            account = difference.account?.description
            message = difference.messageID
            seq = difference.seq
            text = difference.line
        }

        init(_ verification: Verification) {
            user = verification.user
            self.verification = verification
            text = ([verification.line] + verification.unchecked.map { "not checked: \($0)" }).joined(separator: "; ")
        }
    }

    struct Result: ControlResult {
        var users = 0
        var found = 0
        var healed = 0
        var left = 0
        /// Users of whom something could not be checked.
        var unchecked = 0

        var succeeded: Bool { left == 0 }
        var wasDone: Bool { unchecked == 0 }

        var description: String {
            let verdict = left > 0 ? "DIFFERENT" : unchecked > 0 ? "NOT CHECKED" : "AGREE"
            return "\(verdict): \(users) users, \(found) differences, \(healed) healed, \(left) left"
                + (unchecked > 0 ? ", \(unchecked) users not checked in everything" : "")
        }

        mutating func add(_ verification: Verification) {
            users += 1
            found += verification.foundCount
            healed += verification.healed
            left += verification.leftCount
            if !verification.unchecked.isEmpty { unchecked += 1 }
        }
    }

    func run(
        in context: ControlContext, report: @escaping @Sendable (Line) async throws -> Void
    ) async throws -> Result {
        let users = try await users(context)
        let verifier = context.verifier()
        var result = Result()
        for user in users {
            let verification = try await verifier.verify(user, options) { try await report(Line($0, of: user)) }
            guard let verification else {
                throw ControlProblem(message: "\(user) has no store: no account was connected")
            }
            result.add(verification)
            try await report(Line(verification))
        }
        return result
    }

    private func users(_ context: ControlContext) async throws -> [UserID] {
        if let user { return [try UserID(user)] }
        return try await context.stores.users().sorted { $0.encoded < $1.encoded }
    }
}
