import HummingbirdCore
import Logging
import NIOCore

extension HTTPServerBuilder {
    /// HTTP/1.1 whose connections are held until they are closed, also those that nobody takes.
    ///
    /// A connection that is accepted in the moment in which its server ends is handed to nobody. NIO's channel ends the
    /// process when it is let go of before it was closed (`NIOAsyncWriter`), so something has to hold it.
    public static func heldHTTP1(configuration: HTTP1Channel.Configuration = .init()) -> HTTPServerBuilder {
        HTTPServerBuilder { responder in
            HeldConnections(base: HTTP1Channel(responder: responder, configuration: configuration))
        }
    }
}

/// Connections of another kind, each held until it is closed.
struct HeldConnections<Base: ServerChildChannel>: ServerChildChannel {
    let base: Base

    func setup(channel: any Channel, logger: Logger) -> EventLoopFuture<Base.Value> {
        base.setup(channel: channel, logger: logger).map { value in
            channel.closeFuture.whenComplete { _ in withExtendedLifetime(value) {} }
            return value
        }
    }

    func handle(value: Base.Value, logger: Logger) async { await base.handle(value: value, logger: logger) }
}
