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

        /// A restored store must not number other events with the numbers that the stream has already.
        @Test(.timeLimit(.minutes(3))) func theStoreComesBackOlder() async throws {
            try await withStage { stage in
                let (user, other) = (try stage.makeUser(messages: 40), try stage.makeUser("bob", messages: 10))
                let store = "\(stage.dataDirectory)/users/\(user.id.encoded)"
                let first = try await stage.serve()
                for user in [user, other] {
                    try await first.client(of: user).connect()
                    try await first.client(of: user).settle()
                }
                #expect(await first.terminate() == .code(0))
                try FileManager.default.copyItem(atPath: store, toPath: stage.dataDirectory + "/older")

                let second = try await stage.serve()
                let watch = try await stage.watch(user)
                // Read again later, these are five events and not ten.
                for number in 1...5 {
                    let id = try user.receive(subject: "Number \(number)")
                    try await watch.read(until: [id])
                    try user.google.modify(id, in: user.address, add: ["STARRED"])
                    try await watch.read(until: [id])
                }
                #expect(await second.terminate() == .code(0))
                try FileManager.default.removeItem(atPath: store)
                try FileManager.default.moveItem(atPath: stage.dataDirectory + "/older", toPath: store)

                let third = try await stage.serve()
                try user.receive(subject: "Must wait")
                try await eventually("the user's store is found to be behind") {
                    try await third.client(of: user).account()?.status == "store_behind_stream"
                }
                let others = try await stage.watch(other)
                try await others.read(until: [other.receive(subject: "Others go on")])
                let seen = watch.messageCount
                await watch.drain(quiet: .milliseconds(500))
                #expect(watch.messageCount == seen, "nothing of this user is published")
                #expect(await third.terminate() == .code(0))
            }
        }
    }
}
