import Foundation
import JetStream
import Logging
import MailModel
import ProviderEmulator

/// Mail arrives at an emulated Gmail that pushes; a service of its own process follows; a consumer of the stream sees it.
/// The emulator and the consumer are in this process, so that one clock measures.
struct PushMeasurement: Sendable {
    let accounts: Int
    let messages: Int
    /// Per second.
    let rate: Double
    let seconds: Double
    let seed: UInt64
    let directory: String
    let program: String
    let logger: Logger

    /// The last message may take so long.
    private static let patience = Duration.seconds(30)

    func run() async throws -> PushLatency {
        var configuration = EmulatorConfiguration()
        configuration.seed = seed
        let emulator = try await ProviderEmulator.start(configuration, logger: logger)
        do {
            let service = try await PushedService.start(program, directory: directory, emulator: emulator, logger)
            let result: Result<PushLatency, any Error>
            do {
                result = .success(try await measure(emulator, service))
            } catch {
                result = .failure(error)
            }
            await service.end()
            await emulator.shutdown()
            return try result.get()
        } catch {
            await emulator.shutdown()
            throw error
        }
    }

    private func measure(_ emulator: ProviderEmulator, _ service: PushedService) async throws -> PushLatency {
        let boxes = try await connect(emulator, service)
        let first = try await service.waitUntilPushed(accounts)
        let consumer = try await EventConsumer.open(
            service.stream(), stream: "MAIL_EVENTS", from: first, logger: logger)
        let clock = PushClock()
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { for await event in consumer.events { clock.note(event) } }
            try await deliver(to: boxes, clock)
            let end = ContinuousClock.now + Self.patience
            while !clock.isComplete, ContinuousClock.now < end { try await Task.sleep(for: .milliseconds(50)) }
            group.cancelAll()
        }
        await consumer.close()
        return clock.result
    }

    private func connect(_ emulator: ProviderEmulator, _ service: PushedService) async throws -> [any EmulatedMailbox] {
        var boxes: [any EmulatedMailbox] = []
        for account in BenchmarkAccount.all(accounts) {
            let box = try emulator.createMailbox(account.address, at: .google)
            try box.load(MailboxGenerator(seed: seed, address: account.address, count: messages))
            boxes.append(box)
        }
        let accounts = zip(BenchmarkAccount.all(accounts), boxes)
        try await withThrowingTaskGroup(of: Void.self) { group in
            var waiting = accounts.makeIterator()
            let addNext = { (group: inout ThrowingTaskGroup<Void, any Error>) in
                guard let (account, box) = waiting.next() else { return }
                group.addTask { try await service.connect(account, try box.grant()) }
            }
            for _ in 0..<PushedService.connectsMax { addNext(&group) }
            while try await group.next() != nil { addNext(&group) }
        }
        return boxes
    }

    /// At random moments, in random mailboxes.
    private func deliver(to boxes: [any EmulatedMailbox], _ clock: PushClock) async throws {
        var random = SeededRandom(seed: seed)
        let start = ContinuousClock.now
        var moment = 0.0
        var number = messages
        while true {
            moment += -log(1 - Double.random(in: 0..<1, using: &random)) / rate
            if moment >= seconds { return }
            guard let box = boxes.randomElement(using: &random) else { return }
            let bytes = MailboxGenerator(seed: seed, address: box.address, count: messages).bytes(at: number)
            number += 1
            try await Task.sleep(until: start + .seconds(moment), clock: .continuous)
            let before = ContinuousClock.now
            clock.sent(try box.deliver(bytes), at: before)
        }
    }
}

extension PushClock {
    private static let mark = Array(#""provider_message_id":""#.utf8)

    /// Notes of which message a consumer has an event.
    func note(_ event: ReceivedEvent) {
        guard let range = event.payload.firstRange(of: Self.mark) else { return }
        let rest = event.payload[range.upperBound...]
        arrived(String(decoding: rest.prefix { $0 != UInt8(ascii: "\"") }, as: UTF8.self))
    }
}

/// SplitMix64, from a seed.
private struct SeededRandom: RandomNumberGenerator {
    private var state: UInt64
    init(seed: UInt64) { state = seed }

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var value = state
        value = (value ^ (value >> 30)) &* 0xBF58_476D_1CE4_E5B9
        value = (value ^ (value >> 27)) &* 0x94D0_49BB_1331_11EB
        return value ^ (value >> 31)
    }
}
