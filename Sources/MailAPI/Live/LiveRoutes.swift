import Hummingbird
import Logging
import MailModel
import MailStore
import ServiceLifecycle

/// `GET /mail/live`: what happens to a user's mail while it happens, as server-sent events or over a WebSocket.
struct LiveRoutes: Sendable {
    let feed: EventFeed
    let streams: LiveStreams
    let cors: CORSPolicy
    let time: any TimeSource
    let logger: Logger

    var all: [Route] {
        var route = Route.user(.get, "/mail/live", live)
        route.takesWebSockets = true
        return [route]
    }

    @Sendable private func live(_ user: UserID, _ call: Route.Call) async throws -> Response {
        let handshake = try WebSocketHandshake(call.headers)
        if handshake != nil { try cors.checkOrigin(call.headers) }
        let query = try LiveQuery(call.query, lastEventID: HTTPFields.lastEventID.flatMap { call.headers[$0] })
        let place = try streams.place(for: user)
        let pump = LivePump(
            user: user, query: query, expiresAt: call.tokenExpiresAt ?? 0, feed: feed, streams: streams,
            end: LiveEnd(), time: time)
        if let handshake { return try await socket(handshake, pump, call.connection, place) }
        return events(pump, call.connection, place)
    }

    private func events(_ pump: LivePump, _ connection: CallerConnection, _ place: LivePlace) -> Response {
        var headers: HTTPFields = [.contentType: "text/event-stream"]
        // Proxies that would rather wait for more, such as nginx, pass on what there is.
        if let name = HTTPFields.accelBuffering { headers[name] = "no" }
        return Response(
            status: .ok, headers: headers,
            body: .init { writer in
                var outlet = EventStreamOutlet(writer: writer, pump: pump, cut: connection.close)
                _ = try await serve(pump, connection, &outlet)
                try await outlet.finish()
                // Whatever else the client sent on this connection was not looked at.
                connection.close()
                withExtendedLifetime(place) {}
            })
    }

    private func socket(
        _ handshake: WebSocketHandshake, _ pump: LivePump, _ connection: CallerConnection, _ place: LivePlace
    ) async throws -> Response {
        let socket = try await LiveSocket.take(over: connection, pump)
        return Response(
            status: .switchingProtocols, headers: handshake.answer,
            body: .init { _ in
                var outlet = socket
                try await outlet.open()
                let reason = try await serve(pump, connection, &outlet)
                await outlet.close(reason)
                withExtendedLifetime(place) {}
            })
    }

    /// Pumps until the stream has to end. Cuts the connection when that was not in order: a client that reads on sees it.
    private func serve(
        _ pump: LivePump, _ connection: CallerConnection, _ outlet: inout some LiveOutlet
    ) async throws -> LiveEnd.Reason {
        do {
            return try await withThrowingTaskGroup(of: Void.self) { group in
                group.addTask {
                    await connection.waitForDeparture()
                    pump.end.tell(.departed)
                }
                defer { group.cancelAll() }
                return try await withGracefulShutdownHandler {
                    try await pump.run(&outlet)
                } onGracefulShutdown: {
                    pump.end.tell(.shutdown)
                }
            }
        } catch {
            connection.close()
            report(error)
            throw error
        }
    }

    /// That a client went is nothing to talk about; that a store cannot be read is.
    private func report(_ error: any Error) {
        switch error {
        case is StoreFailure, is SyncFailure:
            logger.error("a live stream broke off", metadata: ["error": "\(error)"])
        default: logger.debug("a live stream broke off", metadata: ["error_type": "\(type(of: error))"])
        }
    }
}

/// Server-sent events, in an answer without an end.
private struct EventStreamOutlet: LiveOutlet {
    var writer: any ResponseBodyWriter
    let pump: LivePump
    let cut: @Sendable () -> Void
    private var isOpened = false

    init(writer: any ResponseBodyWriter, pump: LivePump, cut: @escaping @Sendable () -> Void) {
        self.writer = writer
        self.pump = pump
        self.cut = cut
    }

    mutating func send(_ messages: [LiveMessage]) async throws {
        var bytes = isOpened ? [] : LiveMessage.opening
        isOpened = true
        for message in messages { message.serverSentEvent(into: &bytes) }
        try await write(bytes)
    }

    mutating func heartbeat() async throws { try await write(LiveMessage.heartbeat) }

    mutating func finish() async throws {
        try await pump.end.bounded(pump.streams.limits, pump.time, cut: cut) { [writer] in
            try await writer.finish(nil)
        }
    }

    /// The writer waits while the client reads nothing.
    private mutating func write(_ bytes: [UInt8]) async throws {
        try await pump.end.bounded(pump.streams.limits, pump.time, cut: cut) {
            try await writer.write(ByteBuffer(bytes: bytes))
        }
    }
}

extension HTTPFields {
    fileprivate static let accelBuffering = Element.Name("X-Accel-Buffering")
}
