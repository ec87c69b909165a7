import MailModel
import NIOCore
import NIOWebSocket

/// A live stream over a WebSocket. The handlers for frames go in front of those for HTTP, which see nothing more of the
/// connection.
struct LiveSocket: LiveOutlet {
    private let frames: NIOLoopBound<FrameHandler>
    private let connection: CallerConnection
    private let loop: any EventLoop
    private let pump: LivePump

    /// From here on, what the client sends is frames. It may send some as soon as it has read the answer, so this comes
    /// before the answer; ``open()`` comes after it.
    ///
    /// - Throws: when the connection is gone.
    static func take(over connection: CallerConnection, _ pump: LivePump) async throws -> LiveSocket {
        guard let channel = connection.channel else { throw ChannelError.ioOnClosedChannel }
        let bytesMax = pump.streams.limits.inboundFrameBytesMax
        return try await channel.eventLoop.submit {
            let handler = FrameHandler(end: pump.end, loop: channel.eventLoop)
            try channel.pipeline.syncOperations.addHandlers(
                [ByteToMessageHandler(WebSocketFrameDecoder(maxFrameSize: bytesMax)), handler], position: .first)
            return LiveSocket(
                frames: NIOLoopBound(handler, eventLoop: channel.eventLoop), connection: connection,
                loop: channel.eventLoop, pump: pump)
        }.get()
    }

    /// From here on, what is sent is frames: the answer is on its way.
    func open() async throws {
        guard let channel = connection.channel else { throw ChannelError.ioOnClosedChannel }
        try await loop.submit { [frames] in
            try channel.pipeline.syncOperations.addHandler(WebSocketFrameEncoder(), position: .first)
            frames.value.open()
        }.get()
    }

    func send(_ messages: [LiveMessage]) async throws {
        let frames = messages.map { WebSocketFrame(fin: true, opcode: .text, data: ByteBuffer(bytes: $0.text)) }
        try await write(frames)
    }

    /// A ping, which the client has to answer in time.
    func heartbeat() async throws {
        let timeout = pump.streams.limits.pongTimeout
        try await loop.submit { [frames] in frames.value.expectAnswer(within: timeout) }.get()
        try await write([WebSocketFrame(fin: true, opcode: .ping, data: ByteBuffer())])
    }

    /// Says why (RFC 6455 §7.4.1), waits a moment for the client's answer and closes the connection.
    func close(_ reason: LiveEnd.Reason) async {
        let closing = pump.streams.limits.closeTimeout
        if let code = reason.closeCode {
            var data = ByteBuffer()
            data.write(webSocketErrorCode: code.code)
            data.writeString(code.text)
            // A client that is gone cannot be told.
            try? await write([WebSocketFrame(fin: true, opcode: .connectionClose, data: data)])
            let closed = WakeSignal()
            _ = try? await loop.submit { [frames] in frames.value.whenClosed { closed.raise() } }.get()
            await closed.wait(atMost: closing, time: pump.time)
        }
        connection.close()
    }

    /// Returns when the kernel has taken the frames: at most one page waits for a slow reader.
    private func write(_ written: [WebSocketFrame]) async throws {
        try await pump.end.bounded(pump.streams.limits, pump.time, cut: connection.close) {
            try await loop.flatSubmit { [frames] in frames.value.write(written) }.get()
        }
    }
}

extension LiveEnd.Reason {
    /// What to close with; nil when there is nobody to tell.
    fileprivate var closeCode: (code: WebSocketErrorCode, text: String)? {
        switch self {
        case .shutdown: (.goingAway, "the service is shutting down")
        case .expired: (.policyViolation, "the token has expired")
        case .silent: (.policyViolation, "no answer to a ping")
        case .fault(let code): (WebSocketErrorCode(codeNumber: Int(code)), "the protocol was broken")
        case .departed: (.normalClosure, "")
        }
    }
}

/// Reads a client's frames, of which only pings, pongs and the close mean anything, and writes ours. Lives on the
/// channel's event loop.
private final class FrameHandler: ChannelInboundHandler {
    typealias InboundIn = WebSocketFrame
    typealias OutboundOut = WebSocketFrame

    private let end: LiveEnd
    private let loop: any EventLoop
    private var context: ChannelHandlerContext?
    private var isOpen = false
    /// Came before there was anything to answer with.
    private var earlyPing: WebSocketFrame?
    private var isInMessage = false
    private var isFaulty = false
    private var deadline: Scheduled<Void>?
    private var isClosed = false
    private var onClose: (() -> Void)?

    init(end: LiveEnd, loop: any EventLoop) {
        self.end = end
        self.loop = loop
    }

    func handlerAdded(context: ChannelHandlerContext) { self.context = context }

    func handlerRemoved(context: ChannelHandlerContext) {
        self.context = nil
        deadline?.cancel()
        closed()
    }

    func channelInactive(context: ChannelHandlerContext) {
        deadline?.cancel()
        closed()
        context.fireChannelInactive()
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        guard !isFaulty else { return }
        let frame = unwrapInboundIn(data)
        // RFC 6455 §5.1, §5.2: everything from a client is masked; no extension was agreed on.
        guard frame.maskKey != nil, !frame.rsv1, !frame.rsv2, !frame.rsv3 else { return fault(.protocolError) }
        switch frame.opcode {
        case .ping: answer(frame, context)
        case .pong: answered()
        case .connectionClose:
            closed()
            end.tell(.departed)
        case .text, .binary:
            guard !isInMessage else { return fault(.protocolError) }
            isInMessage = !frame.fin
        case .continuation:
            guard isInMessage else { return fault(.protocolError) }
            isInMessage = !frame.fin
        default: fault(.protocolError)
        }
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        guard let error = error as? NIOWebSocketError else { return context.fireErrorCaught(error) }
        switch error {
        case .invalidFrameLength: fault(.messageTooLarge)
        case .fragmentedControlFrame, .multiByteControlFrameLength: fault(.protocolError)
        }
    }

    func open() {
        isOpen = true
        if let earlyPing, let context { answer(earlyPing, context) }
        earlyPing = nil
    }

    func write(_ frames: [WebSocketFrame]) -> EventLoopFuture<Void> {
        guard let context else { return loop.makeFailedFuture(ChannelError.alreadyClosed) }
        guard let last = frames.last else { return loop.makeSucceededVoidFuture() }
        for frame in frames.dropLast() { context.write(wrapOutboundOut(frame), promise: nil) }
        return context.writeAndFlush(wrapOutboundOut(last))
    }

    func expectAnswer(within timeout: Duration) {
        deadline?.cancel()
        deadline = loop.scheduleTask(in: .init(timeout)) { [end] in end.tell(.silent) }
    }

    func whenClosed(_ action: @escaping () -> Void) {
        if isClosed { action() } else { onClose = action }
    }

    /// A client that pings faster than it reads gets fewer pongs (RFC 6455 §5.5.3 allows that).
    private func answer(_ ping: WebSocketFrame, _ context: ChannelHandlerContext) {
        answered()
        guard isOpen else {
            earlyPing = ping
            return
        }
        guard context.channel.isWritable else { return }
        let pong = WebSocketFrame(fin: true, opcode: .pong, data: ping.unmaskedData)
        context.writeAndFlush(wrapOutboundOut(pong), promise: nil)
    }

    private func answered() {
        deadline?.cancel()
        deadline = nil
    }

    private func fault(_ code: WebSocketErrorCode) {
        isFaulty = true
        end.tell(.fault(UInt16(webSocketErrorCode: code)))
    }

    private func closed() {
        isClosed = true
        onClose?()
        onClose = nil
    }
}
