import EventAudit
import MailModel
import MailTestSupport
import Testing

extension Stage {
    /// Lets a running service come to the end of its work, ends it, and compares provider, store and stream: every
    /// listed message once, in order, with the right content, and nothing else.
    func expectAgreement(
        _ process: MailsyncProcess, _ user: MailUser, _ watch: StreamWatch, _ about: Comment? = nil,
        sourceLocation: SourceLocation = #_sourceLocation
    ) async throws {
        try await expectAgreement(process, [(user, watch)], about, sourceLocation: sourceLocation)
    }

    /// The same for several users.
    func expectAgreement(
        _ process: MailsyncProcess, _ users: [(user: MailUser, watch: StreamWatch)], _ about: Comment? = nil,
        sourceLocation: SourceLocation = #_sourceLocation
    ) async throws {
        for (user, watch) in users {
            let client = process.client(of: user)
            try await client.waitUntilLive()
            // The first arrives behind every change of its own folder; the second in a round that began later than all of
            // them; with the third that round is over, in all folders.
            for number in 1...3 {
                try await watch.read(
                    until: try user.mailboxes.map { try $0.receive(subject: "The last one \(number)") })
            }
            try await client.waitUntilPublished()
        }
        let exit = await process.terminate()
        #expect(exit == .code(0), about, sourceLocation: sourceLocation)
        for (user, watch) in users {
            try await expectAgreement(user, watch, about, sourceLocation: sourceLocation)
        }
    }

    /// Compares provider, store and stream of a user whose service has ended.
    private func expectAgreement(
        _ user: MailUser, _ watch: StreamWatch, _ about: Comment?, sourceLocation: SourceLocation
    ) async throws {
        let store = try await snapshot(of: user)
        await watch.read(toTotal: store.events.count)
        let report = watch.audit.report(provider: try user.truth(), stored: store.stored)
        #expect(report.findings.prefix(20) == [], about, sourceLocation: sourceLocation)
        #expect(watch.messageCount == store.events.count, about, sourceLocation: sourceLocation)
        #expect(store.unpublished == 0, about, sourceLocation: sourceLocation)
        #expect(store.accounts.allSatisfy { $0.gaps == 0 }, about, sourceLocation: sourceLocation)
        await watch.close()
    }
}

extension UserClient {
    /// The backfill is over.
    func waitUntilLive(within limit: Duration = .seconds(90)) async throws {
        try await eventually("\(user.address) is live", within: limit, every: .milliseconds(50)) {
            let accounts = try await accounts()
            return accounts.count == user.mailboxes.count && accounts.allSatisfy { $0.phase == "live" }
        }
    }

    /// The backfill is over and everything is in the stream.
    func settle() async throws {
        try await waitUntilLive()
        try await waitUntilPublished()
    }

    /// Everything stored is in the stream.
    func waitUntilPublished(within limit: Duration = .seconds(60)) async throws {
        try await eventually("the outbox of \(user.address) is empty", within: limit, every: .milliseconds(50)) {
            let accounts = try await accounts()
            return !accounts.isEmpty && accounts.allSatisfy { $0.outbox_depth == 0 }
        }
    }
}
