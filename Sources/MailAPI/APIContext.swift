import Hummingbird

/// What belongs to one request besides the request.
struct APIContext: RequestContext {
    var coreContext: CoreRequestContextStorage
    /// Cuts the connection the request came on.
    let closeConnection: @Sendable () -> Void

    init(source: ApplicationRequestContextSource) {
        coreContext = .init(source: source)
        let channel = source.channel
        closeConnection = { channel.close(mode: .all, promise: nil) }
    }
}
