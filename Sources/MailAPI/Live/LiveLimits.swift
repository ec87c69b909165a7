/// What live streams (`GET /mail/live`) may take of the service.
public struct LiveLimits: Sendable {
    /// Streams of one user at a time.
    public var streamsPerUserMax = 8
    /// Streams of all users; each holds a connection.
    public var streamsMax = 512
    /// Events read and sent at once.
    public var pageEventsMax = 20
    /// Without anything else to say, a sign of life (or a ping) after this.
    public var heartbeat: Duration = .seconds(15)
    /// A WebSocket's client that sent nothing for so long after a ping is gone.
    public var pongTimeout: Duration = .seconds(15)
    /// A reader that did not take what was sent is cut after this.
    public var writeTimeout: Duration = .seconds(10)
    /// The same, when the stream has to end.
    public var closeTimeout: Duration = .seconds(1)
    /// Between two looks at a user's accounts while one of them is busy.
    public var busyLook: Duration = .seconds(1)
    /// The same while all is quiet; a commit is looked at earlier.
    public var quietLook: Duration = .seconds(5)
    /// Bytes in one frame from a client.
    public var inboundFrameBytesMax = 4096

    public init() {}
}
