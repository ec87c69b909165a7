import EventAudit
import Foundation
import MailModel
import MailTestSupport
import ProviderEmulator
import Synchronization

/// A user with a mailbox at the provider.
struct MailUser: Sendable {
    let id: UserID
    /// Signed by the issuer that the service trusts.
    let token: String
    /// Never empty; the first one is meant where a test has only one.
    let mailboxes: [UserMailbox]
    let google: GoogleEmulator

    var address: String { mailboxes[0].box.address }

    /// A message arrives in the first mailbox.
    ///
    /// - Returns: its id.
    @discardableResult
    func receive(subject: String) throws -> String { try mailboxes[0].receive(subject: subject) }

    /// What the providers hold now.
    func truth() throws -> [ProviderMessage] { try mailboxes.flatMap { try $0.truth() } }
}

/// One of a user's mailboxes.
struct UserMailbox: Sendable {
    let inbox: String
    let box: any EmulatedMailbox

    /// A message arrives.
    ///
    /// - Returns: its id.
    @discardableResult
    func receive(subject: String) throws -> String {
        let text =
            "From: Eve <eve@example.org>\r\nTo: \(box.address)\r\nSubject: \(subject)\r\n"
            + "Message-ID: <\(UUID().uuidString)@example.org>\r\nDate: Mon, 2 Mar 2026 11:55:00 +0000\r\n\r\nHello.\r\n"
        return try box.deliver(Array(text.utf8))
    }

    func truth() throws -> [ProviderMessage] {
        try box.messages().map { message in
            ProviderMessage(
                provider: box.provider.rawValue, inbox: inbox, id: message.id, threadID: message.threadID,
                date: message.date, labels: message.labels, inScope: message.isInScope)
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

    private let box: any EmulatedMailbox
    private let generator: MailboxGenerator
    private let state: Mutex<State>

    init(_ box: any EmulatedMailbox, seed: UInt64) throws {
        self.box = box
        let ids = try box.messages().map(\.id).sorted()
        generator = MailboxGenerator(seed: seed, address: box.address, count: ids.count)
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
        state.ids.append(try box.deliver(bytes))
    }

    private func relabel(_ state: inout State) throws {
        guard let id = state.ids.randomElement(using: &state.random) else { return }
        let isOn = Bool.random(using: &state.random)
        if Bool.random(using: &state.random) { try box.setStarred(id, isOn) } else { try box.setRead(id, isOn) }
    }

    private func trash(_ state: inout State) throws {
        guard let id = state.takeAny() else { return }
        try box.trash(id)
        state.trashed.append(id)
    }

    private func untrash(_ state: inout State) throws {
        guard let id = state.trashed.popLast() else { return }
        try box.restore(id)
        state.ids.append(id)
    }

    private func delete(_ state: inout State) throws {
        guard let id = state.takeAny() else { return }
        try box.delete(id)
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
