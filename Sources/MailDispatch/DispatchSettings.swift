/// The limits of the dispatcher.
public struct DispatchSettings: Sendable, Hashable {
    /// So many users are served at once; each has one message in flight.
    public var usersMax: Int
    /// A user gives its place to the next after so many rows.
    public var quantumRows: Int
    /// The wait after a first unknown outcome, before jitter.
    public var firstRetry: Duration
    /// No wait is longer.
    public var longestRetry: Duration
    /// Events older than this have left the stream (`STREAM_MAX_AGE`): they are not sent again when it lost its tail.
    public var streamMaxAge: Duration
    /// How long the stream remembers message ids (`STREAM_DUPLICATE_WINDOW`).
    public var duplicateWindow: Duration

    public init(
        usersMax: Int = 256, quantumRows: Int = 256, firstRetry: Duration = .milliseconds(50),
        longestRetry: Duration = .seconds(30), streamMaxAge: Duration = .seconds(30 * 86_400),
        duplicateWindow: Duration = .seconds(600)
    ) {
        self.usersMax = usersMax
        self.quantumRows = quantumRows
        self.firstRetry = firstRetry
        self.longestRetry = longestRetry
        self.streamMaxAge = streamMaxAge
        self.duplicateWindow = duplicateWindow
    }
}
