import Foundation
import MailModel
import ProviderEmulator

/// Changes the mailbox while one watches, and shows each change as the event it becomes. Nobody asks for a pass: the
/// provider's push is what tells of the change.
struct DemoLive: Sendable {
    private static let patience = Duration.seconds(20)
    /// Gmail announces a mailbox once a second at most, and forgets what comes in between.
    private static let betweenChanges = Duration.milliseconds(1100)
    private static let pollMilliseconds: Int64 = 5

    let mailbox: any EmulatedMailbox
    let client: DemoClient
    let watcher: DemoConsumer
    let display: DemoDisplay
    let time: SystemTime

    func play() async throws {
        try await untilAnnounced()
        let id = try mailbox.deliver(Array(Self.mail.utf8))
        try await expect("a message arrives", "email.received", id)
        try mailbox.setStarred(id, true)
        try await expect("it is starred", "email.updated", id)
        try mailbox.setRead(id, true)
        try await expect("it is read", "email.updated", id)
        try mailbox.trash(id)
        try await expect("it is moved to the trash", "email.updated", id)
        try mailbox.delete(id)
        try await expect("it is deleted for good", "email.deleted", id)
    }

    /// Waits until the provider has promised to push.
    private func untilAnnounced() async throws {
        let started = time.nowMilliseconds()
        while time.nowMilliseconds() - started < Self.patience.milliseconds {
            if try await client.account()?.pushes == "healthy" {
                return display.line("  the provider has promised to push; the account is polled every 15 minutes only")
            }
            try await time.sleep(for: .milliseconds(50))
        }
        display.line("  the provider has not promised to push: changes show at the next poll")
    }

    /// Waits for the event.
    private func expect(_ what: String, _ type: String, _ id: String) async throws {
        let before = watcher.newest(type, of: id)?.seq ?? 0
        let started = time.nowMilliseconds()
        while time.nowMilliseconds() - started < Self.patience.milliseconds {
            if let event = watcher.newest(type, of: id), event.seq > before {
                let padded = what.padding(toLength: 26, withPad: " ", startingAt: 0)
                let cause = event.origin == "push" ? "by a push" : "origin \(event.origin ?? "unknown")"
                display.line("  \(padded) \(event.line)   (\(cause), \(time.nowMilliseconds() - started) ms)")
                return try await time.sleep(for: Self.betweenChanges)
            }
            try await time.sleep(for: .milliseconds(Self.pollMilliseconds))
        }
        display.line("  \(what): no event within \(Self.patience.inSeconds) s")
    }

    private static let mail = """
        From: Ada <ada@example.org>\r
        To: demo@example.com\r
        Subject: =?utf-8?q?Lunch_at_the_caf=C3=A9=3F?=\r
        Message-ID: <lunch@example.org>\r
        Date: Mon, 2 Mar 2026 11:55:00 +0000\r
        \r
        Noon, the usual table?\r

        """
}
