import Hummingbird

/// What belongs to one request besides the request.
struct APIContext: RequestContext {
    var coreContext: CoreRequestContextStorage
    /// Names the request in answers and in the log.
    let requestID: String
    /// What the request came on.
    let connection: CallerConnection

    init(source: ApplicationRequestContextSource) {
        coreContext = .init(source: source)
        // A log handler need not keep metadata; then the log has no ids, but answers do.
        requestID = source.logger[metadataKey: "hb.request.id"]?.description ?? RequestID().description
        connection = CallerConnection(source.channel)
    }
}
