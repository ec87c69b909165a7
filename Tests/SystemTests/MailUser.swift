import EventAudit
import Foundation
import MailModel
import MailTestSupport
import ProviderEmulator
import Synchronization

/// A user with a mailbox at the provider.
struct MailUser: Sendable {
    let id: UserID
    let address: String
    /// Signed by the issuer that the service trusts.
    let token: String
    let google: GoogleEmulator

    /// A message arrives.
    ///
    /// - Returns: its id.
    @discardableResult
    func receive(subject: String) throws -> String {
        let text =
            "From: Eve <eve@example.org>\r\nTo: \(address)\r\nSubject: \(subject)\r\n"
            + "Message-ID: <\(UUID().uuidString)@example.org>\r\nDate: Mon, 2 Mar 2026 11:55:00 +0000\r\n\r\nHello.\r\n"
        return try google.deliver(Array(text.utf8), to: address)
    }

    /// What the provider holds now.
    func truth() throws -> [ProviderMessage] {
        let outside: Set<String> = ["SPAM", "TRASH", "DRAFT", "CHAT"]
        return try google.snapshot(address).values.map { message in
            ProviderMessage(
                id: message.id, threadID: message.threadID, date: message.internalDate, labels: message.labels,
                inScope: outside.isDisjoint(with: message.labels))
        }
    }
}

/// A mailbox that is lived in: mail arrives, labels change, messages go to the trash and come back, some are deleted
/// for good. The choices follow from the seed.
final class MailboxActivity: Sendable {
    fileprivate struct State {
        var random: SeededGenerator
        var ids: [String]
        var trashed: [String] = []
        var delivered: Int
    }

    private let user: MailUser
    private let generator: MailboxGenerator
    private let state: Mutex<State>

    init(_ user: MailUser, seed: UInt64) throws {
        self.user = user
        let ids = try user.google.messageIDs(of: user.address)
        generator = MailboxGenerator(seed: seed, address: user.address, count: ids.count)
        state = Mutex(State(random: SeededGenerator(seed: seed), ids: ids, delivered: ids.count))
    }

    /// Changes something now and then until the task is cancelled.
    func run(every pause: Duration) async throws {
        let time = SystemTime()
        while !Task.isCancelled {
            try step()
            // Cancelled when the test has seen enough.
            try? await time.sleep(for: pause)
        }
    }

    /// One change.
    func step() throws {
        try state.withLock { state in
            switch Int.random(in: 0..<100, using: &state.random) {
            case 0..<35: try deliver(&state)
            case 35..<70: try relabel(&state)
            case 70..<80: try trash(&state)
            case 80..<88: try untrash(&state)
            default: try delete(&state)
            }
        }
    }

    private func deliver(_ state: inout State) throws {
        let bytes = generator.bytes(at: state.delivered)
        state.delivered += 1
        state.ids.append(try user.google.deliver(bytes, to: user.address))
    }

    private func relabel(_ state: inout State) throws {
        guard let id = state.ids.randomElement(using: &state.random) else { return }
        let flag = Bool.random(using: &state.random) ? "STARRED" : "UNREAD"
        if Bool.random(using: &state.random) {
            try user.google.modify(id, in: user.address, add: [flag])
        } else {
            try user.google.modify(id, in: user.address, remove: [flag])
        }
    }

    private func trash(_ state: inout State) throws {
        guard let id = state.takeAny() else { return }
        try user.google.trash(id, in: user.address)
        state.trashed.append(id)
    }

    private func untrash(_ state: inout State) throws {
        guard let id = state.trashed.popLast() else { return }
        try user.google.untrash(id, in: user.address)
        state.ids.append(id)
    }

    private func delete(_ state: inout State) throws {
        guard let id = state.takeAny() else { return }
        try user.google.delete(id, in: user.address)
    }
}

extension MailboxActivity.State {
    /// Takes a message out of those that may be chosen.
    fileprivate mutating func takeAny() -> String? {
        guard let index = ids.indices.randomElement(using: &random) else { return nil }
        ids.swapAt(index, ids.count - 1)
        return ids.removeLast()
    }
}
