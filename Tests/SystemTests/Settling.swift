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
        let client = process.client(of: user)
        try await client.waitUntilLive()
        // Arrives by the history, behind every change made so far.
        let last = try user.receive(subject: "The last one")
        try await watch.read(until: last)
        try await client.waitUntilPublished()
        let exit = await process.terminate()
        #expect(exit == .code(0), about, sourceLocation: sourceLocation)
        let store = try await snapshot(of: user)
        await watch.read(toTotal: store.events.count)
        let report = watch.audit.report(provider: try user.truth(), stored: store.stored)
        #expect(report.findings.prefix(20) == [], about, sourceLocation: sourceLocation)
        #expect(watch.messageCount == store.events.count, about, sourceLocation: sourceLocation)
        #expect(store.unpublished == 0, about, sourceLocation: sourceLocation)
        #expect(store.account?.gaps == 0, about, sourceLocation: sourceLocation)
        await watch.close()
    }
}

extension UserClient {
    /// The backfill is over.
    func waitUntilLive(within limit: Duration = .seconds(90)) async throws {
        try await eventually("\(user.address) is live", within: limit, every: .milliseconds(50)) {
            try await account()?.phase == "live"
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
            try await account()?.outbox_depth == 0
        }
    }
}
