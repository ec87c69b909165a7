import Hummingbird
import MailModel
import NIOCore
import Synchronization

/// The connection a request came on.
struct CallerConnection: Sendable {
    /// Of requests that came over none: in tests.
    static let none = CallerConnection()

    /// nil where there is none.
    let channel: (any Channel)?

    private init() { channel = nil }

    init(_ channel: any Channel) { self.channel = channel }

    /// Cuts it.
    func close() { channel?.close(mode: .all, promise: nil) }

    /// Does the work, and cancels it when the client leaves.
    ///
    /// - Returns: what the work answers, also after it was cancelled.
    func untilDeparture<R: Sendable>(_ work: @escaping @Sendable () async throws -> R) async throws -> R {
        try await withThrowingTaskGroup(of: R?.self) { group in
            group.addTask { try await work() }
            group.addTask {
                await waitForDeparture()
                return nil
            }
            defer { group.cancelAll() }
            while let first = try await group.next() {
                if let first { return first }
                group.cancelAll()
            }
            throw CancellationError()
        }
    }

    /// Returns when the client has closed its side, or the task is cancelled. A client that sends further requests
    /// without reading the answer is not seen to leave before something is written to it.
    func waitForDeparture() async {
        guard let watch = await watch() else { return await WakeSignal().wait(atMost: nil, time: SystemTime()) }
        await watch.wait()
    }

    /// Nothing more is read on this connection as HTTP: after a request to upgrade, what comes is anything but that, and
    /// would be kept without a bound.
    func ignoreInput() async throws {
        guard let channel else { return }
        try await channel.eventLoop.submit {
            try channel.pipeline.syncOperations.addHandler(IgnoredInput(), position: .first)
        }.get()
    }

    private func watch() async -> DepartureWatch? {
        guard let channel else { return nil }
        // A channel that is closed has no handlers any more; then nobody waits for long.
        return try? await channel.eventLoop.submit {
            try channel.pipeline.syncOperations.handler(type: DepartureWatch.self)
        }.get()
    }
}

/// Notices that a client closed its side of a connection, while a request of it is being answered.
final class DepartureWatch: ChannelInboundHandler, RemovableChannelHandler, Sendable {
    typealias InboundIn = Any

    private struct State {
        var hasLeft = false
        var waiting: [ObjectIdentifier: WakeSignal] = [:]
    }
    private let state = Mutex(State())

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        if case ChannelEvent.inputClosed? = event as? ChannelEvent { leave() }
        context.fireUserInboundEventTriggered(event)
    }

    func channelInactive(context: ChannelHandlerContext) {
        leave()
        context.fireChannelInactive()
    }

    /// Returns when the client has left, or the task is cancelled.
    func wait() async {
        let signal = WakeSignal()
        let hasLeft = state.withLock { state in
            state.waiting[ObjectIdentifier(signal)] = signal
            return state.hasLeft
        }
        if !hasLeft { await signal.wait(atMost: nil, time: SystemTime()) }
        state.withLock { $0.waiting[ObjectIdentifier(signal)] = nil }
    }

    private func leave() {
        let waiting = state.withLock { state in
            state.hasLeft = true
            return Array(state.waiting.values)
        }
        for signal in waiting { signal.raise() }
    }
}

/// Drops whatever still comes in.
private final class IgnoredInput: ChannelInboundHandler, Sendable {
    typealias InboundIn = ByteBuffer

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {}
}
