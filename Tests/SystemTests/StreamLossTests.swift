import Foundation
import MailModel
import MailTestSupport
import ProviderEmulator
import Testing

extension SystemTests {
    /// Stream and store no longer know the same: one of them is an older copy.
    @Suite struct StreamLossTests {
        /// What becomes of the stream while it is away.
        enum Loss: Sendable, CaseIterable {
            /// Restored from a copy: the newest events are gone.
            case tail
            /// All of it is gone.
            case everything
        }

        /// What the stream had confirmed and lost is sent again, in order, also for a user whom nothing happens to.
        @Test(.timeLimit(.minutes(3)), arguments: Loss.allCases, [false, true])
        func theStreamComesBackOlder(_ loss: Loss, restarted: Bool) async throws {
            try await withStage { stage in
                let user = try stage.makeUser(messages: 120)
                var process = try await stage.serve()
                try await process.client(of: user).connect()
                try await process.client(of: user).settle()
                await stage.nats.stop()
                try stage.nats.saveData()
                try await stage.nats.start()
                let published = try await process.client(of: user).account()?.published ?? 0
                for number in 1...5 { try user.receive(subject: "Lost \(number)") }
                try await eventually("five more are published") {
                    try await process.client(of: user).account()?.published ?? 0 >= published + 5
                }
                if restarted { #expect(await process.terminate() == .code(0)) }
                await stage.nats.stop()
                switch loss {
                case .tail: try stage.nats.restoreData()
                case .everything: try stage.nats.wipe()
                }
                try await stage.nats.start()
                if restarted { process = try await stage.serve() }
                try await eventually("the service is connected again") { try await process.answers(200, "/readyz") }
                let watch = try await eventuallyWatch(stage, user)
                try await watch.read(published + 5)
                try await stage.expectAgreement(process, user, watch)
            }
        }

        /// The stream exists as soon as the service has made it again.
        private func eventuallyWatch(_ stage: Stage, _ user: MailUser) async throws -> StreamWatch {
            var watch: StreamWatch?
            try await eventually("the stream is there") {
                // Until it is, opening it fails.
                watch = try? await stage.watch(user)
                return watch != nil
            }
            return try #require(watch)
        }
    }
}
